"""Kafka for the benchmarks: topics, a fast or a paced producer, a reader from offset 0 to the end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

RAW_PARTITIONS: Final = 4
STEP: Final = 20


class Got(NamedTuple):
    """A record that was read; `append_ms` is the broker's append time on topics that carry it; a tombstone's value is empty."""

    topic: str
    partition: int
    offset: int
    append_ms: int
    value: bytes
    key: bytes = b""

    @property
    def where(self) -> str:
        """The record's place, for messages."""
        return f"{self.topic}-{self.partition}@{self.offset}"


def create(brokers: str, topic: str) -> None:
    """Creates a raw topic whose records carry the broker's append time."""
    admin = AdminClient({"bootstrap.servers": brokers})
    settings = {"message.timestamp.type": "LogAppendTime"}
    admin.create_topics([NewTopic(topic, RAW_PARTITIONS, 1, config=settings)])[topic].result()


def _producer(brokers: str, linger_ms: int) -> Producer:
    settings = {"linger.ms": linger_ms, "batch.size": 200_000, "queue.buffering.max.messages": 1_000_000, "log_level": 3}
    return Producer({"bootstrap.servers": brokers, **settings})


def fill(brokers: str, topic: str, values: Iterable[bytes]) -> int:
    """Writes the records as fast as it can, turn by turn over the partitions; returns how many."""
    producer, number = _producer(brokers, 20), -1
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % RAW_PARTITIONS)
        if number % 5_000 == 0:
            producer.poll(0)
    producer.flush()
    return number + 1


def pace(brokers: str, topic: str, values: Iterable[bytes], per_s: float) -> int:
    """Writes `per_s` records a second, steadily, in steps of 20; returns how many."""
    producer, number, start = _producer(brokers, 1), -1, time.perf_counter()
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % RAW_PARTITIONS)
        if number % STEP == STEP - 1:
            producer.poll(0)
            ahead = start + (number + 1) / per_s - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
    producer.flush()
    return number + 1


def reader(brokers: str, *topics: str) -> Consumer:
    """Returns a consumer that stands at offset 0 of every partition of the topics and joins no group."""
    settings = {"group.id": uuid.uuid4().hex, "enable.auto.commit": False, "fetch.queue.backoff.ms": 20, "log_level": 3}
    consumer = Consumer({"bootstrap.servers": brokers, "auto.offset.reset": "earliest", **settings})
    known = consumer.list_topics(timeout=10).topics
    consumer.assign([TopicPartition(topic, number, 0) for topic in topics for number in known[topic].partitions])
    return consumer


def take(consumer: Consumer, most: int, wait_s: float) -> list[Got]:
    """Returns at most `most` records, waiting at most `wait_s` seconds for them."""
    return [_got(message) for message in consumer.consume(most, wait_s) if message.error() is None]


def whole(brokers: str, topic: str) -> Iterator[Got]:
    """Yields every record of a topic up to where it ended when asked, partitions interleaved."""
    consumer = reader(brokers, topic)
    ends = {item.partition: consumer.get_watermark_offsets(item, timeout=10)[1] for item in consumer.assignment()}
    left = sum(ends.values())
    while left:
        for record in take(consumer, 1_000, 0.2):
            if record.offset < ends[record.partition]:
                left -= 1
                yield record
    consumer.close()


def _got(message: Message) -> Got:
    topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return Got(topic, partition, offset, message.timestamp()[1], value or b"", message.key() or b"")

"""Scan: reads a topic without a group — from its beginning, or from now on — and leaves no trace on the broker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.clients import confluent_settings
from tocsin.config import Kafka
from tocsin.errors import BrokerError

TIMEOUT_S: Final = 10.0
POLL_S: Final = 0.5
BATCH: Final = 500


def scan(kafka: Kafka, topic: str, *, new_only: bool = False, follow: bool = False) -> Iterator[Message]:
    """Yields the records of a topic: per partition in order, partitions as they arrive.

    Args:
        kafka: the broker.
        topic: full name.
        new_only: begin at the end instead of the beginning.
        follow: go on for ever; otherwise stop at the end as it is now.

    Raises:
        BrokerError: the broker does not answer, refuses, or has no such topic.
    """
    settings = {"group.id": "tocsin-scan", "enable.auto.commit": False, "enable.partition.eof": False}
    consumer = Consumer({**confluent_settings(kafka), **settings, "auto.offset.reset": "earliest", "log_level": 0})
    try:
        ends = _ends(consumer, kafka, topic)
        start = [TopicPartition(topic, number, end if new_only else low) for number, (low, end) in ends.items()]
        consumer.assign(start)
        left = {number for number, (low, end) in ends.items() if not new_only and low < end}
        while follow or left:
            for message in consumer.consume(BATCH, POLL_S):
                if (error := message.error()) is not None:
                    _refuse_fatal(kafka, topic, error)
                    continue
                number, offset = message.partition() or 0, message.offset() or 0
                if follow or offset < ends[number][1]:
                    yield message
            if not follow:
                # A log may end in records nobody sees (compacted, or a transaction's marks): the position passes them.
                at = {p.partition: p.offset for p in consumer.position(start)}
                left = {number for number in left if at[number] < ends[number][1]}
    except KafkaException as error:
        raise BrokerError(f"Kafka at {kafka.brokers}: {topic}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _ends(consumer: Consumer, kafka: Kafka, topic: str) -> dict[int, tuple[int, int]]:
    found = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    if found.error is not None:
        raise BrokerError(f"Kafka at {kafka.brokers}: topic {topic} must exist; the broker says: {found.error.str()}")
    return {
        number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=TIMEOUT_S)
        for number in sorted(found.partitions)
    }


def _refuse_fatal(kafka: Kafka, topic: str, error: KafkaError) -> None:
    """Goes on after an error that passes by itself, such as a broker that restarts."""
    if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._FATAL):  # noqa: SLF001 - the client's public name for it
        raise BrokerError(f"Kafka at {kafka.brokers}: {topic}: {error.str()}")

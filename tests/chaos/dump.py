"""Dump: everything a topic holds, read from its first offset by a plain consumer that belongs to no stage."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, TopicPartition


class Rec(NamedTuple):
    """One Kafka record as it stands in the log."""

    partition: int
    offset: int
    append_ms: int
    key: bytes | None
    value: bytes | None


def dump(brokers: str, topic: str) -> list[Rec]:
    """Returns every record of a topic, partition by partition in offset order; an absent topic is empty."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"dump-{uuid.uuid4().hex}",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 20,
            "fetch.queue.backoff.ms": 20,
        }
    )
    try:
        metadata = consumer.list_topics(topic, timeout=30).topics[topic]
        return [record for partition in sorted(metadata.partitions) for record in _partition(consumer, topic, partition)]
    finally:
        consumer.close()


def _partition(consumer: Consumer, topic: str, partition: int) -> list[Rec]:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
    consumer.assign([TopicPartition(topic, partition, low)])
    records: list[Rec] = []
    idle = 0
    while consumer.position([TopicPartition(topic, partition)])[0].offset < high and idle < 100:
        messages = consumer.consume(2000, 0.2)
        idle = 0 if messages else idle + 1
        for message in messages:
            fault = message.error()
            if fault is not None and fault.code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(f"{topic}-{partition}: {fault}")
            if fault is None and message.offset() < high:
                records.append(Rec(partition, message.offset(), message.timestamp()[1], message.key(), message.value()))
    if idle >= 100:
        raise RuntimeError(f"{topic}-{partition}: records up to {high} expected, none came for 20 s at {len(records)}")
    return records

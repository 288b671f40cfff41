"""Dump: everything a topic holds, read from its first offset by a plain consumer that belongs to no stage."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition


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
    records: list[Rec] = []
    if low == high:
        return records
    consumer.assign([TopicPartition(topic, partition, low)])
    idle = 0
    # The consumer's position, unlike the last record's offset, also passes records that compaction removed.
    while consumer.position([TopicPartition(topic, partition)])[0].offset < high and idle < 100:
        messages = consumer.consume(2000, 0.2)
        idle = 0 if messages else idle + 1
        for message in messages:
            offset, fault = message.offset(), message.error()
            if fault is not None or offset is None:
                raise RuntimeError(f"{topic}-{partition}: {fault}")
            if offset < high:
                records.append(Rec(partition, offset, message.timestamp()[1], message.key(), message.value()))
    if idle >= 100:
        raise RuntimeError(f"{topic}-{partition}: records up to {high} expected, none came for 20 s at {len(records)}")
    return records

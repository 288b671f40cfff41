"""Restore: reads one partition of a state topic from its end backwards, until enough snapshots are in sight.

A compacted topic keeps ten minutes of snapshots, so reading it from the start would cost a gigabyte. Windows grow fourfold
until a usable snapshot and `SIGHT` manifests are seen, or the topic's start is reached; compaction leaves gaps in offsets, so
a window ends where the broker says the partition ends. A slow former owner may have written an older snapshot last: taking
that one is correct too, only slower, because replaying from it sends the same bytes again.

Blocking; runs in an executor with a consumer of its own, which joins no group.
"""

from __future__ import annotations

import time
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.clients import consumer_settings
from streams.stage.opening import Start, choose
from streams.stage.snapshots import MANIFEST, Item, Shelf
from streams.stage.trial import read_refusals, read_trial
from tocsin.config import Kafka
from tocsin.errors import BrokerError

WINDOW: Final = 256
"""Offsets in the first window."""

SIGHT: Final = 3
"""Manifests to see before stopping, so that whatever is older than the two newest is tombstoned."""

TIMEOUT_S: Final = 20.0


def restore(kafka: Kafka, stage: str, topics: tuple[str, str], partition: int, key: bytes) -> Start:
    """Returns where and from what a partition of a stage starts.

    Args:
        kafka: the broker.
        stage: name of the stage.
        topics: full names of its state topic and of its input topic.
        partition: of both.
        key: 32 bytes from `derive_key(…, "state")`.

    Raises:
        BrokerError: the broker did not answer in time.
    """
    state_topic, input_topic = topics
    settings = consumer_settings(kafka, f"tocsin-restore-{stage}", reset="earliest")
    consumer = Consumer({**settings, "enable.partition.eof": True, "fetch.wait.max.ms": 10})
    try:
        low, _ = consumer.get_watermark_offsets(TopicPartition(input_topic, partition), timeout=TIMEOUT_S)
        shelf = scan(consumer, state_topic, Shelf(key, stage, partition))
    except KafkaException as error:
        raise BrokerError(f"{state_topic}-{partition}: reading the state failed: {error}") from error
    finally:
        consumer.close()
    complaints: list[str] = []
    trial = read_trial(key, stage, partition, shelf.values, complaints)
    refused = read_refusals(key, stage, partition, shelf.values, complaints)
    snapshot = choose(shelf)
    return Start(snapshot, trial, refused, low, (*complaints, *snapshot.complaints))


def scan(consumer: Any, topic: str, empty: Shelf) -> Shelf:
    """Returns a shelf with the last records of the partition: enough of them to restore from."""
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, empty.partition), timeout=TIMEOUT_S)
    window, start, shelf = WINDOW, high, empty
    while start > low:
        start = max(low, high - window)
        shelf = Shelf(empty.key, empty.stage, empty.partition)
        shelf.add(read(consumer, TopicPartition(topic, empty.partition, start)))
        manifests = sum(name.endswith(MANIFEST.encode()) for name in shelf.values)
        if manifests >= SIGHT and choose(shelf).sections is not None:
            break
        window *= 4
    return shelf


def read(consumer: Any, start: TopicPartition) -> list[Item]:
    """Returns every record of one partition from an offset to its present end.

    Raises:
        BrokerError: nothing came for `TIMEOUT_S`.
    """
    consumer.assign([start])
    items: list[Item] = []
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        for message in consumer.consume(1000, timeout=0.2):
            error = message.error()
            if error is None:
                items.append(Item(message.key() or b"", message.value()))
                deadline = time.monotonic() + TIMEOUT_S
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the constant's only name
                return items
            elif not error.retriable():
                raise BrokerError(f"{start.topic}-{start.partition}: reading the state failed: {error}")
    raise BrokerError(f"{start.topic}-{start.partition}: the broker must answer within {TIMEOUT_S:.0f} s; nothing came")

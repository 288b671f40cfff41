"""Tail: listens to what Tocsin publishes, as a SIEM would."""

from __future__ import annotations

from types import TracebackType
from typing import Final, NamedTuple, Self

from confluent_kafka import Consumer, TopicPartition

from streams.admin_client import connect, partitions
from streams.clients import consumer_settings, topic_name
from streams.demo.measure import Seen, seen_of
from streams.stage.machine import Link
from tocsin.codec import unpack
from tocsin.config import Kafka
from tocsin.reading import Readings

BATCH: Final = 500
LISTENS: Final = ("alerts", "readings")


class Heard(NamedTuple):
    """What came in: findings in order, and how many events the readings say were watched."""

    findings: list[Seen]
    watched: int


class Tail:
    """A reader of alerts and readings, from their start; a context manager."""

    def __init__(self, kafka: Kafka) -> None:
        """Prepares."""
        self._kafka = kafka
        self._consumer = Consumer({**consumer_settings(kafka, "tocsin-demo-view", reset="earliest"), "fetch.wait.max.ms": 100})
        self._keys = {topic_name(kafka, key): key for key in LISTENS}
        self._seen: set[bytes] = set()

    def __enter__(self) -> Self:
        """Takes its places."""
        with connect(self._kafka) as admin:
            present = partitions(admin)
        self._consumer.assign([TopicPartition(name, n, 0) for name in self._keys for n in range(present.get(name, 0))])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leaves."""
        self._consumer.close()

    def listen(self, timeout_s: float) -> Heard:
        """Returns what came in the next moments."""
        findings: list[Seen] = []
        watched = 0
        for message in self._consumer.consume(BATCH, timeout_s):
            value = message.value()
            if message.error() is not None or not isinstance(value, bytes) or value in self._seen:
                continue
            # A worker that restarted repeats itself byte for byte.
            self._seen.add(value)
            if self._keys[message.topic() or ""] == "alerts":
                findings.append(seen_of(value))
            else:
                watched += _rows(value)
        return Heard(findings, watched)


def _rows(record: bytes) -> int:
    link = unpack(record, Link, "readings")
    return sum(tally.rows for tally in unpack(link.body, Readings, "readings").tallies)

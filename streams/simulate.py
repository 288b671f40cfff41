"""Simulate: plays a drill (`drills/`) to a file of JSON lines, or to a topic, paced by event time or as fast as it goes."""

from __future__ import annotations

import math
import time
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from drills.plan import Plan
from drills.play import Batch, Truth, play, truth_of
from drills.scenarios import SCENARIOS
from streams.clients import admin_settings, confluent_settings
from tocsin.codec import json_bytes
from tocsin.config import Kafka
from tocsin.errors import BrokerError, ConfigError, FileError

NAP_S: Final = 0.01
DELIVERY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent.

    Attributes:
        events: how many.
        seconds: wall time it took.
        truth: what is in them.
    """

    events: int
    seconds: float
    truth: Truth


Tempo = Callable[[float], float]
"""Seconds of playing → event time that is due, Unix milliseconds."""

Watch = Callable[[Batch, int, int], None]
"""Told (batch, first, end) after the events [first, end) of a batch were handed over."""


def checked(name: str, plan: Plan) -> None:
    """Refuses a scenario or a plan that cannot be played.

    Raises:
        ConfigError: naming the option, what it must be and what it is.
    """
    if name not in SCENARIOS:
        raise ConfigError(f"scenario: one of {', '.join(SCENARIOS)} expected; got {name!r}")
    for option, least in (("callers", 1), ("accounts", 1), ("attack_events", 1), ("seed", 0)):
        if getattr(plan, option) < least:
            raise ConfigError(f"{option}: at least {least} expected; got {getattr(plan, option)}")
    if not (0 < plan.rate <= 10_000_000 and 0 < plan.seconds <= 366 * 86_400):
        raise ConfigError(f"rate and seconds: above 0, a year at most, expected; got {plan.rate} and {plan.seconds}")
    if not 0 <= plan.onset < plan.until <= 1:
        raise ConfigError(f"onset, until: 0 <= onset < until <= 1 expected; got {plan.onset} and {plan.until}")


def simulate_to_file(name: str, plan: Plan, path: Path) -> Sent:
    """Writes a drill as JSON lines; the same plan gives the same file.

    Raises:
        ConfigError: the plan cannot be played.
        FileError: the file cannot be written.
    """
    checked(name, plan)
    attack: list[str] = []
    began, events = time.monotonic(), 0
    try:
        with path.open("wb") as file:
            for batch in play(name, plan):
                file.write(b"\n".join((*batch.lines, b"")))
                events += len(batch.lines)
                attack += _attack_ids(batch)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error
    return Sent(events, time.monotonic() - began, truth_of(name, plan, attack))


def simulate_to_topic(
    name: str,
    plan: Plan,
    kafka: Kafka,
    topic: str,
    *,
    speed: float | None = 1.0,
    tempo: Tempo | None = None,
    watch: Watch = lambda *_: None,
) -> Sent:
    """Sends a drill to a topic; each caller's events go to one partition, in order.

    Args:
        name: a key of SCENARIOS.
        plan: how to play it; for a clock that compares event with append time, `start_ms` should be now.
        kafka: the broker.
        topic: a topic that exists.
        speed: seconds of event time per second, None for as fast as it goes.
        tempo: instead, when the speed changes: seconds of playing → event time, Unix milliseconds.
        watch: told of progress.

    Raises:
        ConfigError: the plan cannot be played.
        BrokerError: the broker or the topic cannot be reached, or an event was not delivered.
    """
    checked(name, plan)
    sender = _Sender(kafka, topic)
    attack: list[str] = []
    began, events = time.monotonic(), 0
    tempo = tempo or _steady(plan.start_ms, speed)
    for batch in play(name, plan):
        for first, end in _due(batch.ts, tempo, began):
            sender.send(batch, first, end)
            watch(batch, first, end)
        events += len(batch.lines)
        attack += _attack_ids(batch)
    sender.flush()
    return Sent(events, time.monotonic() - began, truth_of(name, plan, attack))


def write_truth(truth: Truth, path: Path) -> None:
    """Writes the truth as one JSON object.

    Raises:
        FileError: the file cannot be written.
    """
    try:
        path.write_bytes(json_bytes({name: getattr(truth, name) for name in Truth.__slots__}) + b"\n")
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error


def _attack_ids(batch: Batch) -> list[str]:
    return [event_id for event_id, attack in zip(batch.event_ids, batch.attack, strict=True) if attack]


def _steady(start_ms: int, speed: float | None) -> Tempo:
    return lambda elapsed_s: math.inf if speed is None else start_ms + elapsed_s * speed * 1000


def _due(ts: list[int], tempo: Tempo, began: float) -> Iterator[tuple[int, int]]:
    """Yields the slices of a batch when their time has come."""
    first = 0
    while first < len(ts):
        end = bisect_right(ts, tempo(time.monotonic() - began), first)
        if end > first:
            yield first, end
            first = end
        else:
            time.sleep(NAP_S)


class _Sender:
    """An idempotent producer that chooses partitions itself: clients' partitioners disagree."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.topic = topic
        self.partitions = partition_count(kafka, topic)
        settings = {"acks": "all", "enable.idempotence": True, "linger.ms": 5, "compression.type": "lz4"}
        self._producer = Producer({**confluent_settings(kafka), **settings})
        self._failed = ""

    def send(self, batch: Batch, first: int, end: int) -> None:
        for number in range(first, end):
            caller = batch.callers[number].encode()
            event = {
                "topic": self.topic,
                "partition": zlib.crc32(caller) % self.partitions,
                "key": caller,
                "value": batch.lines[number],
                # A topic with CreateTime then has event time as its append time; LogAppendTime topics overwrite it.
                "timestamp": batch.ts[number],
                "on_delivery": self._delivered,
            }
            self._hand_over(event)
        self._producer.poll(0)
        if self._failed:
            raise BrokerError(f"topic {self.topic}: an event could not be delivered: {self._failed}")

    def _hand_over(self, event: dict[str, Any]) -> None:
        while True:
            try:
                self._producer.produce(**event)
            except BufferError:
                self._producer.poll(NAP_S)
            else:
                return

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed = str(error)

    def flush(self) -> None:
        left = self._producer.flush(DELIVERY_S)
        if left or self._failed:
            raise BrokerError(
                f"topic {self.topic}: every event must be delivered; {left} are not: {self._failed or 'no answer'}"
            )


def partition_count(kafka: Kafka, topic: str) -> int:
    """Returns how many partitions a topic has.

    Raises:
        BrokerError: the broker does not answer, or has no such topic.
    """
    try:
        found = AdminClient(admin_settings(kafka)).list_topics(topic, timeout=10).topics[topic]
    except KafkaException as error:
        raise BrokerError(f"{kafka.brokers}: must answer and know the topic {topic}: {error}") from error
    if found.error is not None or not found.partitions:
        raise BrokerError(f"{kafka.brokers}: the topic {topic} must exist; the broker says: {found.error}")
    return len(found.partitions)

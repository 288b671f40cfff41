"""Topic: baselines in Kafka. `publish_baseline` is the only way in, `KafkaBaselines` reads.

A promotion is sent after its baseline is durable, so a look-up that misses is a race with the broker or a fault: the topic is
read on for a few seconds, then the process ends. Of the topic itself only offsets are remembered; values are fetched when
they are asked for, and what was fetched last stays at hand, for sense and judge of one process share it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from models.baseline import Baseline, hash_of
from streams.baselines.chunks import Name, chunks_of, name_in, whole
from streams.clients import confluent_settings, producer_settings, topic_name
from tocsin.config import Kafka
from tocsin.errors import BrokerError, HoleError

SEND_S: Final = 30.0
WAIT_S: Final = 4.0
"""How long a miss is waited for; well below a group's session, for the event loop waits too."""

READ_S: Final = 10.0
POLL_S: Final = 0.25
KEPT: Final = 256
"""Decoded baselines at hand."""


def publish_baseline(kafka: Kafka, baseline: Baseline) -> str:
    """Writes a baseline durably and returns its content hash; writing it again changes nothing.

    Raises:
        BrokerError: it was not acknowledged.
    """
    topic, failed = topic_name(kafka, "baselines"), list[str]()
    producer = Producer({**producer_settings(kafka), "message.timeout.ms": int(SEND_S * 1000), "log_level": 0})

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error.str())

    try:
        for chunk in chunks_of(baseline):
            producer.produce(topic, chunk.value, key=chunk.key, partition=0, on_delivery=delivered)
        left = producer.flush(SEND_S + 1)
    except KafkaException as error:
        left, failed = 1, [error.args[0].str()]
    if left or failed:
        producer.purge()
        reason = ", ".join(failed) or "no answer"
        raise BrokerError(f"Kafka at {kafka.brokers}: {topic}: the baseline of {baseline.model} was not taken: {reason}")
    return hash_of(baseline)


class KafkaBaselines:
    """The baselines of a deployment. Blocking; for one thread."""

    def __init__(self, kafka: Kafka, wait_s: float = WAIT_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Connects when it is first asked."""
        self._kafka = kafka
        self._topic = topic_name(kafka, "baselines")
        self._wait_s, self._clock = wait_s, clock
        self._consumer: Any = None
        self._next = 0
        self._places: dict[str, dict[Name, int]] = {}
        self._held: dict[str, Baseline] = {}

    def get(self, name: str, model: str = "") -> Baseline:
        """Returns the baseline of this content hash; `model` is whose promotion names it.

        Raises:
            HoleError: it did not appear in time.
            VersionError: it is damaged, or a newer Tocsin wrote it.
            BrokerError: the topic cannot be read.
        """
        if name not in self._held:
            try:
                baseline = self._find(name)
            except KafkaException as error:
                raise BrokerError(f"Kafka at {self._kafka.brokers}: {self._topic}: {error.args[0].str()}") from error
            if baseline is None:
                raise HoleError(
                    f"{self._topic}: baseline {name} of {model or 'a model'} must be there before its promotion; "
                    f"not found within {self._wait_s:.0f} s among {len(self._places)}"
                )
            if len(self._held) >= KEPT:
                del self._held[next(iter(self._held))]
            self._held[name] = baseline
        return self._held[name]

    def names(self) -> list[str]:
        """Returns the hash of every baseline in the topic, sorted.

        Raises:
            BrokerError: the topic cannot be read.
        """
        try:
            self._read_on()
        except KafkaException as error:
            raise BrokerError(f"Kafka at {self._kafka.brokers}: {self._topic}: {error.args[0].str()}") from error
        return sorted(self._places)

    def close(self) -> None:
        """Lets go of the connection."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _find(self, name: str) -> Baseline | None:
        until = self._clock() + self._wait_s
        while True:
            self._read_on()
            baseline = self._fetch(name) if name in self._places else None
            if baseline is not None or self._clock() >= until:
                return baseline
            time.sleep(POLL_S)

    def _read_on(self) -> None:
        """Notes where everything stands that was written since the last time."""
        end = self._open().get_watermark_offsets(TopicPartition(self._topic, 0), timeout=READ_S)[1]
        for message in self._records(self._next, end):
            name = name_in(message.key() or b"")
            if name is not None and message.value():
                self._places.setdefault(name.baseline, {})[name] = message.offset()
        self._next = max(self._next, end)

    def _fetch(self, name: str) -> Baseline | None:
        places = self._places[name]
        newest = max(places, key=lambda part: places[part])
        parts: dict[int, bytes] = {}
        for part, offset in sorted(places.items()):
            # A record that compaction took has the same key and content further behind, and `_read_on` finds it there.
            if part.chunks == newest.chunks:
                parts.update((part.number, message.value()) for message in self._records(offset, offset + 1))
        return whole(parts, newest, f"{self._topic}: {name}")

    def _records(self, start: int, end: int) -> list[Any]:
        """Returns the records from `start` up to, not including, `end`; compaction leaves holes."""
        consumer, found = self._open(), list[Any]()
        if start >= end:
            return found
        here = TopicPartition(self._topic, 0, start)
        consumer.assign([here])
        until = self._clock() + READ_S
        while self._clock() < until:
            message = consumer.poll(POLL_S)
            if message is not None and message.error() is None:
                if message.offset() >= end:
                    return found
                found.append(message)
                until = self._clock() + READ_S
            # A log may end in records that compaction took: the position passes them.
            if consumer.position([here])[0].offset >= end:
                return found
        raise BrokerError(f"{self._topic}: records up to {end} expected within {READ_S:.0f} s; none came")

    def _open(self) -> Any:
        if self._consumer is None:
            settings = {"group.id": "tocsin-baselines", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
            pace = {"fetch.wait.max.ms": 10, "fetch.queue.backoff.ms": 5, "log_level": 0}
            self._consumer = Consumer({**confluent_settings(self._kafka), **settings, **pace})
        return self._consumer

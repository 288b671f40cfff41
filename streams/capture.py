"""Capture: copies what stands in the topics of a deployment into one file, from their start to where they end now."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from streams.admin import topic_ids
from streams.capture_file import RAW, Captured, write_capture
from streams.clients import consumer_settings, topic_name
from streams.positions import Ends, watermarks
from streams.refusals import STATES, is_refusal
from tocsin.config import Config
from tocsin.errors import BrokerError, ConfigError

ROLES: Final = (
    "proposals",
    "alerts_ecs",
    "alerts",
    "signals",
    "readings",
    "state_triage",
    "state_judge",
    "state_sense",
    "frames",
    "control",
    "baselines",
    "labels",
    RAW,
)
"""What can be captured; of states their refusals alone, for the rest follows from the input.

The ends are taken in this order, so that whatever is captured has its cause in the file too."""

BATCH: Final = 500
STALL_S: Final = 30.0


class Part(NamedTuple):
    """One partition to copy: its role, topic, topic id, number, and from where to where."""

    role: str
    topic: str
    topic_id: str
    partition: int
    ends: Ends


def capture(config: Config, path: Path, roles: tuple[str, ...] = ROLES) -> dict[str, int]:
    """Writes the records of these roles, ordered by role, topic, partition and offset; returns records per topic.

    Raises:
        ConfigError: a role does not exist.
        BrokerError: Kafka cannot be reached, or stops answering.
        FileError: the file cannot be written.
    """
    return write_capture(path, captured(config, roles))


def capture_topic(config: Config, topic: str, path: Path) -> None:
    """Writes one configured raw topic, as it stands.

    Raises:
        ConfigError: it is not in the configuration.
        BrokerError: Kafka cannot be reached, or stops answering.
        FileError: the file cannot be written.
    """
    chosen = tuple(one for one in config.topic if one.name == topic)
    if not chosen:
        known = ", ".join(one.name for one in config.topic) or "none"
        raise ConfigError(f"--topic: expected one of {known}; got {topic!r}")
    capture(msgspec.structs.replace(config, topic=chosen), path, (RAW,))


def captured(config: Config, roles: tuple[str, ...] = ROLES) -> Iterator[Captured]:
    """Yields the same records straight from Kafka; see `capture`."""
    parts = parts_of(config, roles)
    return (record for part in parts for record in _records(config, part) if part.role not in STATES or is_refusal(record))


def parts_of(config: Config, roles: tuple[str, ...]) -> list[Part]:
    """Returns every non-empty partition of these roles, causes first.

    Raises:
        ConfigError: a role does not exist.
        BrokerError: Kafka cannot be reached.
    """
    if unknown := sorted(set(roles) - set(ROLES)):
        raise ConfigError(f"topics to capture: some of {', '.join(ROLES)} expected; got {', '.join(unknown)}")
    parts: list[Part] = []
    for role in (role for role in ROLES if role in roles):
        found = watermarks(config.kafka, _topics(config, role))
        parts += _parts(config, role, found)
    return sorted(parts, key=lambda part: (-ROLES.index(part.role), part.topic, part.partition))


def _topics(config: Config, role: str) -> list[str]:
    return [topic.name for topic in config.topic] if role == RAW else [topic_name(config.kafka, role)]


def _parts(config: Config, role: str, found: Mapping[tuple[str, int], Ends]) -> list[Part]:
    ids = topic_ids(config.kafka, sorted({topic for topic, _ in found}))
    return [Part(role, topic, ids[topic], number, ends) for (topic, number), ends in found.items() if ends.end > ends.start]


def _records(config: Config, part: Part) -> Iterator[Captured]:
    """Yields one partition's records up to its end; offsets that compaction or a transaction took are simply not there."""
    consumer = Consumer({**consumer_settings(config.kafka, "tocsin-capture"), "enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(part.topic, part.partition, part.ends.start)])
        heard = time.monotonic()
        while True:
            messages = consumer.consume(BATCH, timeout=1.0)
            heard = time.monotonic() if messages else heard
            for message in messages:
                if _at_end(message, part):
                    return
                record = _captured(message, part)
                yield record
                if record.offset >= part.ends.end - 1:
                    return
            if time.monotonic() - heard > STALL_S:
                raise BrokerError(
                    f"{part.topic}-{part.partition}: records up to {part.ends.end} expected; none for {STALL_S:.0f} s"
                )
    finally:
        consumer.close()


def _at_end(message: Message, part: Part) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's name for it
        return True
    raise BrokerError(f"{part.topic}-{part.partition}: cannot be read: {error}")


def _captured(message: Message, part: Part) -> Captured:
    def plain(data: Any) -> bytes | None:
        return data.encode() if isinstance(data, str) else data

    found: Any = message.headers() or ()
    headers = tuple((name, plain(value) or b"") for name, value in found)
    _, append_ms = message.timestamp()
    return Captured(
        part.role,
        part.topic,
        part.topic_id,
        part.partition,
        message.offset() or 0,
        max(append_ms, 0),
        plain(message.key()),
        plain(message.value()),
        headers,
    )

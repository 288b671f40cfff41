"""Raw events: the records of a replay or a capture, in ledger order, and where to look one up again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from streams.capture_file import RAW, Captured, is_capture, read_capture
from streams.intake.core import records_of_lines
from streams.intake.record import RawRecord
from tocsin.config import Config, RawTopic
from tocsin.errors import ConfigError, FileError

INTAKE: Final = (RAW, "labels", "control")
"""Roles of a capture that intake reads."""

Place = tuple[str, int, int]
"""(topic, partition, offset) of a raw record."""


@dataclass(frozen=True, slots=True)
class Events:
    """The raw records of a replay, to be read again.

    Attributes:
        records: yields them from the start.
    """

    records: Callable[[], Iterator[RawRecord]]

    def at(self, places: frozenset[Place]) -> dict[Place, bytes]:
        """Returns the values of the records at these places, as far as they are there."""
        here = ((record.topic, record.partition, record.offset) for record in self.records()) if places else ()
        values = (record.value or b"" for record in self.records()) if places else ()
        return {place: value for place, value in zip(here, values, strict=True) if place in places}


def merged(captured: Iterable[Captured]) -> list[RawRecord]:
    """Returns the raw records in ledger order: by append time, topic, partition, offset; each partition by its offsets."""
    parts: dict[tuple[str, str, int], list[Captured]] = {}
    for record in captured:
        if record.role in INTAKE:
            parts.setdefault((record.topic, record.topic_id, record.partition), []).append(record)
    ordered: list[tuple[int, str, int, int, Captured]] = []
    for (topic, _, partition), records in parts.items():
        latest = 0
        for record in sorted(records, key=lambda record: record.offset):
            # Producers' clocks may go back; a partition's order is its offsets' all the same.
            latest = max(latest, record.append_ms)
            ordered.append((latest, topic, partition, record.offset, record))
    ordered.sort(key=lambda item: (*item[:4], item[4].topic_id))
    return [_raw(item[4]) for item in ordered]


def _raw(record: Captured) -> RawRecord:
    return RawRecord(
        record.topic, record.topic_id, record.partition, record.offset, record.append_ms, record.value, record.headers
    )


def events_of_file(path: Path, config: Config, topic: str = "") -> tuple[Config, Events]:
    """Returns the raw records of a capture or of lines, and the configuration to read them by: see `events_of_lines`.

    Raises:
        FileError: the file is damaged, cannot be read, or is a capture without raw records.
        ConfigError: the topic is not in the configuration.
    """
    if not is_capture(path):
        return events_of_lines(path, config, topic)
    captured = list(read_capture(path))
    if not any(record.role == RAW for record in captured):
        raise FileError(f"{path}: a capture with raw records expected; it has none")
    return config, Events(lambda: iter(merged(captured)))


def events_of_lines(path: Path, config: Config, topic: str = "") -> tuple[Config, Events]:
    """Returns one record per line of a file, and the configuration to read them by: event time is the clock then.

    Args:
        path: lines of events.
        config: that of the deployment.
        topic: the configured topic whose format they have; the file's name, sniffed, otherwise.

    Raises:
        ConfigError: the topic is not in the configuration.
    """
    chosen = next((known for known in config.topic if known.name == topic), None)
    if topic and chosen is None:
        raise ConfigError(f"topic {topic!r} must be in the configuration; it has {', '.join(t.name for t in config.topic)}")
    chosen = chosen or RawTopic(path.name)
    settings = msgspec.structs.replace(config, clock="event", topic=(chosen,))
    return settings, Events(lambda: records_of_lines(_lines(path), chosen.name))


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            for line in file:
                yield line.rstrip(b"\r\n")
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error

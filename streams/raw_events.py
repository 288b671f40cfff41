"""Raw events: the records of a replay or a capture, in ledger order, and where to look one up again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from streams.capture_file import RAW, Captured
from streams.intake.record import RawRecord

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

"""Small detectors for tests of the folds around them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.detector import Detector, Entry, Report, Scout, Seat
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.reading import Counts, Reading, Reports
from tocsin.rows import Rows
from tocsin.signal import Kind


@dataclass
class EveryRow:
    """Reads every row, and counts them in its state."""

    name: str = "every_row"
    seen: list[int] = field(default_factory=list)

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns one reading a row."""
        self.seen += rows.position.tolist()
        return [self._reading(rows, row) for row in range(len(rows))]

    def _reading(self, rows: Rows, row: int) -> Reading:
        at, ts = rows.coordinates(row), int(rows.ts[row])
        return Reading(self.name, 1, rows.model, "caller rate", rows.caller_of(row), at, ts, ts, 2.0, 1.0, 1, {})

    def tick(self, clock: Clock) -> None:
        """Ignores time."""

    def dump(self) -> bytes:
        """Returns the positions seen."""
        return pack(self.seen)

    def load(self, data: bytes) -> None:
        """Replaces the positions seen."""
        self.seen = msgspec.msgpack.decode(data, type=list[int])


@dataclass
class Faulty(EveryRow):
    """Raises at the third row it ever sees."""

    name: str = "faulty"

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Raises once three rows have come by."""
        super().observe(rows, clock)
        if len(self.seen) >= 3:
            raise ValueError("three is too many")
        return []


def entry(build: type[EveryRow], *, model: bool = False, version: int = 1) -> Entry:
    """Returns a registry row around a test detector."""

    def make(seat: Seat) -> Detector:
        return build()

    return Entry(
        build=make,
        version=version,
        stage="sense",
        scope="model" if model else "shard",
        sees="everything",
        needs=frozenset(),
        kind=Kind.PROBING,
        reference="own past",
        claim="calibrated",
        techniques=("AML.T0040",),
        share=0.5,
    )


@dataclass
class Heavy:
    """Weighs counts: reads each as it comes, and remembers what it was given. Raises at a bucket of 13."""

    name: str = "heavy"
    seconds: list[float] = field(default_factory=list)

    def weigh(self, counts: Counts, matrix: NDArray[np.float64], seconds: float) -> list[Reading]:
        """Returns one reading with the sum of all weights."""
        if counts.bucket == 13:
            raise ValueError("thirteen is too many")
        self.seconds.append(seconds)
        total = float(matrix.sum())
        return [
            Reading(
                self.name,
                1,
                counts.model,
                "amount",
                None,
                counts.at,
                counts.last_ts,
                counts.first_ts,
                total,
                1.0,
                counts.rows,
                {},
            )
        ]

    def dump(self) -> bytes:
        """Returns the seconds given."""
        return pack(self.seconds)

    def load(self, data: bytes) -> None:
        """Replaces the seconds given."""
        self.seconds = msgspec.msgpack.decode(data, type=list[float])


@dataclass
class Listener:
    """Listens to other detectors: reads what it hears of them, and counts."""

    name: str = "listener"
    heard: list[str] = field(default_factory=list)

    def hear(self, readings: Sequence[Reading], clock: Clock) -> list[Reading]:
        """Returns a reading about the first one it hears."""
        self.heard += [reading.detector for reading in readings]
        return [msgspec.structs.replace(reading, detector=self.name) for reading in readings[:1]]

    def dump(self) -> bytes:
        """Returns the ids heard."""
        return pack(self.heard)

    def load(self, data: bytes) -> None:
        """Replaces the ids heard."""
        self.heard = msgspec.msgpack.decode(data, type=list[str])


@dataclass
class Lookout:
    """A scout that reports every even row, and numbers its reports. Raises at a row of more than 900."""

    name: str = "messenger"
    told: int = 0

    def look(self, rows: Rows) -> Report | None:
        """Returns the callers of the even rows."""
        if float(rows.values[0].max()) > 900:
            raise ValueError("nine hundred is too much")
        even = [row for row in range(len(rows)) if (int(rows.position[row]) >> 16) % 2 == 0]
        if not even:
            return None
        self.told += 1
        return Report(tuple(rows.caller_of(row) for row in even), pack(self.told))

    def dump(self) -> bytes:
        """Returns the number of reports."""
        return pack(self.told)

    def load(self, data: bytes) -> None:
        """Replaces the number of reports."""
        self.told = msgspec.msgpack.decode(data, type=int)


@dataclass
class Messenger:
    """Receives what a `Lookout` reports: reads each, and remembers what it was given. Raises at an empty report."""

    name: str = "messenger"
    given: list[tuple[int, int, float]] = field(default_factory=list)

    def receive(self, reports: Reports, seconds: float) -> list[Reading]:
        """Returns one reading about the first caller."""
        if not reports.callers:
            raise ValueError("nobody is too few")
        self.given.append((msgspec.msgpack.decode(reports.body, type=int), reports.rows, seconds))
        caller, at = reports.callers[0], reports.at
        times = (reports.last_ts, reports.first_ts)
        return [Reading(self.name, 1, reports.model, "answers", caller, at, *times, 2.0, 1.0, len(reports.callers), {})]

    def dump(self) -> bytes:
        """Returns what it was given."""
        return pack(self.given)

    def load(self, data: bytes) -> None:
        """Replaces what it was given."""
        self.given = msgspec.msgpack.decode(data, type=list[tuple[int, int, float]])


def messenger_entry(version: int = 1) -> Entry:
    """Returns a registry row of a detector in judge that has a scout."""

    def scout(seat: Seat) -> Scout:
        return Lookout()

    return dataclasses.replace(judge_entry(Messenger, version), scout=scout)


def judge_entry(build: Callable[[], Any], version: int = 1, needs: frozenset[str] = frozenset()) -> Entry:
    """Returns a registry row of judge around a test detector."""
    return Entry(
        build=lambda _seat: build(),
        version=version,
        stage="judge",
        scope="model",
        sees="the weight of counts",
        needs=needs,
        kind=Kind.DRIFT,
        reference="frozen",
        claim="calibrated",
        techniques=("AML.T0031",),
        share=0.25,
    )


def assert_fed_by_lists_flags_alike(
    ours: Any, theirs: Any, feed: Callable[[Any, list[float]], int], values: list[float], size: int
) -> None:
    """Holds one of River's detectors that is fed lists of `size` against one that is fed value by value: the same flags."""
    flags, wanted = [], []
    for at, value in enumerate(values):
        theirs.update(value)
        wanted += [at] if theirs.drift_detected else []
    for begin in range(0, len(values), size):
        at, end = begin, min(begin + size, len(values))
        while at < end:
            at += feed(ours, values[at:end])
            flags += [at - 1] if ours.drift_detected else []
    assert flags == wanted != []

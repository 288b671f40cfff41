"""Small detectors for tests of the folds around them."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.detector import Detector, Entry, Seat
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.reading import Reading
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
        import msgspec

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

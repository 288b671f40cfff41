"""Tallies: what each model was asked, summed over frames until there is a reason to tell judge.

The framework's price is per record, not per byte: a readings record costs judge some 400 µs whatever it says. Nobody waits
for a tally, so under load, when frames are full, several frames' tallies share one record. They are told at once with
anything that is worth judging, so a caller's share is always measured against all traffic before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from tocsin.codec import pack
from tocsin.frame import MAX_ROWS
from tocsin.reading import Tally
from tocsin.state import Section

BUSY_ROWS = MAX_ROWS // 2
"""A frame with so many rows was cut by its size, not by its age: the next one follows within milliseconds."""

HELD_ROWS = 4 * MAX_ROWS
"""Rows whose tally may wait."""

SECTION = "tallies"
VERSION = 1


@dataclass(slots=True)
class Tallies:
    """One shard's tallies that judge has not been told.

    Attributes:
        held: model → sum.
    """

    held: dict[str, Tally] = field(default_factory=dict)

    def add(self, tally: Tally) -> None:
        """Adds one block's tally to its model's sum."""
        before = self.held.get(tally.model)
        if before is not None:
            tally = Tally(
                tally.model,
                before.rows + tally.rows,
                before.skewed + tally.skewed,
                min(before.first_ts, tally.first_ts),
                max(before.last_ts, tally.last_ts),
            )
        self.held[tally.model] = tally

    def may_wait(self, frame_rows: int) -> bool:
        """Returns whether a frame of so many rows gives no reason to tell judge by itself."""
        return frame_rows >= BUSY_ROWS and sum(tally.rows for tally in self.held.values()) < HELD_ROWS

    def take(self) -> list[Tally]:
        """Returns all sums in model order, and holds none any more."""
        told = [self.held[model] for model in sorted(self.held)]
        self.held = {}
        return told

    def dump(self) -> Section:
        """Returns the sums."""
        return Section(VERSION, pack(self.held))

    def load(self, section: Section) -> None:
        """Replaces the sums."""
        self.held = msgspec.msgpack.decode(section.data, type=dict[str, Tally])

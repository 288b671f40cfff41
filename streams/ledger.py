"""Ledger: how far a shard has applied its raw partitions, and what time that makes it.

Theory. A row's position (offset, row) grows along its raw partition, and intake keeps that order through every shard's
FIFO buffer, so one number per raw partition, the highest position applied, tells fresh rows from repeated ones. Within a
frame rows of one partition may stand in several blocks, out of order between blocks, so freshness is judged against the
watermark at the frame's start and the watermark moves once, at its end.

Time is what ticks say: `now` is the furthest append time of any partition, `complete` the least over the partitions that
still tick; one that has said nothing for 60 s of ledger time no longer holds the others back, and is reported once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.event import Source
from tocsin.frame import Control, Frame
from tocsin.rows import Rows
from tocsin.state import Section

IDLE_MS = 60_000
MAX_ADVANCE_MS = 3_600_000
SECTION = "ledger"
VERSION = 1


class Mark(msgspec.Struct, array_like=True):
    """What is known of one raw partition.

    Attributes:
        topic: the topic's name, for people.
        position: the highest position applied, -1 at first.
        append_ms: how far its append time has been ticked, Unix milliseconds; 0 at first.
        idle: whether it was reported as idle.
    """

    topic: str = ""
    position: int = -1
    append_ms: int = 0
    idle: bool = False


@dataclass(slots=True)
class Ledger:
    """One shard's marks and clock.

    Attributes:
        marks: (topic id, partition) → mark.
        clock: at the last frame.
    """

    marks: dict[tuple[str, int], Mark] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def watermarks(self, frame: Frame) -> NDArray[np.int64]:
        """Returns the highest applied position of each of the frame's sources, shape (sources,)."""
        return np.array([self._mark(source).position for source in frame.sources], np.int64)

    def fresh(self, rows: Rows, watermarks: NDArray[np.int64]) -> Rows:
        """Returns the rows not yet applied; the same object when all are fresh."""
        new = rows.position > watermarks[rows.source]
        return rows if new.all() else rows.select(new)

    def fresh_controls(self, frame: Frame, watermarks: NDArray[np.int64]) -> list[Control]:
        """Returns the frame's controls not yet applied."""
        return [control for control in frame.controls if control.position > watermarks[control.source]]

    def advance(self, frame: Frame, applied: list[Rows]) -> list[Source]:
        """Moves the watermarks and the clock past a frame; returns the sources that have just become idle."""
        high = self.watermarks(frame)
        for rows in applied:
            np.maximum.at(high, rows.source, rows.position)
        for control in frame.controls:
            high[control.source] = max(int(high[control.source]), control.position)
        for source, position in zip(frame.sources, high.tolist(), strict=True):
            self._mark(source).position = position
        for tick in frame.ticks:
            mark = self._mark(frame.sources[tick.source])
            mark.append_ms = max(mark.append_ms, tick.append_ms)
        return self._tell_time()

    def _mark(self, source: Source) -> Mark:
        return self.marks.setdefault((source.topic_id, source.partition), Mark(source.topic))

    def _tell_time(self) -> list[Source]:
        ticked = {key: mark for key, mark in self.marks.items() if mark.append_ms}
        if not ticked:
            self.clock = Clock()
            return []
        before, now = self.clock.now_ms, max(mark.append_ms for mark in ticked.values())
        awake = [mark.append_ms for mark in ticked.values() if mark.append_ms >= now - IDLE_MS]
        advance = min(now - before, MAX_ADVANCE_MS) if before else 0
        self.clock = Clock(now, max(min(awake), self.clock.complete_ms), advance)
        newly_idle = []
        for topic_id, partition in sorted(ticked):
            mark = ticked[topic_id, partition]
            idle = mark.append_ms < now - IDLE_MS
            if idle and not mark.idle:
                newly_idle.append(Source(topic_id, mark.topic, partition))
            mark.idle = idle
        return newly_idle

    def dump(self) -> Section:
        """Returns the marks and the clock."""
        return Section(VERSION, pack((sorted(self.marks.items(), key=_key), self.clock)))

    def load(self, section: Section) -> None:
        """Replaces the marks and the clock by those of a snapshot."""
        marks, self.clock = msgspec.msgpack.decode(section.data, type=tuple[list[tuple[tuple[str, int], Mark]], Clock])
        self.marks = dict(marks)


def _key(item: tuple[tuple[str, int], Mark]) -> tuple[str, int]:
    return item[0]

"""Disagreement: the frozen reference has moved for a day, and what moves with the stream never noticed.

Theory. Whoever poisons a model slowly keeps every step below what a moving detector can tell from its recent past, and takes
the detector along (the frog in the pot; Rubinstein et al. 2009, IMC). A frozen reference is not taken along: it keeps
alarming. A change that happened at once is noticed by both kinds when it happens. So frozen alarms that go on for a day
while no moving detector of the model has spoken since a day before they began are evidence of a change too slow to be one
event, be it nature or patience; the finding says which quantity, since when, and that nobody who follows the stream saw it.

Only detectors that the replay gate armed are listened to: their false alarms are rare, and a day of them in a row is rarer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from models.baseline import Baseline
from models.detector import Seat
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import ConfigError, StateError
from tocsin.reading import Evidence, Reading

ID: Final = "disagreement"
VERSION: Final = 1
FROZEN: Final = ("feature_drift", "confidence_shift", "latency_shift")
MOVING: Final = ("adwin", "page_hinkley", "half_space_trees")
HOUR_MS: Final = 3_600_000
LONG_MS: Final = 24 * HOUR_MS
"""So long must the alarms go on, and so long before them nothing that moves may have spoken."""
GAP_MS: Final = 12 * HOUR_MS
"""Alarms further apart are not one story: nights may be too quiet for evidence."""
ALARMS: Final = 4
"""Fewer of them, however far apart, are none."""


class _Story(msgspec.Struct, array_like=True):
    """The frozen alarms about one quantity that follow each other.

    Attributes:
        first_ts: event time of the first.
        onset_ts: what it took for the beginning.
        last_ts: event time of the latest.
        alarms: how many.
        rows: of the model since the first, as the alarms say.
        told_ts: event time of the last one that was told, 0 before.
    """

    first_ts: int
    onset_ts: int
    last_ts: int
    alarms: int = 0
    rows: int = 0
    told_ts: int = 0


class _Dump(msgspec.Struct, array_like=True):
    stories: dict[str, _Story]
    moved_ts: int


class Disagreement:
    """Listens to the detectors of one model.

    Args:
        baseline: says which of them may be believed.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._believed = frozenset(name for name in FROZEN if baseline.armed(name))
        self._stories: dict[str, _Story] = {}
        self._moved_ts = 0

    def hear(self, readings: Sequence[Reading], clock: Clock) -> list[Reading]:
        """Returns one reading per quantity and day for as long as the frozen reference alone says that it has moved."""
        said = []
        for reading in readings:
            if reading.detector in MOVING:
                self._moved_ts = max(self._moved_ts, reading.ts)
            elif reading.detector in self._believed:
                story = self._continued(reading)
                if self._is_slow(story):
                    story.told_ts = reading.ts
                    said.append(_reading(reading, story))
        return said

    def _continued(self, reading: Reading) -> _Story:
        story = self._stories.get(reading.watches)
        if story is None or reading.ts - story.last_ts > GAP_MS:
            story = self._stories[reading.watches] = _Story(reading.ts, reading.onset_ts, reading.ts)
        story.last_ts = max(story.last_ts, reading.ts)
        story.alarms += 1
        story.rows += reading.count
        return story

    def _is_slow(self, story: _Story) -> bool:
        long = story.last_ts - story.first_ts >= LONG_MS and story.alarms >= ALARMS
        unnoticed = self._moved_ts < story.first_ts - LONG_MS
        return long and unnoticed and story.last_ts - story.told_ts >= LONG_MS

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return pack(_Dump(self._stories, self._moved_ts))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this version; the detector then stays as it was.
        """
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateError(f"{ID}: a state of v{VERSION} expected; {error}") from error
        self._stories, self._moved_ts = dump.stories, dump.moved_ts


def _reading(cause: Reading, story: _Story) -> Reading:
    hours = (story.last_ts - story.first_ts) / HOUR_MS
    evidence: Evidence = {
        "frozen_detector": cause.detector,
        "frozen_alarms": story.alarms,
        "hours": round(hours, 1),
        "moving_alarms": 0,
    }
    return msgspec.structs.replace(
        cause,
        detector=ID,
        version=VERSION,
        onset_ts=story.onset_ts,
        statistic=hours,
        threshold=LONG_MS / HOUR_MS,
        count=story.rows,
        evidence=evidence | cause.evidence,
    )


def build(seat: Seat) -> Disagreement:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{ID} on {seat.model}: a baseline expected, none found")
    return Disagreement(seat.baseline)

"""Probe watch: who notices that somebody measures a threshold, and after how many rows.

`boundary_probe` behind its census and scout, as one shard feeds it; and what people use instead: River's ADWIN and
PageHinkley on the amount, a limit on each caller's rate, a method that never speaks and one that always does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from river.drift import ADWIN, PageHinkley

from models import boundary_probe
from models.baseline import Baseline, hash_of
from models.census import Census
from models.detector import Seat
from models.registry import DETECTORS
from tests.helpers.baselines import Feed
from tests.helpers.traffic import MODEL
from tocsin.reading import Reading, Reports
from tocsin.rows import Rows

HOUR_MS: Final = 3_600_000
FRAME_ROWS: Final = 16


class Watch(Protocol):
    """Looks at rows in order and remembers them."""

    def alarms(self, rows: Rows) -> list[int]:
        """Returns the rows, by number, after which it had spoken."""
        ...


@dataclass
class Tocsin:
    """`boundary_probe` and its scout over one baseline.

    Attributes:
        baseline: the model's.
        readings: everything said, in order.
    """

    baseline: Baseline
    readings: list[Reading]

    def __post_init__(self) -> None:
        """Starts cold."""
        share = DETECTORS[boundary_probe.ID].share
        seat = Seat(model=MODEL, alerts_per_month=share, baseline=self.baseline)
        self._detector, self._scout = boundary_probe.build(seat), boundary_probe.scout(seat)
        self._feed, self._name = Feed(Census(self.baseline, 1)), hash_of(self.baseline)
        self._latest_ms, self._earned_s = 0, 0.0

    def alarms(self, rows: Rows) -> list[int]:
        """Returns the rows after which it had spoken, frame by frame."""
        found: list[int] = []
        for begin in range(0, len(rows), FRAME_ROWS):
            frame = rows.select(slice(begin, begin + FRAME_ROWS))
            said = self._received(frame) + self._feed.weighed(self._detector, frame, FRAME_ROWS)
            found += [begin + len(frame) - 1] * len(said)
            self.readings += said
        return found

    def _received(self, frame: Rows) -> list[Reading]:
        report = self._scout.look(frame)
        if report is None:
            return []
        latest, at = max(int(frame.ts.max()), self._latest_ms), frame.coordinates(len(frame) - 1)
        seconds, self._earned_s = self._earned_s, (latest - self._latest_ms) / 1_000.0 if self._latest_ms else 0.0
        times, self._latest_ms = (int(frame.ts.min()), latest), latest
        who = (boundary_probe.ID, boundary_probe.VERSION, MODEL, self._name)
        told = Reports(*who, 1, "armed", len(frame), *times, at, report.callers, report.body)
        return self._detector.receive(told, min(seconds, 3_600.0))


@dataclass
class OfAmount:
    """One of River's detectors on the logarithm of the amount, whose tail is heavy."""

    detector: Any

    def alarms(self, rows: Rows) -> list[int]:
        """Returns the rows at which it flagged a change."""
        found = []
        for row, amount in enumerate(np.log1p(rows.values[rows.features.index("amount")].astype(np.float64)).tolist()):
            self.detector.update(amount)
            found += [row] if self.detector.drift_detected else []
        return found


class RateLimit:
    """Names callers who ask more in an hour of the clock than any golden caller did.

    Args:
        golden: rows.
    """

    def __init__(self, golden: Rows) -> None:
        self._counts: dict[tuple[int, int], int] = {}
        self._most = 0
        self._most = max(self._counted(golden))

    def alarms(self, rows: Rows) -> list[int]:
        """Returns the rows that were too many, one per caller and hour."""
        return [row for row, count in enumerate(self._counted(rows)) if count == self._most + 1]

    def _counted(self, rows: Rows) -> list[int]:
        """Returns each row's number among its caller's of the hour."""
        numbers = []
        for key in zip(rows.hash.tolist(), (rows.ts // HOUR_MS).tolist(), strict=True):
            self._counts[key] = self._counts.get(key, 0) + 1
            numbers.append(self._counts[key])
        return numbers


class Never:
    """Says nothing."""

    def alarms(self, rows: Rows) -> list[int]:  # noqa: ARG002 - one signature for all
        """Returns nothing."""
        return []


class Always:
    """Speaks at every row."""

    def alarms(self, rows: Rows) -> list[int]:
        """Returns all rows."""
        return np.arange(len(rows)).tolist()


Make = Callable[[Baseline, Rows], Watch]

METHODS: Final[dict[str, Make]] = {
    "boundary_probe": lambda baseline, _golden: Tocsin(baseline, []),
    "ADWIN on the amount": lambda _baseline, _golden: OfAmount(ADWIN()),
    "PageHinkley on the amount": lambda _baseline, _golden: OfAmount(PageHinkley()),
    "limit on a caller's rate": lambda _baseline, golden: RateLimit(golden),
    "never": lambda _baseline, _golden: Never(),
    "always": lambda _baseline, _golden: Always(),
}
"""Method → how it is made from the baseline and the golden rows."""

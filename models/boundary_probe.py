"""Boundary probe: somebody is measuring the model's decision threshold.

Theory. Whoever wants to know a threshold must ask near it, and honest traffic comes near too, more of it when the world
changes: in a sale more payments are doubtful. So it is not counted how many come near, but how those that are near lie
among themselves: seen from so near, honest traffic is spread evenly on both sides whatever its level, and a shift of the
score tilts one side up and the other down. Three bets share the budget:

    crowding   the nearest 1/32 of the rows crowd towards the boundary (`shiryaev_roberts.py` over the quantity `margin`)
    search     questions come nearer than golden traffic ever did, step by step, or from strangers (`search.py`)
    sweep      one caller asks near the boundary a larger share of its questions than any golden caller (`caller_shares.py`)

The first two look at no caller: two hundred accounts with fifteen questions each show like one with three thousand, and the
finding names nobody. The third names the caller. All three say how narrow an interval the answers have left.

Not seen: questions spread evenly over a wide range by many accounts with a few each. That is also what a new kind of
customer looks like; `feature_drift` sees it where it is a large part of the traffic. Where scores are rounded, nothing is
seen below the rounding, but then nothing more can be learned there either.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from math import log10
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline, Watched
from models.boundary_scout import BoundaryScout, Near, near_of
from models.caller_shares import CallerShares, Crossing
from models.detector import Scout, Seat
from models.experts import Direction
from models.golden_watch import watch_of
from models.margins import Margins, scale_of
from models.search import Found, Search
from models.shiryaev_roberts import MONTH_S, Alarm
from models.sightings import Sightings
from tocsin.codec import pack
from tocsin.errors import ConfigError, StateError
from tocsin.event import Caller, Coordinates
from tocsin.reading import Counts, Evidence, Reading, Reports

ID: Final = "boundary_probe"
VERSION: Final = 2
WATCHES: Final[tuple[Watched, ...]] = ("margin",)
BETS: Final[tuple[Direction, ...]] = ("down", "bottom")
CROWDING: Final = 0.3
SEARCH: Final = 0.5
SWEEP: Final = 0.2
"""Shares of the detector's budget."""


MOST_EXAMPLES: Final = 8
NO_MARGINS: Final = Margins(b"", b"", 0, 0.0, 1.0, (1.0, 1.0, 1.0), 0.0, 1.0)


class _Dump(msgspec.Struct, array_like=True):
    crowding: bytes
    search: bytes
    sweep: bytes
    sightings: bytes


class BoundaryProbe:
    """Watches one model's margins.

    Args:
        seat: whose budget.
        baseline: of the model; without margins in it only the crowding of counts is weighed.
    """

    def __init__(self, seat: Seat, baseline: Baseline) -> None:
        self._baseline = baseline
        self._alerts = seat.alerts_per_month
        self._crowding = watch_of(
            ID, VERSION, replace(seat, alerts_per_month=self._alerts * CROWDING), WATCHES, BETS, self._crowded
        )
        self._search, self._sweep, self._sightings = self._cold()

    def _cold(self) -> tuple[Search, CallerShares, Sightings]:
        margins = self._baseline.margins or NO_MARGINS
        return (
            Search(scale_of(margins), margins.kinds, MONTH_S / (self._alerts * SEARCH)),
            CallerShares(margins.usual, MONTH_S / (self._alerts * SWEEP)),
            Sightings(self._baseline),
        )

    def weigh(self, counts: Counts, matrix: NDArray[np.float64], seconds: float) -> list[Reading]:
        """Returns one reading if rows crowd towards the boundary."""
        return self._crowding.weigh(counts, matrix, seconds)

    def receive(self, reports: Reports, seconds: float) -> list[Reading]:
        """Returns what searches for the boundary, and who sweeps near it."""
        near = near_of(reports.body, f"reports of {ID}")
        if not len(near.distance):
            return []
        self._sightings.add(near, reports.callers)
        found = self._search.weigh(near.distance, near.kind.tolist(), near.far, seconds)
        readings = [] if found is None else [self._searched(reports, near, found)]
        stakes = (seconds / len(near.distance) for _ in near.distance)
        numbers = zip(
            near.caller.tolist(), near.number.tolist(), near.questions(), near.ts.tolist(), stakes, near.at, strict=True
        )
        for index, *row in numbers:
            caller, ts, at = reports.callers[index], row[2], row[4]
            crossing = self._sweep.mark(caller.hash, *row)
            if crossing is not None:
                readings.append(self._swept(reports, caller, crossing, at, ts))
        return readings

    def _crowded(self, _baseline: Baseline, alarm: Alarm, _bucket: int) -> Evidence:
        which = np.flatnonzero(self._sightings.ts >= alarm.onset_ts)
        return {"signal": "crowding", **self._sightings.learned(which)}

    def _searched(self, reports: Reports, near: Near, found: Found) -> Reading:
        which, threshold = self._sightings.since(found.rows), self._search.threshold
        onset_ts = int(self._sightings.ts[which].min())
        evidence: Evidence = {
            "signal": found.signal,
            **self._told(found.statistic, threshold),
            **self._sightings.learned(which),
        }
        numbers = (found.statistic, threshold, found.rows, onset_ts, reports.last_ts)
        return self._reading(reports, None, numbers, evidence, tuple(near.at[-MOST_EXAMPLES:]))

    def _swept(self, reports: Reports, caller: Caller, crossing: Crossing, at: Coordinates, ts: int) -> Reading:
        threshold = self._sweep.threshold
        evidence: Evidence = {
            "signal": "sweep",
            **self._told(crossing.statistic, threshold),
            **self._sightings.learned(self._sightings.of(caller.hash)),
            "near_rows": crossing.marked,
            "asked": crossing.asked,
            "near_share": round(crossing.marked / max(crossing.asked, 1), 3),
            "largest_golden_near_share": round((self._baseline.margins or NO_MARGINS).usual, 3),
        }
        numbers = (crossing.statistic, threshold, crossing.marked, crossing.first_ts, ts)
        return self._reading(reports, caller, numbers, evidence, crossing.examples, at)

    def _told(self, statistic: float, threshold: float) -> Evidence:
        return {
            "baseline": self._crowding.bank.hash[:12],
            "log10_statistic": round(log10(statistic), 2),
            "log10_threshold": round(log10(threshold), 2),
        }

    def _reading(
        self,
        reports: Reports,
        caller: Caller | None,
        numbers: tuple[float, float, int, int, int],
        evidence: Evidence,
        examples: tuple[Coordinates, ...],
        at: Coordinates | None = None,
    ) -> Reading:
        """Returns a reading; `numbers` are statistic, threshold, count, onset and time."""
        statistic, threshold, count, onset_ts, ts = numbers
        return Reading(
            detector=ID,
            version=VERSION,
            model=reports.model,
            watches=WATCHES[0],
            caller=caller,
            at=at or examples[-1],
            ts=ts,
            onset_ts=min(onset_ts, ts),
            statistic=statistic,
            threshold=threshold,
            count=count,
            evidence=evidence,
            examples=examples,
        )

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        parts = (self._search.dump(), self._sweep.dump(), self._sightings.dump())
        return pack(_Dump(self._crowding.dump(), *parts))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this detector under this baseline; it then stays as it was.
        """
        search, sweep, sightings = self._cold()
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
            search.load(dump.search)
            sweep.load(dump.sweep)
            sightings.load(dump.sightings)
        except (ValueError, zlib.error) as error:
            raise StateError(f"{ID}: a state of v{VERSION} expected; {error}") from error
        self._crowding.load(dump.crowding)
        self._search, self._sweep, self._sightings = search, sweep, sightings


def build(seat: Seat) -> BoundaryProbe:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{ID} on {seat.model}: a baseline expected, none found")
    return BoundaryProbe(seat, seat.baseline)


def scout(seat: Seat) -> Scout:
    """Returns its scout, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{ID} on {seat.model}: a baseline expected, none found")
    return BoundaryScout(seat.baseline)

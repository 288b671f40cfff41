"""Rates: how fast the callers of golden traffic asked, and what that allows callers ever after.

`Habits` takes golden rows and ends as named numbers in `Baseline.rates`; `Allowance` is what `probe_rate` makes of them. Like
everything in a baseline they are frozen: no traffic teaches them, neither a patient attacker's nor that of a crowd.

Of each caller the most calls in one span of 10 s, of a minute and of an hour are kept. The busiest hour is its rate. From all
three follows how far its calls ran ahead of an allowed rate r: of the calls of its busiest hour, made at the speed of its
busiest minute, all but what r paid back meanwhile; of the busiest minute likewise; of 10 s all. Of the population the upper
quantile counts. The callers furthest above it, a nightly job or a heavy client, are kept by hash: who vouches for the golden
traffic vouches for them.

per_min             the quantile of callers' busiest hours, calls per minute
burst               the quantile of how far their calls ran ahead of SLACK times that rate, or their own where it is higher
callers             how many the quantiles are of; beyond the table's size those seen most
calls_per_min       of all callers together, on average
busiest_per_min     the same in the busiest hour
span_min            minutes that the golden traffic lasted
caller H per_min    of the caller with hash H, hex
caller H burst
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.caller_table import CallerTable, put, take
from tocsin.rows import Rows

QUANTILE: Final = 0.99
FEWEST: Final = 10
"""Callers below which a quantile says nothing."""

FLOOR_PER_MIN: Final = 1.0
BURST_FLOOR: Final = 30.0
BURST_TIMES: Final = 3.0
BURST_TIMES_LEARNING: Final = 4.0
"""While no whole day has been seen the largest bursts are yet to come."""

BURST_TIMES_FROZEN: Final = 2.0
"""Of golden traffic of a day and more the largest burst of all its time is known, and none has faded."""

BURST_MOST: Final = 400.0
SLACK: Final = 6.0
"""Calls at up to so many times the usual rate are no evidence."""

DAY_MINUTES: Final = 1_440
WHOLE_MINUTES: Final = 1_380
"""A day, but for the hour that a nightly change of clocks or a late first call may take."""

SURGE_FROM: Final = 1.5
"""Volume up to this many times its mean is an ordinary hour of the day."""

SETS: Final = 8_192
MOST_HABITS: Final = 256
HABIT_TIMES: Final = 2.0
"""A caller known by name may run ahead so many times as far as it did."""

MOST_HOURS: Final = 10_000
SPANS: Final = (10, 60, 3_600)
"""Seconds."""

COLUMNS: Final = {f"{what}_{span}": dtype for span in SPANS for what, dtype in (("at", "i8"), ("now", "i4"), ("most", "i4"))}

Ints = NDArray[np.int64]
KeyOf = Callable[[NDArray[np.uint64]], NDArray[np.uint64]]


class Habits:
    """Collects one model's golden callers, in bounded memory."""

    def __init__(self) -> None:
        self._table = CallerTable(SETS, COLUMNS)
        self._rows = 0
        self._first_ts = 0
        self._last_ts = 0
        self._hours: dict[int, int] = {}

    def add(self, rows: Rows) -> None:
        """Takes rows, in ledger order; how they are cut makes no difference."""
        if not len(rows):
            return
        first, last = int(rows.ts.min()), int(rows.ts.max())
        self._first_ts = min(self._first_ts, first) if self._rows else first
        self._last_ts = max(self._last_ts, last) if self._rows else last
        self._rows += len(rows)
        for hour, calls in zip(*(part.tolist() for part in np.unique(rows.ts // 3_600_000, return_counts=True)), strict=True):
            if hour in self._hours or len(self._hours) < MOST_HOURS:
                self._hours[hour] = self._hours.get(hour, 0) + calls
        keys = np.maximum(rows.hash, np.uint64(1))
        begin = 0
        while begin < len(rows):
            slots, taken = self._table.place(keys[begin:], 0)
            self._count(slots, rows.ts[begin : begin + taken])
            begin += taken

    def rates(self) -> dict[str, float]:
        """Returns the numbers for a baseline; none when the callers are too few to say what is usual."""
        used = self._table.key.nonzero()[0]
        if len(used) < FEWEST:
            return {}
        ten, minute, hour = (self._table.data[f"most_{span}"][used].astype(np.float64) for span in SPANS)
        span_min = max((self._last_ts - self._first_ts) / 60_000, 1.0)
        rate = hour / min(span_min, 60.0)
        per_min = upper(rate)
        allowed = SLACK * np.maximum(rate, max(per_min, FLOOR_PER_MIN))
        ahead = np.maximum(ten, np.maximum(minute - allowed * minute / (6.0 * ten), hour - allowed * hour / minute))
        burst = upper(ahead)
        found = {
            "per_min": per_min,
            "burst": burst,
            "callers": float(len(used)),
            "calls_per_min": self._rows / span_min,
            "busiest_per_min": max(self._hours.values()) / min(span_min, 60.0),
            "span_min": span_min,
        }
        above = np.maximum(rate / per_min, ahead / burst)
        heaviest = np.lexsort((self._table.key[used], -above))[:MOST_HABITS]
        for at in heaviest[above[heaviest] > 1.0].tolist():
            name = f"caller {int(self._table.key[used[at]]):016x}"
            found |= {f"{name} per_min": float(rate[at]), f"{name} burst": float(ahead[at])}
        return found

    def _count(self, slots: Ints, ts: Ints) -> None:
        tracked = np.flatnonzero(slots >= 0)
        if not len(tracked):
            return
        order = tracked[np.argsort(slots[tracked], kind="stable")]
        slots, ts = slots[order], ts[order]
        starts = np.flatnonzero(np.diff(slots, prepend=-1))
        callers = take(self._table.records, slots[starts])
        for span in SPANS:
            _most(callers, span, ts // (span * 1_000), starts)
        callers["seen"] += np.diff(starts, append=len(slots))
        callers["held"] = np.log1p(callers["most_3600"])
        callers["minute"] = 0
        put(self._table.records, slots[starts], callers)


def _most(callers: NDArray[np.void], span: int, at: Ints, starts: Ints) -> None:
    """Counts calls, sorted by caller, by spans of so many seconds; `starts` is each caller's first call, `at` its span."""
    begins = np.diff(at, prepend=at[0] - 1) != 0
    begins[starts] = True
    runs = begins.nonzero()[0]
    calls = np.diff(runs, append=len(at))
    first = np.searchsorted(runs, starts)
    calls[first] += np.where(callers[f"at_{span}"] == at[starts], callers[f"now_{span}"], 0)
    last = np.append(first[1:], len(runs)) - 1
    callers[f"at_{span}"], callers[f"now_{span}"] = at[runs[last]], calls[last]
    callers[f"most_{span}"] = np.maximum(callers[f"most_{span}"], np.maximum.reduceat(calls, first))


@dataclass(frozen=True, slots=True)
class Known:
    """Callers known by name.

    Attributes:
        keys: uint64 (callers,), rising, as the caller table knows them.
        rates: float64 (callers,), what is usual for each, calls per minute.
        bursts: float64 (callers,), calls it may save up and make at once.
    """

    keys: NDArray[np.uint64]
    rates: NDArray[np.float64]
    bursts: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[Known]) -> Known:
        """Returns them all."""
        keys, rates, bursts = (
            np.concatenate([none, *(getattr(part, name) for part in parts)])
            for name, none in (("keys", np.empty(0, np.uint64)), ("rates", np.empty(0)), ("bursts", np.empty(0)))
        )
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], rates[order], bursts[order])

    def of(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns (calls per minute, burst) of these callers, 0 of those not known."""
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[at] == keys
        return np.where(known, self.rates[at], 0.0), np.where(known, self.bursts[at], 0.0)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a baseline allows callers of its model.

    Attributes:
        whole: whether the golden traffic lasted a day; where it did not, people's busiest hours may be yet to come, and what
            the stream's callers do may raise the allowance.
        per_min: what is usual for anyone, calls per minute.
        burst: calls that anyone may save up and make at once.
        volume: calls per minute of this shard beyond which all ask more than usual at once.
        known: who may do more.
    """

    whole: bool
    per_min: float
    burst: float
    volume: float
    known: Known

    @classmethod
    def of(cls, rates: dict[str, float], shards: int, key_of: KeyOf) -> Self | None:
        """Returns what these numbers allow, None when a baseline has none.

        Args:
            rates: of a baseline.
            shards: that share the model's traffic.
            key_of: uint64 hashes → the keys by which the caller table knows them.
        """
        if "per_min" not in rates:
            return None
        names = [name.split()[1] for name in rates if name.startswith("caller ") and name.endswith(" per_min")]
        known = Known(
            key_of(np.array([int(name, 16) for name in names], np.uint64)),
            np.array([rates[f"caller {name} per_min"] for name in names]),
            np.array([HABIT_TIMES * rates[f"caller {name} burst"] for name in names]),
        )
        whole = rates["span_min"] >= WHOLE_MINUTES
        times = BURST_TIMES_FROZEN if whole else BURST_TIMES_LEARNING
        return cls(
            whole=whole,
            per_min=max(FLOOR_PER_MIN, rates["per_min"]),
            burst=min(max(BURST_FLOOR, times * rates["burst"]), BURST_MOST),
            volume=max(SURGE_FROM * rates["calls_per_min"], rates["busiest_per_min"]) / shards,
            known=Known.joined([known]),
        )


def upper(values: NDArray[Any]) -> float:
    """Returns what 1 % of the values, and at least two of them, exceed: a few attackers must not set their own limit."""
    rank = len(values) - 1 - max(2, round((1.0 - QUANTILE) * len(values)))
    return float(np.partition(values, rank)[rank])

"""Caller pace: how far each caller is ahead of what it may ask, for a whole block at once.

Theory. With one call allowed every I microseconds, the theoretical arrival time T ← max(t, T) + I tells all: (T - t)/I is
how many calls a caller has saved up or borrowed, and T ≤ t that it owes nothing. Unrolled, T_n = n·I + max(T_0, max_j(t_j -
(j - 1)·I)): one running maximum over integers, exact in any order of grouping. A caller's I is set at its first call of
every minute and stands until the next, so blocks need not be walked call by call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.caller_table import CallerTable
from models.usual import BURST_MOST, FLOOR_PER_MIN, Usual
from tocsin.reading import Evidence

MINUTE_US = 60_000_000
HALF_LIFE_MIN = 1_440.0
"""A day: how fast a caller's own past fades."""

MEMORY_MIN = HALF_LIFE_MIN / np.log(2.0)
PRIOR_MIN = 2.0
"""Minutes of the population's upper rate that stand in for a past not yet lived."""

CAP = 4.0
SLACK = 6.0
DEBT_TIMES = 2.0
"""Debt is forgiven beyond this many bursts, once a minute, so that an attacker's does not grow for ever."""

COLUMNS = {
    "model": "u2",  # Usual.number
    "first": "i4",  # minute of its first call
    "own": "f4",  # its own calls per minute so far
    "base": "f4",  # the same while the model was learning
    "peak": "f4",  # the largest burst, calls, fading like its past
    "step_us": "i8",  # I
    "due_us": "i8",  # T
    "last_us": "i8",  # its last call
    "busy_us": "i8",  # when it last owed nothing
    "total": "i8",  # calls since it is in the table
    "before": "i8",  # of them before `busy_us`
    "now_1": "i4",  # calls in this minute, these 10 minutes, this hour, and in the ones before
    "old_1": "i4",
    "now_10": "i4",
    "old_10": "i4",
    "now_60": "i4",
    "old_60": "i4",
}
WINDOWS = (1, 10, 60)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pace:
    """One step: calls sorted by caller, in ledger order within each.

    Attributes:
        slots: int64 (callers,).
        starts: int64 (callers,), index of each caller's first call.
        sizes: int64 (callers,).
        group: int64 (calls,), index into `slots`.
        time_us: int64 (calls,), never falling within a caller.
        due_us: int64 (calls,), T after each call.
        excess: bool (calls,), beyond the allowance; never before the model is armed.
        idle: int64 (calls,), index of the last call at or before it that owed nothing, -1 if in no call of this step.
        step_us: int64 (callers,).
        old: columns of `slots` before the step.
        peak: float64 (callers,), largest burst in this step, calls.
    """

    slots: Ints
    starts: Ints
    sizes: Ints
    group: Ints
    time_us: Ints
    due_us: Ints
    excess: NDArray[np.bool_]
    idle: Ints
    step_us: Ints
    old: dict[str, NDArray[Any]]
    peak: NDArray[np.float64]

    def groups_with_excess(self) -> list[int]:
        """Returns the callers with excess calls."""
        return [int(group) for group in np.unique(self.group[self.excess])]

    def excess_of(self, group: int) -> Iterator[int]:
        """Returns the caller's excess calls."""
        begin = int(self.starts[group])
        return iter((begin + np.flatnonzero(self.excess[begin : begin + int(self.sizes[group])])).tolist())

    def slot(self, group: int) -> int:
        """Returns the caller's place in the table."""
        return int(self.slots[group])

    def total(self, group: int) -> int:
        """Returns the caller's calls since its onset, at the end of the step, or more."""
        return self.count(int(self.starts[group] + self.sizes[group]) - 1)

    def count(self, at: int) -> int:
        """Returns how many calls its caller has made since it last owed nothing, up to and with this call."""
        group, idle = int(self.group[at]), int(self.idle[at])
        if idle >= 0:
            return at - idle + 1
        return int(self.old["total"][group] - self.old["before"][group]) + at - int(self.starts[group]) + 1

    def busy_us(self, at: int) -> int:
        """Returns when its caller last owed nothing, microseconds."""
        idle = int(self.idle[at])
        return int(self.time_us[idle]) if idle >= 0 else int(self.old["busy_us"][int(self.group[at])])

    def usual_per_s(self, at: int) -> float:
        """Returns the usual rate of its caller, calls per second."""
        return 1e6 / (SLACK * float(self.step_us[self.group[at]]))

    def commit(self, table: CallerTable) -> None:
        """Writes the step into the table; excess calls teach nothing about what is usual."""
        data, slots, ends = table.data, self.slots, self.starts + self.sizes - 1
        idle = self.idle[ends]
        was_idle = idle >= 0
        data["due_us"][slots] = self.due_us[ends]
        data["last_us"][slots] = self.time_us[ends]
        data["busy_us"][slots] = np.where(was_idle, self.time_us[np.maximum(idle, 0)], self.old["busy_us"])
        data["before"][slots] = np.where(was_idle, self.old["total"] + idle - self.starts, self.old["before"])
        data["total"][slots] = self.old["total"] + self.sizes
        data["peak"][slots] = np.maximum(data["peak"][slots], self.peak)
        table.seen[slots] += self.sizes - np.add.reduceat(self.excess, self.starts, dtype=np.int64)
        for window in WINDOWS:
            counts: Any = data[f"now_{window}"]
            counts[slots] += self.sizes


def pace(table: CallerTable, slots: Ints, ts: Ints, usual: Usual) -> Pace:
    """Returns the step of these calls; the table is refreshed for the minute, but not yet told of the calls.

    Args:
        table: of the shard.
        slots: int64 (calls,), sorted.
        ts: int64 (calls,), event times, Unix milliseconds, in ledger order within a caller.
        usual: of the model, settled for the current minute.
    """
    starts = np.flatnonzero(np.concatenate(([True], slots[1:] != slots[:-1])))
    sizes = np.diff(starts, append=len(slots))
    mine = slots[starts]
    stale = mine[table.minute[mine] != usual.minute]
    if len(stale):
        refresh(table, stale, usual)
    data = table.data
    old = {name: data[name][mine] for name in ("due_us", "last_us", "busy_us", "total", "before")}
    step_us: Any = data["step_us"][mine]
    group = np.repeat(np.arange(len(mine)), sizes)
    time_us = _running_max(ts * 1000, old["last_us"], group)
    rank = np.arange(len(slots)) - starts[group]
    lead = rank * step_us[group]
    due_us = _running_max(time_us - lead, old["due_us"], group) + lead + step_us[group]
    ahead = due_us - time_us
    owed_nothing = ahead == step_us[group]
    idle = np.maximum.accumulate(np.where(owed_nothing, np.arange(len(slots)), -1))
    idle = np.where(idle >= starts[group], idle, -1)
    limit = usual.burst * step_us
    peak = np.minimum(np.maximum.reduceat(ahead, starts) / step_us, BURST_MOST)
    excess = (ahead > limit[group]) & usual.armed
    return Pace(mine, starts, sizes, group, time_us, due_us, excess, idle, step_us, old, peak)


def _running_max(values: Ints, floor: NDArray[Any], group: Ints) -> Ints:
    """Returns the maximum of each call's value, its caller's floor, and the values before it; exact."""
    floored = np.maximum(values, floor[group])
    low = int(floored.min())
    lift = group * (int(floored.max()) - low + 1)
    return np.maximum.accumulate(floored - low + lift) - lift + low


def refresh(table: CallerTable, slots: Ints, usual: Usual) -> None:
    """Moves these callers into the model's minute: fades the past, sets what is usual, rolls the windows."""
    data: dict[str, NDArray[Any]] = table.data
    new = table.minute[slots] < 0
    before = np.where(new, usual.minute, table.minute[slots])
    first = np.where(new, usual.minute, data["first"][slots])
    fade = np.exp2((before - usual.minute) / HALF_LIFE_MIN)
    lived = MEMORY_MIN * (1.0 - np.exp2((first - usual.minute) / HALF_LIFE_MIN)) + PRIOR_MIN
    seen = table.seen[slots] * fade
    own = (seen / lived).astype(np.float32)
    base = np.maximum(data["base"][slots], own) if usual.learning else data["base"][slots]
    cap = np.inf if usual.learning else np.maximum(CAP * usual.per_min, base)
    rate = np.maximum(np.minimum(own + usual.per_min * PRIOR_MIN / lived, cap), FLOOR_PER_MIN) * usual.surge
    step_us = np.rint(MINUTE_US / (SLACK * rate)).astype(np.int64)
    now_us = usual.minute * MINUTE_US
    owed = np.maximum(data["due_us"][slots] - now_us, 0) / np.maximum(data["step_us"][slots], 1)
    owed = np.where(usual.armed & (before >= usual.armed_minute), np.minimum(owed, DEBT_TIMES * usual.burst), 0.0)
    owing = now_us + np.rint(owed * step_us).astype(np.int64)
    data["due_us"][slots] = np.where(owed > 0.0, owing, np.where(new, 0, np.minimum(data["due_us"][slots], now_us)))
    data["step_us"][slots], data["own"][slots], data["base"][slots] = step_us, own, base
    data["peak"][slots] = data["peak"][slots] * fade
    data["first"][slots], data["model"][slots] = first, usual.number
    table.seen[slots], table.minute[slots] = seen, usual.minute
    for window in WINDOWS:
        now, old = data[f"now_{window}"], data[f"old_{window}"]
        gone = usual.minute // window - before // window
        old[slots] = np.where(gone == 0, old[slots], np.where(gone == 1, now[slots], 0))
        now[slots] = np.where(gone == 0, now[slots], 0)


def window_counts(table: CallerTable, step: Pace, at: int) -> Evidence:
    """Returns the caller's calls in the last minute, 10 minutes and hour, the older part of each taken as even."""
    group = int(step.group[at])
    slot, more = step.slot(group), at - int(step.starts[group]) + 1
    minute = int(step.time_us[at]) / MINUTE_US
    counts: Evidence = {}
    for window in WINDOWS:
        now, old = int(table.data[f"now_{window}"][slot]), int(table.data[f"old_{window}"][slot])
        counts[f"calls_{window}_min"] = round(now + more + old * (1.0 - minute / window % 1.0))
    return counts

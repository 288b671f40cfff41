"""Caller pace: how far each caller is ahead of what it may ask, for a whole block at once.

Theory. With one call allowed every I microseconds, the theoretical arrival time T ← max(t, T) + I tells all: (T - t)/I is
how many calls a caller has saved up or borrowed, and T ≤ t that it owes nothing. Unrolled, T_n = n·I + max(T_0, max_j(t_j -
(j - 1)·I)): one running maximum over integers, exact in any order of grouping. A caller's I is set at its first call after
every stocktaking (`usual.py`) and stands until the next, so blocks need not be walked call by call.

I follows from the usual rate: the caller's own past, filled up with the population's upper rate. Who was there when the model
was first seen is believed on the first day: somebody must be. Who comes later is a stranger among known people, and its past
outweighs them only after it has lasted several times as long as they had been watched. Nobody is held to less than a stranger
is: the average of a past holds nights and pauses, and an attacker could always come as a stranger.

Where a baseline is in force none of this counts: the usual rate is the golden population's, or what is known of the caller
itself in golden traffic, and nobody's past is believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import caller_windows
from models.caller_table import CallerTable, put, take
from models.caller_windows import MINUTE_US
from models.rates import BURST_MOST, DAY_MINUTES, SLACK, Known
from models.usual import TICK_MS, TICKS_PER_MIN

TICK_US = TICK_MS * 1000
HALF_LIFE_TICKS = float(DAY_MINUTES * TICKS_PER_MIN)
"""A day: how fast a caller's own past fades."""

MEMORY_MIN = DAY_MINUTES / np.log(2.0)
PRIOR_MIN = 2.0
"""Minutes of the population's upper rate that stand in for a past not yet lived, for who was there first."""

GRAINS = 65_536.0
"""Of a call: a faded count is rounded to them, for then whole calls are added exactly, in whatever pieces they come."""

KNOWN_MIN = 60.0
PRIOR_TIMES = 6.0
"""For who came later they are so many times the minutes that the population had been watched, up to KNOWN_MIN of them."""

CAP = 4.0
"""Past the first day nobody's usual rate rises beyond so many times the population's upper rate or its own of that day; who
came later is held to it at once, but more loosely while the population has been watched for less than KNOWN_MIN."""

DEBT_TIMES = 2.0
"""Debt is forgiven beyond this many bursts at every stocktaking, so that an attacker's does not grow for ever."""

EVER_US = 1 << 62
"""How far T may run ahead while nobody is accused."""

COLUMNS = {
    "first": "i4",  # tick of its first call
    "at": "i4",  # tick of its last refresh
    "own": "f4",  # its own calls per minute so far
    "base": "f4",  # the same while the model was learning
    "busy": "f4",  # the most calls in one hour, fading like its past
    "peak": "f4",  # the largest burst, calls, fading like its past
    "step_us": "i8",  # I
    "free_us": "i8",  # how far T may run ahead: a burst's worth of I
    "due_us": "i8",  # T
    "last_us": "i8",  # its last call
    "busy_us": "i8",  # when it last owed nothing
    "total": "i8",  # calls since it is in the table
    "before": "i8",  # of them before `busy_us`
    **caller_windows.COLUMNS,
}

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pace:
    """One step: calls sorted by caller, in ledger order within each.

    Attributes:
        slots: int64 (callers,).
        model: records of STANDING, (callers,) or (1,).
        callers: (callers,), a copy of their records in the table, refreshed but not told of the calls.
        starts: int64 (callers,), index of each caller's first call.
        sizes: int64 (callers,).
        group: int64 (calls,), index into `slots`.
        time_us: int64 (calls,), never falling within a caller.
        due_us: int64 (calls,), T after each call.
        excess: bool (calls,), beyond the allowance; never before the model is armed.
        idle: int64 (calls,), index of the last call at or before it that owed nothing, -1 if in no call of this step.
        peak: float64 (callers,), largest burst in this step, calls.
    """

    slots: Ints
    model: NDArray[np.void]
    callers: NDArray[np.void]
    starts: Ints
    sizes: Ints
    group: Ints
    time_us: Ints
    due_us: Ints
    excess: NDArray[np.bool_]
    idle: Ints
    peak: NDArray[np.float64]

    def groups_with_excess(self) -> list[int]:
        """Returns the callers with excess calls."""
        return [int(group) for group in np.unique(self.group[self.excess])]

    def excess_of(self, group: int) -> Iterator[int]:
        """Returns the caller's excess calls."""
        begin = int(self.starts[group])
        return iter((begin + np.flatnonzero(self.excess[begin : begin + int(self.sizes[group])])).tolist())

    def last(self, group: int) -> int:
        """Returns the caller's last call of the step."""
        return int(self.starts[group] + self.sizes[group]) - 1

    def count(self, at: int) -> int:
        """Returns how many calls its caller has made since it last owed nothing, up to and with this call."""
        group, idle = int(self.group[at]), int(self.idle[at])
        if idle >= 0:
            return at - idle + 1
        return int(self.callers["total"][group] - self.callers["before"][group]) + at - int(self.starts[group]) + 1

    def busy_us(self, at: int) -> int:
        """Returns when its caller last owed nothing, microseconds."""
        idle = int(self.idle[at])
        return int(self.time_us[idle]) if idle >= 0 else int(self.callers["busy_us"][int(self.group[at])])

    def usual_per_s(self, at: int) -> float:
        """Returns the usual rate of its caller, calls per second."""
        return 1e6 / (SLACK * float(self.callers["step_us"][self.group[at]]))

    def burst(self, at: int) -> int:
        """Returns how many calls its caller may make at once."""
        caller = self.callers[self.group[at]]
        return round(int(caller["free_us"]) / int(caller["step_us"]))

    def hold(self, at: int, weight: float) -> None:
        """Notes how much is held against its caller, for the table."""
        self.callers["held"][self.group[at]] = weight

    def commit(self, table: CallerTable) -> None:
        """Writes the step into the table; excess calls teach nothing about what is usual."""
        callers, ends = self.callers, self.starts + self.sizes - 1
        idle = self.idle[ends]
        was_idle = idle >= 0
        callers["due_us"] = self.due_us[ends]
        callers["last_us"] = self.time_us[ends]
        callers["busy_us"] = np.where(was_idle, self.time_us[idle], callers["busy_us"])
        callers["before"] = np.where(was_idle, callers["total"] + idle - self.starts, callers["before"])
        callers["total"] += self.sizes
        callers["peak"] = np.maximum(callers["peak"], self.peak)
        callers["seen"] += self.sizes - np.add.reduceat(self.excess, self.starts, dtype=np.int64)
        caller_windows.add(callers, self.starts, self.sizes, self.time_us)
        put(table.records, self.slots, callers)
        table.group[self.slots] = self.model["number"]


def pace(
    table: CallerTable, slots: Ints, ts: Ints, standing: NDArray[np.void], number: Ints, known: Known | None = None
) -> Pace:
    """Returns the step of these calls; the table changes when it is committed.

    Args:
        table: of the shard.
        slots: int64 (calls,), sorted.
        ts: int64 (calls,), event times, Unix milliseconds, in ledger order within a caller.
        standing: (models,), records of STANDING, each settled for its current tick.
        number: int64 (calls,), which of them each call is of; (1,) when all are of one.
        known: callers whose golden habits are known, of all these models.
    """
    index = np.arange(len(slots))
    begins = np.ones(len(slots), np.bool_)
    np.not_equal(slots[1:], slots[:-1], out=begins[1:])
    starts = begins.nonzero()[0]
    sizes = np.append(starts[1:], len(slots)) - starts
    mine = slots[starts]
    callers = take(table.records, mine)
    model = take(standing, number[starts] if len(number) > 1 else number)
    stale = np.flatnonzero(callers["at"] != model["tick"])
    if len(stale):
        of = take(model, stale) if len(model) > 1 else model
        put(callers, stale, refreshed(take(callers, stale), table.key[mine[stale]], of, known))
    step_us: NDArray[Any] = callers["step_us"]
    group = np.cumsum(begins) - 1
    time_us = _running_max(ts * 1000, callers["last_us"], group)
    each_us, begin = step_us[group], starts[group]
    lead = (index - begin) * each_us
    due_us = _running_max(time_us - lead, callers["due_us"], group) + lead + each_us
    ahead = due_us - time_us
    idle = np.maximum.accumulate(np.where(ahead == each_us, index, -1))
    idle = np.where(idle >= begin, idle, -1)
    peak = np.minimum(np.maximum.reduceat(ahead, starts) / step_us, BURST_MOST)
    excess = ahead > callers["free_us"][group]
    return Pace(mine, model, callers, starts, sizes, group, time_us, due_us, excess, idle, peak)


def _running_max(values: Ints, floor: NDArray[Any], group: Ints) -> Ints:
    """Returns the maximum of each call's value, its caller's floor, and the values before it; exact."""
    floored = np.maximum(values, floor[group])
    low = int(floored.min())
    lift = group * (int(floored.max()) - low + 1) - low
    floored += lift
    highest: Ints = np.maximum.accumulate(floored) - lift
    return highest


def refreshed(
    callers: NDArray[np.void], keys: NDArray[np.uint64], model: NDArray[np.void], known: Known | None
) -> NDArray[np.void]:
    """Returns these records at their models' tick: the past fades, what is usual is set, the windows roll.

    Args:
        callers: (callers,), changed.
        keys: uint64 (callers,), theirs.
        model: records of STANDING, (callers,) or (1,).
        known: see `pace`.
    """
    tick: NDArray[Any] = model["tick"]
    new = callers["minute"] < 0
    before = np.where(new, tick, callers["at"])
    callers["first"] = np.where(new, tick, callers["first"])
    fade = np.exp2((before - tick) / HALF_LIFE_TICKS)
    callers["seen"] = np.rint(callers["seen"] * fade * GRAINS) / GRAINS
    callers["peak"] *= fade.astype(np.float32)
    rate, burst = _usual_per_min(callers, model), model["burst"]
    if known is not None:
        habit, own_burst = known.of(keys)
        rate, burst = np.maximum(rate, habit * model["surge"]), np.maximum(burst, own_burst)
    step_us = np.rint(MINUTE_US / (SLACK * rate)).astype(np.int64)
    now_us = tick * TICK_US
    owed = np.maximum(callers["due_us"] - now_us, 0) / np.maximum(callers["step_us"], 1)
    owed = np.where(model["armed"] & (before >= model["armed_tick"]), np.minimum(owed, DEBT_TIMES * burst), 0.0)
    owing = now_us + np.rint(owed * step_us).astype(np.int64)
    callers["due_us"] = np.where(owed > 0.0, owing, np.where(new, 0, np.minimum(callers["due_us"], now_us)))
    callers["step_us"], callers["free_us"] = step_us, np.where(model["armed"], np.rint(burst * step_us), EVER_US)
    callers["at"], callers["minute"] = tick, model["minute"]
    callers["busy"] = np.maximum(callers["busy"] * fade.astype(np.float32), caller_windows.this_hour(callers))
    caller_windows.roll(callers, before // TICKS_PER_MIN, model["minute"])
    return callers


def _usual_per_min(callers: NDArray[np.void], model: NDArray[np.void]) -> NDArray[np.float64]:
    """Returns the usual rates of these callers, calls per minute, and writes down their own."""
    first: NDArray[Any] = callers["first"]
    tick, learning, grace = model["tick"], model["learning"], model["grace"]
    there_first = (first < model["armed_tick"]) | ~model["armed"]
    watched = np.clip((first - model["first_tick"]) / TICKS_PER_MIN, PRIOR_MIN, KNOWN_MIN)
    prior = np.where(there_first, PRIOR_MIN, PRIOR_TIMES * watched)
    lived = MEMORY_MIN * (1.0 - np.exp2((first - tick) / HALF_LIFE_TICKS)) + prior
    own = callers["seen"] / lived
    cap: Any = CAP * model["per_min"]
    if learning.any():
        cap = np.where(learning, np.where(there_first, np.inf, cap * KNOWN_MIN / watched), cap)
        callers["base"] = np.where(learning, np.maximum(callers["base"], np.minimum(own, cap)), callers["base"])
    callers["own"] = own
    # While the population is hardly known it is given grace, and so is the short past of who was there first.
    rate = own * np.where(there_first, grace, 1.0) + model["per_min"] * grace * prior / lived
    rate = np.where(model["frozen"], 0.0, np.minimum(rate, np.maximum(cap, callers["base"])))
    usually: NDArray[np.float64] = np.maximum(rate, model["per_min"] * grace) * model["surge"]
    return usually

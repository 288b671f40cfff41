"""Usual: how fast the callers of one model usually ask, taken from a sample of the caller table at every full minute.

The upper quantiles of what callers did, not their mean: a newcomer is held against nearly everyone, not against the typical
one, and against their busiest hours, for it is judged while it calls. The first places of the table hold a random sample of
its callers, for a key's set is a hash. When all ask more than usual at once, a sale, everyone's allowance grows with the
volume. Where a baseline is in force its frozen numbers (`rates.py`) stand for the sample's, from the next stocktaking on.

Stock is taken when the model's own furthest event time fills a minute, in its first two minutes every ten seconds, and
nothing moves in between, so the numbers do not depend on how rows were cut into frames.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.caller_table import CallerTable
from models.rates import (
    BURST_FLOOR,
    BURST_MOST,
    BURST_TIMES,
    BURST_TIMES_LEARNING,
    DAY_MINUTES,
    FEWEST,
    FLOOR_PER_MIN,
    SURGE_FROM,
    Allowance,
    upper,
)

SAMPLE = 4_096
TICK_MS = 10_000
TICKS_PER_MIN = 6
ARM = ((3, 1_000, 300), (12, 5_000, 0), (180, 1_000, 0), (8_640, 0, 0))
"""Nobody is accused before so many ticks, calls and callers of the model, whichever row is fulfilled first."""

YOUNG_MIN = 2
"""In the first minutes stock is taken at every tick, later at every full minute."""

GRACE_TICKS = 30
"""A population known for less than this is not known well: everyone may ask so much more."""

LATELY_MIN = 10.0
SURGE_MOST = 4.0


STANDING: Final = np.dtype(
    [
        ("number", "u2"),
        ("tick", "i8"),
        ("minute", "i8"),
        ("first_tick", "i8"),
        ("armed_tick", "i8"),
        ("armed", "?"),
        ("learning", "?"),
        ("frozen", "?"),
        ("per_min", "f8"),
        ("burst", "f8"),
        ("surge", "f8"),
        ("grace", "f8"),
    ],
    align=True,
)
"""What steps read of a model: changed by stocktaking alone, so that the calls of many models are one step."""


class Usual(msgspec.Struct, array_like=True):
    """One model on one shard.

    Attributes:
        number: the model's number in the table, from 1.
        first_tick: tick (10 s, Unix) of its first row, -1 before.
        tick: the last one settled.
        high_ms: the furthest event time, Unix milliseconds.
        rows: seen so far.
        per_min: the upper quantile of callers' own rates and of their busiest hours', calls per minute, ≥ FLOOR_PER_MIN.
        burst: calls that anyone may save up and make at once, in [BURST_FLOOR, BURST_MOST].
        surge: how many times as much as usual is asked by all together, in [1, SURGE_MOST].
        calls: within their callers' allowance in the current minute; what spills over must not raise the allowance.
        lately: such calls, fading with half-life LATELY_MIN.
        ever: such calls, fading with half-life a day.
        grace: how many times as much everyone may ask while the population is hardly known, ≥ 1.
        armed_tick: since when enough was seen to accuse anyone, -1 before.
        frozen: whether a baseline alone said what is usual when stock was last taken.
    """

    number: int
    first_tick: int = -1
    tick: int = -1
    high_ms: int = 0
    rows: int = 0
    per_min: float = FLOOR_PER_MIN
    burst: float = BURST_FLOOR
    surge: float = 1.0
    calls: int = 0
    lately: float = 0.0
    ever: float = 0.0
    grace: float = 1.0
    armed_tick: int = -1
    frozen: bool = False

    @property
    def standing(self) -> NDArray[np.void]:
        """Returns one record of STANDING, (1,)."""
        return np.array([tuple(getattr(self, name) for name in _STANDING)], STANDING)

    @property
    def armed(self) -> bool:
        """Returns whether enough was seen to accuse anyone."""
        return self.armed_tick >= 0

    @property
    def minute(self) -> int:
        """Returns the minute (Unix) settled."""
        return self.tick // TICKS_PER_MIN

    @property
    def learning(self) -> bool:
        """Returns whether a whole day has not been seen yet: till then the past of who was there first is believed."""
        return self.tick < self.first_tick + DAY_MINUTES * TICKS_PER_MIN

    @property
    def _young(self) -> int:
        """Returns the tick from which on stock is taken at full minutes only."""
        return (self.first_tick // TICKS_PER_MIN + YOUNG_MIN) * TICKS_PER_MIN

    def turns(self, high_ms: int) -> bool:
        """Returns whether stock is to be taken before a row that moves the furthest event time to here, or not."""
        if self.first_tick < 0:
            return True
        tick = max(high_ms, self.high_ms) // TICK_MS
        return (tick if tick < self._young else tick - tick % TICKS_PER_MIN) != self.tick

    def ticks(self, high_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns when stock was last to be taken at these furthest event times."""
        ticks: NDArray[np.int64] = high_ms // TICK_MS
        young = self._young if self.first_tick >= 0 else (int(ticks[0]) // TICKS_PER_MIN + YOUNG_MIN) * TICKS_PER_MIN
        return ticks if ticks[-1] < young else np.where(ticks < young, ticks, ticks - ticks % TICKS_PER_MIN)

    def settle(self, tick: int, table: CallerTable, allowed: Allowance | None = None) -> None:
        """Takes stock at a tick that lies above the last one.

        Args:
            tick: the new one.
            table: of the shard.
            allowed: by the model's baseline, if one is in force.
        """
        if self.first_tick < 0:
            self.first_tick = tick
        elif tick // TICKS_PER_MIN > self.minute:
            self._follow_volume(tick // TICKS_PER_MIN - self.minute, allowed)
        self.tick = tick
        age = tick - self.first_tick
        self.frozen = allowed is not None and allowed.whole
        if allowed is not None:
            self.per_min, self.burst, self.grace = allowed.per_min, allowed.burst, 1.0
            self.armed_tick = self.armed_tick if self.armed else tick
            if self.frozen:
                return
        else:
            self.grace = max(1.0, GRACE_TICKS / max(age, 1))
        mine = np.flatnonzero(table.group == self.number)[:SAMPLE]
        if not self.armed and any(age >= t and self.rows >= rows and len(mine) >= callers for t, rows, callers in ARM):
            self.armed_tick = tick
        if len(mine) < FEWEST:
            return
        # Averages hold nights and pauses; who is judged is calling.
        busiest: NDArray[Any] = table.data["busy"][mine]
        rates = np.maximum(table.data["own"][mine], busiest / np.float32(60.0))
        times = BURST_TIMES_LEARNING if self.learning else BURST_TIMES
        per_min, burst = max(FLOOR_PER_MIN, upper(rates)), max(BURST_FLOOR, times * upper(table.data["peak"][mine]))
        if allowed is not None:
            per_min, burst = max(per_min, allowed.per_min), max(burst, allowed.burst)
        self.per_min, self.burst = per_min, min(burst, BURST_MOST)

    def _follow_volume(self, gone: int, allowed: Allowance | None) -> None:
        """Sets the surge from the minute that ends; `gone` minutes ago it was the current one."""
        self.lately = (self.lately + self.calls) * 2.0 ** (-gone / LATELY_MIN)
        self.ever = (self.ever + self.calls) * 2.0 ** (-gone / DAY_MINUTES)
        self.calls = 0
        age = self.minute + gone - self.first_tick // TICKS_PER_MIN
        lately = self.lately / (1.0 - 2.0 ** (-age / LATELY_MIN)) / LATELY_MIN
        ever = self.ever / (1.0 - 2.0 ** (-age / DAY_MINUTES)) / DAY_MINUTES
        ordinary = ever * SURGE_FROM if allowed is None or not allowed.whole else allowed.volume
        self.surge = min(max(lately / ordinary, 1.0), SURGE_MOST)


_STANDING: Final = STANDING.names or ()

"""Usual: how fast the callers of one model usually ask, taken from a sample of the caller table at every full minute.

The upper quantiles of what callers did, not their mean: a newcomer is held against nearly everyone, not against the typical
one. The first 512 sets of the table are a random sample of its callers, for a key's set is a hash. Nothing moves between
two full minutes of the model's own furthest event time, so the numbers do not depend on how rows were cut into frames.
"""

from __future__ import annotations

import msgspec
import numpy as np

from models.caller_table import WAYS, CallerTable

SAMPLE = 512 * WAYS
QUANTILE = 0.99
FEWEST = 50
"""Callers in the sample below which a quantile says nothing and the floors stand alone."""

FLOOR_PER_MIN = 1.0
BURST_FLOOR = 30.0
BURST_TIMES = 2.0
BURST_MOST = 300.0
ARM_MINUTES = 2
ARM_ROWS = 5_000
ARM_ANYWAY_MINUTES = 30
DAY_MINUTES = 1_440


class Usual(msgspec.Struct, array_like=True):
    """One model on one shard.

    Attributes:
        number: the model's number in the table, from 1.
        first_minute: minute (Unix) of its first row.
        minute: the last full minute settled.
        high_ms: the furthest event time, Unix milliseconds.
        rows: seen so far.
        per_min: the upper quantile of callers' own rates, calls per minute, ≥ FLOOR_PER_MIN.
        burst: calls that anyone may save up and make at once, in [BURST_FLOOR, BURST_MOST].
        armed_minute: since when enough was seen to accuse anyone, -1 before.
    """

    number: int
    first_minute: int = -1
    minute: int = -1
    high_ms: int = 0
    rows: int = 0
    per_min: float = FLOOR_PER_MIN
    burst: float = BURST_FLOOR
    armed_minute: int = -1

    @property
    def armed(self) -> bool:
        """Returns whether enough was seen to accuse anyone."""
        return self.armed_minute >= 0

    @property
    def learning(self) -> bool:
        """Returns whether a whole day has not been seen yet: until then a caller's own past is believed as it comes."""
        return self.minute < self.first_minute + DAY_MINUTES

    def settle(self, minute: int, table: CallerTable) -> None:
        """Takes stock at a full minute that lies above the last one."""
        if self.first_minute < 0:
            self.first_minute = minute
        self.minute = minute
        age = minute - self.first_minute
        if not self.armed and (age >= ARM_ANYWAY_MINUTES or (age >= ARM_MINUTES and self.rows >= ARM_ROWS)):
            self.armed_minute = minute
        mine = table.data["model"][:SAMPLE] == self.number
        if np.count_nonzero(mine) < FEWEST:
            return
        own = float(np.quantile(table.data["own"][:SAMPLE][mine], QUANTILE, method="higher"))
        peak = float(np.quantile(table.data["peak"][:SAMPLE][mine], QUANTILE, method="higher"))
        self.per_min = max(FLOOR_PER_MIN, own)
        self.burst = min(max(BURST_FLOOR, BURST_TIMES * peak), BURST_MOST)

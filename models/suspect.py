"""Suspect: the evidence that one caller asks far more than it should, after its burst allowance is spent.

Theory. Calls beyond the allowance are *excess*. For an ordinary caller they come at no more than its usual rate λ, so
between two of them dt apart the likelihood ratio of rate mλ against λ is m·exp(-(m-1)λ·dt). Shiryaev-Roberts sums of it,
R ← R·m·exp(-(m-1)λ·dt) with a weight w added *after* each arrival, are supermartingales but for the weights (Pollak 1985,
Annals of Statistics 13; a weight added before the factor m would count m times). So the expected number of false alarms at
R ≥ A is at most Σw/A, whatever the callers do and however many there are. The mean over several m stays valid: no m has to
be guessed. Every place in the table may draw w = (time since its last excess) / (places · shards), in seconds, so all
callers of all shards together never draw more than the time that passed: A = (seconds of a month) / (alerts a month).
What is proved holds while excess really comes at no more than λ; that real callers keep to it was simulated, not proved.
"""

from __future__ import annotations

import math

import msgspec

from tocsin.event import Coordinates

FASTER = (4.0, 10.0, 40.0, 200.0)
"""The rate ratios looked for."""

MAX_WEIGHT_S = 3_600.0
MIN_WEIGHT_S = 0.001
MOST = 1e30
MAX_EXAMPLES = 3


class Suspect(msgspec.Struct, array_like=True):
    """One caller that is beyond its allowance.

    Attributes:
        key: the caller's key in the table: a place may have been given to another since.
        last_us: its last excess call, microseconds.
        sums: the Shiryaev-Roberts sum of each ratio in FASTER.
        usual_per_min: what was usual for it then; what it has taught since is no measure.
        told: calls since onset at the last reading, 0 before the alarm.
        told_us: when that was, microseconds.
        onset_ms: when it began to ask faster than allowed, Unix milliseconds.
        examples: its first excess calls.
        peak: the statistic at the alarm.
    """

    key: int
    last_us: int
    onset_ms: int
    sums: list[float]
    examples: list[Coordinates]
    usual_per_min: float
    told: int = 0
    told_us: int = 0
    peak: float = 0.0

    @property
    def statistic(self) -> float:
        """Returns the mean of the sums."""
        return sum(self.sums) / len(FASTER)

    def excess(self, at_us: int, usual_per_s: float, places: int) -> float:
        """Returns the statistic after one more excess call.

        Args:
            at_us: when, microseconds.
            usual_per_s: λ, the rate at which excess would be ordinary.
            places: over all shards, which share the weights.
        """
        gap_s = (at_us - self.last_us) / 1e6
        weight = min(max(gap_s, MIN_WEIGHT_S), MAX_WEIGHT_S) / places
        grown = [min(r * m * math.exp(-(m - 1.0) * usual_per_s * gap_s), MOST) for r, m in zip(self.sums, FASTER, strict=True)]
        self.sums = [r + weight for r in grown]
        self.last_us = at_us
        return sum(grown) / len(FASTER)

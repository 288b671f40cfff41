"""Query walk: what becomes of a caller's evidence, row by row: a path that begins, an alarm, a rest.

A path begins with the first question after which the statistic exceeds what was staked, that is, after which it says anything;
it ends when it no longer does. An alarm takes the sums back to nothing, and the caller rests, staking nothing, until its path
is twice as long or REST_MS have passed; then the evidence must grow anew before it is told again.

Most rows belong to callers that were not told and do not cross: they are one step. The others go one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.tail_bets import STAKED, Sums, levels, run

REST_MS: Final = 600_000

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One caller crossed.

    Attributes:
        row: of the step.
        statistic: its level.
        sums: float64 (BETS + 1,), of its bets, and what it had staked.
        count: questions of its path.
        onset_ms: when that began, Unix milliseconds.
    """

    row: int
    statistic: float
    sums: Sums
    count: int
    onset_ms: int


@dataclass(frozen=True, slots=True)
class Step:
    """Rows sorted by caller, each caller's in order.

    Attributes:
        counts: int64 (callers,), rows of each.
        ts: int64 (rows,), Unix milliseconds.
        stakes: float64 (rows,), seconds.
        factors: float64 (rows, BETS + 1).
    """

    counts: Ints
    ts: Ints
    stakes: NDArray[np.float64]
    factors: Sums


def walk(
    callers: NDArray[np.void], step: Step, threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Alarm]]:
    """Returns (levels, staked, alarms): each row's statistic and what it cost, float64 (rows,), and who crossed, in any order.

    Args:
        callers: (callers,) records of `caller_rings.CALLER`; changed.
        step: their rows.
        threshold: A, seconds.
    """
    sums = run(callers["sums"], step.counts, step.stakes, step.factors.copy())
    level, staked = levels(sums), sums[:, STAKED].copy()
    ends = np.cumsum(step.counts)
    crossed = np.logical_or.reduceat(level >= threshold, ends - step.counts)
    alone = crossed | (callers["told"] > 0)
    _together(callers, step, ends, sums, level <= staked, ~alone)
    alarms: list[Alarm] = []
    for caller in np.flatnonzero(alone).tolist():
        rows = slice(int(ends[caller] - step.counts[caller]), int(ends[caller]))
        alarms += _one_by_one(callers[caller], step, rows, threshold, level, staked)
    return level, staked, alarms


def _together(
    callers: NDArray[np.void], step: Step, ends: Ints, sums: Sums, quiet: NDArray[np.bool_], which: NDArray[np.bool_]
) -> None:
    """Writes what the rows make of these callers, none of whom was told or crosses."""
    at = np.arange(len(quiet))
    first, last = ends - step.counts, ends - 1
    quiet_at = np.maximum.accumulate(np.where(quiet, at, -1))[last]
    inside = quiet_at >= first
    since = np.where(inside, last - quiet_at, callers["since"] + step.counts)
    begins = np.where(inside, np.minimum(quiet_at + 1, last), first)
    fresh = (since > 0) & (inside | (callers["since"] == 0))
    onset = np.where(fresh, step.ts[begins], np.where(since > 0, callers["onset_ms"], 0))
    callers["sums"][which] = sums[last[which]]
    callers["since"][which] = since[which]
    callers["onset_ms"][which] = onset[which]


def _one_by_one(
    caller: np.void, step: Step, rows: slice, threshold: float, level: NDArray[np.float64], staked: NDArray[np.float64]
) -> list[Alarm]:
    """Returns one caller's alarms; writes what its rows make of it, and their levels."""
    sums, since, told = caller["sums"].copy(), int(caller["since"]), int(caller["told"])
    onset_ms, told_ms = int(caller["onset_ms"]), int(caller["told_ms"])
    alarms: list[Alarm] = []
    for row in range(rows.start, rows.stop):
        ts = int(step.ts[row])
        rested = ts >= told_ms + REST_MS
        if told and since < 2 * told and not rested:
            since, level[row], staked[row] = since + 1, 0.0, 0.0
            continue
        sums = (sums + step.stakes[row]) * step.factors[row]
        level[row], staked[row] = levels(sums[None])[0], sums[STAKED]
        if level[row] <= staked[row] and (rested or not told):
            since, told, onset_ms = 0, 0, 0
            continue
        onset_ms, since = ts if since == 0 else onset_ms, since + 1
        if level[row] >= threshold:
            alarms.append(Alarm(row, float(level[row]), sums, since, onset_ms))
            sums, told, told_ms = np.zeros_like(sums), since, ts
    caller["sums"], caller["since"], caller["told"] = sums, since, told
    caller["onset_ms"], caller["told_ms"] = onset_ms, told_ms
    return alarms

"""Tail bets: the evidence that a caller is beyond its limits more often than any honest caller is.

Theory. Let an honest caller be below limit q[signal, r] in at most a share r of its questions, whatever it asked before. Then
e = 1 + λ(1[below] / r - 1) is worth at most 1 on average for every λ in [0, 1), and so is what a Shiryaev-Roberts sum
R ← (R + w)·e of stakes w grows by beyond what was staked (Shin, Ramdas and Rinaldo 2024, New England Journal of Statistics in
Data Science 2). The mean over all signals, r and λ keeps the bound, however the signals depend on one another: there is
nothing to correct and nothing to guess.

What is honest is no constant: when everybody's inputs move, everybody is beyond some limit. So r is never less than CROWD times
what *other* callers do now. Each of them counts once per epoch of the model's rows, and as much as one caller can have made up
is taken off. An epoch's rows are bet on by what the epochs before it showed, so e stays an e-value.

Sums are made row by row in order, by the same operations for one caller as for many: cuts cannot change a bit.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.paths import RHO, SIGNALS

LAMBDA: Final = (0.2, 0.5, 0.8)
BETS: Final = len(SIGNALS) * len(RHO) * len(LAMBDA)
STAKED: Final = BETS
"""The column behind the bets: what was staked, a bet that always pays 1."""
MISS: Final = np.append(np.tile(1.0 - np.array(LAMBDA), len(SIGNALS) * len(RHO)), 1.0)
KINDS: Final = len(SIGNALS) * len(RHO)

CROWD: Final = 3.0
CROWD_EPOCH: Final = 256
"""Rows of the model."""
FADES: Final = 0.875
"""Of what epochs showed, each next one."""
ONE_CALLER: Final = 1.0 / (1.0 - FADES)
"""The most that one caller can have made up."""

Sums = NDArray[np.float64]


class Crowd(msgspec.Struct, array_like=True):
    """What a model's callers do now, all together.

    Attributes:
        epoch: of the model's rows, that is being drawn.
        drawn: callers drawn in earlier epochs, faded.
        hits: of these below each limit, per (signal, share).
        drawing: callers drawn in this epoch.
        hitting: of these below each limit.
    """

    epoch: int = 0
    drawn: float = 0.0
    hits: list[float] = msgspec.field(default_factory=lambda: [0.0] * KINDS)
    drawing: int = 0
    hitting: list[int] = msgspec.field(default_factory=lambda: [0] * KINDS)

    def turn(self, epoch: int) -> None:
        """Closes epochs before this one."""
        past = epoch - self.epoch
        if past > 0:
            fades = FADES ** min(past - 1, 1_000)
            self.drawn = (self.drawn * FADES + self.drawing) * fades
            self.hits = [(old * FADES + new) * fades for old, new in zip(self.hits, self.hitting, strict=True)]
            self.epoch, self.drawing, self.hitting = epoch, 0, [0] * KINDS

    def draw(self, below: NDArray[np.bool_]) -> None:
        """Takes the callers drawn: bool (callers, KINDS)."""
        self.drawing += len(below)
        self.hitting = [old + new for old, new in zip(self.hitting, np.count_nonzero(below, axis=0).tolist(), strict=True)]

    def pays(self) -> Sums:
        """Returns what each bet pays when it hits, float64 (BETS + 1,)."""
        others = np.maximum(np.array(self.hits) - ONE_CALLER, 0.0) / max(self.drawn, 1.0)
        rho = np.minimum(np.maximum(np.tile(np.array(RHO), len(SIGNALS)), CROWD * others), 1.0)
        return np.append((1.0 + np.array(LAMBDA) * (1.0 / rho[:, None] - 1.0)).ravel(), 1.0)


def factors(below: NDArray[np.bool_], known: NDArray[np.bool_], pays: Sums) -> Sums:
    """Returns what each bet multiplies its sum by, float64 (rows, BETS + 1).

    Args:
        below: bool (rows, KINDS): beyond the limit.
        known: bool (rows, SIGNALS): the signal says something about this row.
        pays: float64 (rows, BETS + 1), or (BETS + 1,) for all.
    """
    rows = len(below)
    hit = np.ones((rows, BETS + 1), np.bool_)
    hit[:, :BETS] = np.repeat(below, len(LAMBDA), axis=1)
    made = np.where(hit, pays, MISS)
    if not known.all():
        made[:, :BETS][np.repeat(~known, len(RHO) * len(LAMBDA), axis=1)] = 1.0
    return made


def run(before: Sums, counts: NDArray[np.int64], stakes: NDArray[np.float64], made: Sums) -> Sums:
    """Returns the sums after every row, float64 (rows, BETS + 1).

    Args:
        before: float64 (callers, BETS + 1).
        counts: int64 (callers,), rows of each, at least one; rows are sorted by caller, each caller's in order.
        stakes: float64 (rows,).
        made: `factors` of the rows; it is overwritten.
    """
    first = np.cumsum(counts) - counts
    most_first = np.argsort(-counts, kind="stable")
    caller = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(made)) - first[caller]
    standing = np.empty(len(counts), np.int64)
    standing[most_first] = np.arange(len(counts))
    order = np.argsort(rank * len(counts) + standing[caller])  # all callers' first rows, then all second ones …
    steps, staked = made[order], stakes[order][:, None]
    ends = np.cumsum(np.bincount(rank)).tolist()
    last, held, begin = before[most_first], np.empty_like(before), 0
    with np.errstate(over="ignore", under="ignore"):
        for end in ends:
            now = held[: end - begin]
            np.add(last[: end - begin], staked[begin:end], out=now)
            last = np.multiply(now, steps[begin:end], out=steps[begin:end])
            begin = end
    made[order] = steps
    return made


def levels(sums: Sums) -> NDArray[np.float64]:
    """Returns the mean of the bets, float64 (rows,): the statistic."""
    means: NDArray[np.float64] = np.add.reduce(np.ascontiguousarray(sums[:, :BETS]), axis=1) / BETS
    return means


def of_signals(sums: Sums) -> NDArray[np.float64]:
    """Returns the mean of each signal's bets, float64 (…, SIGNALS), of sums, float64 (…, BETS + 1)."""
    means: NDArray[np.float64] = sums[..., :BETS].reshape(*sums.shape[:-1], len(SIGNALS), -1).mean(axis=-1)
    return means

"""Dependence: how far golden rows are from independent, in three numbers per quantity that the bank then allows for.

Theory. Evidence multiplied row by row trusts rows to be independent given the golden distribution. Real ones are not, in
three ways, and the false alarms that this causes grow with the threshold, so a check at a low threshold hides them.

1. One caller's values resemble each other: the rank intra-class correlation rho says by how much; `models.discount`
   lets a caller's later events in a window weigh less. One-way analysis of variance of the ranks (Donner 1986,
   International Statistical Review 54), groups = a caller's events in one window. Callers that differ but take turns at
   random do no harm, be they five or five thousand: only where blocks of rows vary more than mixed rows would is rho needed.
2. Neighbours in time resemble each other: the weighted log pay-offs of a block then vary more than its rows' own variance
   explains; each expert's pay-off is raised to the power beta = explained / actual, the least over blocks of 64, 256 and
   1,024 rows, where that is below 0.8.
3. Days differ: each expert's mean pay-off has a standard deviation between golden days; z times it is subtracted from
   its log pay-off, so that a day as unlike the others as golden days are earns nothing.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.gains import Gains

BLOCKS: Final = (64, 256, 1024)
"""Rows."""
BURSTS: Final = (16, *BLOCKS, 4096)
"""Rows; from less than a session to a window."""
ENOUGH_BLOCKS: Final = 12
"""Fewer blocks do not tell a variance."""
RESIDUAL: Final = 0.8
"""An exponent above it is not distinguished from 1."""
LEAST: Final = 0.005
DAYS_TO_TELL: Final = 7
"""Golden days below which nobody can tell whether they drift."""
DAYS: Final = 4
"""Golden days below which parts of the whole time stand for days."""
PARTS: Final = 8

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def ranks_within(values: NDArray[np.float32], bucket: Ints) -> Floats:
    """Returns each value's mid-rank among its season bucket's values, in (0, 1).

    Args:
        values: float32 (rows,), none missing.
        bucket: int64 (rows,).
    """
    order = np.lexsort((values, bucket))
    ordered, buckets = values[order], bucket[order]
    begins = _starts(buckets[1:] != buckets[:-1])
    sizes = np.diff(begins, append=len(values))
    ties = _starts((ordered[1:] != ordered[:-1]) | (buckets[1:] != buckets[:-1]))
    runs = np.diff(ties, append=len(values))
    middle = np.repeat(ties + (runs - 1) / 2.0, runs) - np.repeat(begins, sizes)
    ranks = np.empty(len(values))
    ranks[order] = (middle + 0.5) / np.repeat(sizes, sizes)
    return ranks


def intra_class_correlation(ranks: Floats, group: NDArray[np.uint64]) -> float:
    """Returns how alike the members of a group are, in [0, 1): share of the variance that lies between groups.

    0 when nothing can be said: one group for everything, or no group with two members.

    Args:
        ranks: float64 (rows,), of one quantity.
        group: uint64 (rows,).
    """
    if len(ranks) < 3:
        return 0.0
    order = np.argsort(group, kind="stable")
    starts = _starts(group[order][1:] != group[order][:-1])
    sizes = np.diff(starts, append=len(ranks)).astype(np.float64)
    groups, rows = len(starts), len(ranks)
    if groups < 2 or rows - groups < 2:
        return 0.0
    deviations = ranks[order] - ranks.mean()
    sums = np.add.reduceat(deviations, starts)
    between_sum = float((sums * sums / sizes).sum())
    within = (float(deviations @ deviations) - between_sum) / (rows - groups)
    between = between_sum / (groups - 1)
    typical = (rows - float(sizes @ sizes) / rows) / (groups - 1)
    total = between + (typical - 1.0) * within
    return min(max((between - within) / total, 0.0), 0.999) if total > 0 else 0.0


def burstiness(ranks: Floats) -> float:
    """Returns how many times as much sums over blocks of consecutive rows vary as of rows in random order, ≥ 1.

    Of ranks and of their distances from the middle, whichever is more; 1 unless it is by a quarter and by two standard errors.

    Args:
        ranks: float64 (rows,), of one quantity within its season buckets, in ledger order.
    """
    most = 1.0
    for values in (ranks, np.abs(ranks - 0.5)):
        variance = float(values.var())
        for block in BURSTS:
            blocks = len(values) // block
            if blocks < ENOUGH_BLOCKS or variance < 1e-12:
                break
            sums = values[: blocks * block].reshape(blocks, block).sum(axis=1)
            ratio = float(sums.var(ddof=1)) / (block * variance)
            if ratio > 1.0 + max(0.25, 2.0 * np.sqrt(2.0 / (blocks - 1))):
                most = max(most, ratio)
    return most


def tempering(gains: Gains) -> Floats:
    """Returns each expert's exponent, (experts,), in (0, 1]: how much of a block's variance independent rows explain.

    Args:
        gains: of rows in ledger order.
    """
    experts = gains.table.shape[2]
    exponents = np.ones(experts)
    used = gains.weights > 0
    if int(used.sum()) < BLOCKS[0]:
        return exponents
    variance = gains.variance(used)
    sums, mass = gains.sums_of_blocks(BLOCKS[0]), _summed(gains.weights[:, None], BLOCKS[0])
    for block, before in zip(BLOCKS, (BLOCKS[0], *BLOCKS), strict=False):
        sums, mass = _summed(sums, block // before), _summed(mass, block // before)
        if len(sums) < ENOUGH_BLOCKS:
            break
        actual = sums.var(axis=0, ddof=1)
        explained = mass.mean() * variance
        exponents = np.minimum(exponents, np.divide(explained, actual, out=np.ones(experts), where=actual > 1e-12))
    return np.maximum(exponents, LEAST)


def day_margin(gains: Gains, day: Ints, exponents: Floats) -> Floats:
    """Returns the standard deviation between days of each expert's mean gain per unit of weight, (experts,), ≥ 0.

    From differences of neighbouring days: of days that differ they show all, of a drift, which no margin may swallow, little.
    What a day's own rows vary by is not counted, they are paid for already; a quiet model would be deaf otherwise. Widened
    for there being only so many days. 0 when there is only one.

    Args:
        gains: tempered and centred.
        day: int64 (rows,), rising.
        exponents: float64 (experts,), of the tempering.
    """
    starts = _starts(day[1:] != day[:-1]) if len(day) else np.empty(0, np.int64)
    mass = np.add.reduceat(gains.weights, starts) if len(starts) else np.empty(0)
    full = mass >= 0.25 * np.median(mass) if len(starts) else np.empty(0, np.bool_)  # the first and the last are often stubs
    if int(full.sum()) < 2:
        return np.zeros(gains.table.shape[2])
    means = gains.from_each(starts) / mass[:, None]
    steps = np.diff(means[full], axis=0)
    by_chance = gains.variance() / exponents * (1.0 / mass[full]).mean()
    between = np.maximum((steps * steps).mean(axis=0) / 2.0 - by_chance, 0.0)
    spread: Floats = np.sqrt(between * (1.0 + 1.0 / int(full.sum())))
    return spread


def wandering(ranks: Floats, weights: Floats, day: Ints) -> float:
    """Returns the probability that days as they come would follow each other as closely as these do, in [0, 1].

    Days that differ are allowed for; days that drift are no reference at all. Von Neumann's ratio (1941): squared
    differences of neighbouring days over squared deviations from their mean, 2 when days are exchangeable, near 0 when
    each goes on from the one before. 1 with fewer than DAYS_TO_TELL days, or when nothing varies.

    Args:
        ranks: float64 (rows,), of one quantity, see `ranks_within`.
        weights: float64 (rows,), each row's discount.
        day: int64 (rows,), rising.
    """
    starts = _starts(day[1:] != day[:-1])
    mass = np.add.reduceat(weights, starts)
    full = mass >= 0.25 * np.median(mass)
    days = int(full.sum())
    if days < DAYS_TO_TELL:
        return 1.0
    least = 1.0
    for values in (ranks, np.abs(ranks - 0.5)):
        means = (np.add.reduceat(values * weights, starts) / mass)[full]
        spread = float(((means - means.mean()) ** 2).sum())
        if spread > 1e-12:
            ratio = float((np.diff(means) ** 2).sum()) / spread
            deviation = 2.0 * np.sqrt((days - 2.0) / (days * days - 1.0))
            least = min(least, NormalDist().cdf((ratio - 2.0) / deviation))
    return min(2.0 * least, 1.0)


def day_or_part(day: Ints) -> Ints:
    """Returns the days themselves when there are enough of them, else equal parts of the rows instead."""
    if len(day) and len(np.unique(day)) >= DAYS:
        return day
    return np.arange(len(day)) * PARTS // max(len(day), 1)


def _starts(differs: NDArray[np.bool_]) -> Ints:
    return np.flatnonzero(np.concatenate(([True], differs)))


def _summed(values: NDArray[np.floating[Any]], times: int) -> Floats:
    """Returns the sums of every `times` consecutive rows; an incomplete rest is left out."""
    whole = len(values) // times
    summed: Floats = values[: whole * times].reshape(whole, times, -1).sum(axis=1, dtype=np.float64)
    return summed

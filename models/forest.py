"""Forest: bagged decision trees that answer as a model does which looks at a few features only, whatever the others say.

Each tree is grown on rows drawn with replacement, always at the cut that leaves least Gini impurity, until a leaf has one
answer (Breiman 1996, Bagging predictors, Machine Learning 24). Values are binned first, so that all cuts of a node are one
count. A tree is never kept: the rows to answer fall through it while it grows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

TREES: Final = 16
BINS: Final = 64
SEED: Final = 20_260_104

Column = NDArray[np.float32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def votes(asked: Column, answers: Ints, classes: int, tests: Column) -> Floats:
    """Returns how the trees answer the tests, float64 (tests, classes), rows of sum TREES.

    Args:
        asked: float32 (features, rows).
        answers: int64 (rows,), codes below `classes`.
        classes: how many there are.
        tests: float32 (features, tests).
    """
    edges = [np.unique(np.quantile(values, np.arange(1, BINS) / BINS)) for values in asked.astype(np.float64)]
    known, wanted = (
        np.stack([np.searchsorted(edge, values) for edge, values in zip(edges, side, strict=True)]) for side in (asked, tests)
    )
    given, rng = np.zeros((tests.shape[1], classes)), np.random.default_rng(SEED)
    for _ in range(TREES):
        waiting = [(rng.integers(len(answers), size=len(answers)), np.arange(tests.shape[1]))]
        while waiting:
            rows, falling = waiting.pop()
            counts = np.bincount(answers[rows], minlength=classes)
            cut = _cut(known[:, rows], answers[rows], counts) if len(falling) and counts.max() < len(rows) else None
            if cut is None:
                given[falling] += counts / len(rows)
                continue
            feature, last = cut
            left, below = known[feature, rows] <= last, wanted[feature, falling] <= last
            waiting += [(rows[left], falling[below]), (rows[~left], falling[~below])]
    return given


def _cut(binned: Ints, answers: Ints, counts: Ints) -> tuple[int, int] | None:
    """Returns the feature and the last bin of the left side that leave least impurity; None when all rows are alike."""
    features, classes = len(binned), len(counts)
    place = (np.arange(features)[:, None] * BINS + binned) * classes + answers
    held = np.bincount(place.ravel(), minlength=features * BINS * classes).reshape(features, BINS, classes)
    left = held.cumsum(axis=1).astype(np.float64)
    right = counts - left
    sizes = left.sum(axis=2), right.sum(axis=2)
    pure = sum(np.square(side).sum(axis=2) / np.maximum(size, 1.0) for side, size in zip((left, right), sizes, strict=True))
    pure = np.where((sizes[0] > 0) & (sizes[1] > 0), pure, -1.0)
    best = int(pure.argmax())
    return None if pure.flat[best] < 0 else (best // BINS, best % BINS)

"""k-means: a few centres that stand for many rows, and which of them a row is nearest to, the same however rows are cut.

Lloyd's iteration (1982, IEEE Transactions on Information Theory 28) from seeds drawn far apart: each is a row, drawn with
probability proportional to its squared distance from those drawn before (Arthur and Vassilvitskii 2007, SODA). Distances
are added up feature by feature: a matrix product would round a row otherwise in company than alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

ROUNDS: Final = 25
CELLS_AT_ONCE: Final = 1 << 16
"""Distances held at a time, so that they stay in the processor's cache."""

Column = NDArray[np.float32]


def nearest(centres: Column, rows: Column) -> NDArray[np.int64]:
    """Returns the index of the centre nearest to each row, int64 (rows,); of two as near, the first.

    Args:
        centres: float32 (centres, features).
        rows: float32 (features, rows), finite.
    """
    found = np.empty(rows.shape[1], np.int64)
    step = max(CELLS_AT_ONCE // len(centres), 1)
    for begin in range(0, rows.shape[1], step):
        found[begin : begin + step] = _distances(centres, rows[:, begin : begin + step]).argmin(axis=0)
    return found


def squared_distance(centres: Column, rows: Column, which: NDArray[np.int64]) -> Column:
    """Returns each row's squared distance from the centre that `which` names for it, float32 (rows,)."""
    total = np.zeros(rows.shape[1], np.float32)
    for feature, values in enumerate(rows):
        total += np.square(values - centres[which, feature])
    return total


def k_means(rows: Column, centres: int, seed: int) -> Column:
    """Returns at most so many centres, float32 (centres, features); fewer when the rows differ in fewer places.

    Args:
        rows: float32 (features, rows), finite, at least one.
        centres: wanted.
        seed: of the first ones.
    """
    found = _seeds(rows, centres, np.random.default_rng(seed))
    for _ in range(ROUNDS):
        which = nearest(found, rows)
        size = np.bincount(which, minlength=len(found))
        sums = np.stack([np.bincount(which, values, minlength=len(found)) for values in rows], axis=1)
        moved = np.where(size[:, None] > 0, sums / np.maximum(size, 1)[:, None], found).astype(np.float32)
        if np.array_equal(moved, found):
            break
        found = moved
    return found


def _seeds(rows: Column, centres: int, rng: np.random.Generator) -> Column:
    chosen = [int(rng.integers(rows.shape[1]))]
    far = np.full(rows.shape[1], np.inf)
    while len(chosen) < centres:
        far = np.minimum(far, np.square(rows - rows[:, chosen[-1:]], dtype=np.float64).sum(axis=0))
        if not far.any():
            break
        chosen.append(int(np.searchsorted(np.cumsum(far), rng.random() * far.sum(), side="right").clip(0, len(far) - 1)))
    return np.ascontiguousarray(rows[:, chosen].T)


def _distances(centres: Column, rows: Column) -> Column:
    """Returns half of the squared distances, less what is the same for all centres, float32 (centres, rows)."""
    half = np.zeros(len(centres), np.float32)
    for feature in range(centres.shape[1]):
        half += np.square(centres[:, feature]) * np.float32(0.5)
    distances: Column = np.repeat(half[:, None], rows.shape[1], axis=1)
    for feature, values in enumerate(rows):
        distances -= centres[:, feature, None] * values
    return distances

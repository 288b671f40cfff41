"""Histogram: how thin golden values lie along one direction.

Bins are equally wide and as many as maximise the penalised likelihood of Birgé and Rozenholc (2006, ESAIM: Probability and
Statistics 10): log-likelihood less (D - 1) + (log D)^2.5. They begin at a random phase: edges of different directions then
differ, and the mean over directions is smooth. Half a row is added to every bin (Jeffreys): what golden rows left empty is
improbable, not impossible. Past each end half a row is spread over as wide a range again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FINEST: Final = 192
MOST_BINS: Final = 64
CELLS: Final = MOST_BINS + 3
"""Of a table: one more bin because of the phase, and an open end on either side."""
CANDIDATES: Final = tuple(bins for bins in range(1, MOST_BINS + 1) if FINEST % bins == 0)
"""Numbers of bins that are tried: those that come of adding up neighbours of the finest."""
PSEUDO_ROWS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Bins:
    """Equally wide bins; values below `low` are in cell 0, the first bin is cell 1.

    Attributes:
        count: how many, at most MOST_BINS + 1.
        low: where the first begins.
        per_unit: 1 / width.
    """

    count: int
    low: float
    per_unit: float


def bins_of(values: NDArray[np.float32], phase: float) -> Bins:
    """Returns the bins that golden values ask for.

    Args:
        values: float32 (rows,), not all the same.
        phase: in [0, 1), the part of a bin by which the first begins before the least value.
    """
    low, high = float(values.min()), float(values.max())
    at = (values.astype(np.float64) - low) * (FINEST / max(high - low, 1e-30))
    finest = np.bincount(np.minimum(at.astype(np.int64), FINEST - 1), minlength=FINEST)
    bins = max(CANDIDATES, key=lambda count: _likelihood(finest.reshape(count, -1).sum(axis=1)))
    width = max(high - low, 1e-30) / bins
    return Bins(bins + 1, low - phase * width, 1.0 / width)


def _likelihood(counts: NDArray[np.int64]) -> float:
    """Returns the penalised log-likelihood of so many equal bins."""
    bins, rows, full = len(counts), counts.sum(), counts[counts > 0]
    return float((full * np.log(bins * full / rows)).sum()) - (bins - 1 + math.pow(math.log(bins), 2.5))


def surprise_of(cells: NDArray[np.int64], bins: Bins) -> NDArray[np.float64]:
    """Returns minus the log density in each cell, (CELLS,), less its mean over these golden rows.

    Args:
        cells: of the golden rows.
        bins: whose cells.
    """
    counts = np.bincount(cells, minlength=CELLS)
    share = (counts + PSEUDO_ROWS) / (counts.sum() + PSEUDO_ROWS * (bins.count + 2))
    share[0] /= bins.count
    share[bins.count + 1 :] = share[bins.count + 1] / bins.count
    surprise: NDArray[np.float64] = -np.log(share)
    surprise -= surprise[cells].mean()
    return surprise

"""Census: sense's share of the work on a baseline. Rows in, how many fell into each cell out.

One per model and shard. Every quantity of the baseline is one column of values, every value one cell, every row of a caller
weighs what the window discount leaves of it. All detectors that compare with the baseline live on these counts, so a row
is looked at once however many there are.

Cost, with 12 quantities and 24 hourly buckets: `python -m bench.census`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS, Baseline
from models.cells import EDGES, Lookup, lookup_of
from models.discount import WindowCounter, discounts
from models.quantity import features_of, layout_of
from models.season import bucket_of
from tocsin.rows import Rows

NOTHING: Final = np.float32(0)


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of one season bucket, counted.

    Attributes:
        bucket: which.
        rows: how many rows.
        first_ts: earliest event time, Unix milliseconds.
        last_ts: latest.
        last_row: index of the last of them among the rows counted.
        weights: float64 (quantities, CELLS): discounted number of rows.
    """

    bucket: int
    rows: int
    first_ts: int
    last_ts: int
    last_row: int
    weights: NDArray[np.float64]


class Census:
    """Counts one model's rows in one shard over the cells of its baseline.

    Args:
        baseline: the model's.
        shards: over how many the model's traffic is spread; each sees its part of the baseline's window.
    """

    def __init__(self, baseline: Baseline, shards: int) -> None:
        self.baseline = baseline
        self._layout = layout_of(baseline)
        self._counter = WindowCounter(max(baseline.window // shards, 1))
        self._discounts = discounts(np.array([quantity.correlation for quantity in baseline.quantities]), self._counter.window)
        shape = (baseline.season.buckets, EDGES)
        edges = [np.frombuffer(quantity.edges, "<f4").reshape(shape) for quantity in baseline.quantities]
        stacked = np.stack(edges, axis=1) if edges else np.empty((shape[0], 0, EDGES), np.float32)
        missing = self._layout.missing[0]
        self._present = np.setdiff1d(np.arange(len(edges)), missing)
        self._all, self._some = lookup_of(stacked), lookup_of(stacked[:, self._present])
        self._there = (stacked[:, missing] <= 0).sum(axis=2)  # the cell of "not missing"

    def count(self, rows: Rows) -> list[Counted]:
        """Returns the counts of these rows, one per season bucket that occurs in them, in the order of buckets.

        Args:
            rows: of the baseline's model, in ledger order; features are found by name, a missing value is not counted.
        """
        if not len(rows):
            return []
        features = features_of(self.baseline.features, rows)
        absent = np.isnan(features)
        whole = not absent.any()
        values = self._layout.columns(features, absent, rows)
        weights = self._discounts.take(self._counter.ranks(rows.hash), axis=1)
        np.copyto(weights, NOTHING, where=np.isnan(values))
        bucket = bucket_of(self.baseline.season, rows.ts)
        if (bucket == bucket[0]).all():
            return [self._counted(int(bucket[0]), rows.ts, len(rows) - 1, values, weights, whole=whole)]
        found = []
        for number in np.unique(bucket).tolist():
            mine = np.flatnonzero(bucket == number)
            found.append(self._counted(number, rows.ts[mine], int(mine[-1]), values[:, mine], weights[:, mine], whole=whole))
        return found

    def _counted(
        self,
        bucket: int,
        ts: NDArray[np.int64],
        last_row: int,
        values: NDArray[np.float32],
        weights: NDArray[np.float32],
        *,
        whole: bool,
    ) -> Counted:
        """Returns one bucket's counts; where the features are `whole`, nobody need search for what is missing."""
        counts = np.zeros((len(values), CELLS))
        if whole:
            missing = self._layout.missing[0]
            counts[self._present] = _tallied(self._some, bucket, values[self._present], weights[self._present])
            counts[missing, self._there[bucket]] = weights[missing].sum(axis=1, dtype=np.float64)
        else:
            counts = _tallied(self._all, bucket, values, weights)
        return Counted(bucket, len(ts), int(ts.min()), int(ts.max()), last_row, counts)

    def dump(self) -> bytes:
        """Returns the window's counts of callers: all that it remembers. Equal state is equal bytes."""
        return self._counter.dump()

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned.

        Raises:
            StateError: it is no such state, or of another window.
        """
        self._counter.load(data)


def _tallied(lookup: Lookup, bucket: int, values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the weights that fall into each cell, (quantities, CELLS)."""
    cell = lookup.cells(values, np.array([bucket]))
    cell += np.arange(len(values))[:, None] * CELLS
    counts = np.bincount(cell.reshape(-1), weights.reshape(-1), len(values) * CELLS)
    return counts.reshape(len(values), CELLS).astype(np.float64, copy=False)

"""Gains: what each golden row gains each expert, worked out by kind of row.

Rows are hundreds of thousands, experts six dozen, but a row's gains depend only on its season bucket, its cell and its weight.
So nothing here is ever as large as rows times experts: fitting a quantity would otherwise take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gains:
    """What each golden row gains each expert, as a table: rows are many, but of few kinds.

    Attributes:
        table: float64 (buckets, cells, experts), log pay-offs; see `centred`.
        bucket: int64 (rows,), each row's season bucket.
        cell: int64 (rows,), and its cell.
        weights: float64 (rows,), and its discount.
    """

    table: Floats
    bucket: Ints
    cell: Ints
    weights: Floats

    def centred(self) -> Gains:
        """Returns them less their season bucket's mean: buckets that differ by how well they are known are no dependence."""
        counts = self.counts()
        means = _sum_of_cells(counts, self.table) / np.maximum(counts.sum(axis=1), 1.0)[:, None]
        return replace(self, table=self.table - means[:, None, :])

    def counts(self, only: NDArray[np.bool_] | slice = slice(None)) -> Floats:
        """Returns the number of rows of each kind, (buckets, cells)."""
        buckets, cells, _ = self.table.shape
        kind = self.bucket[only] * cells + self.cell[only]
        return np.bincount(kind, minlength=buckets * cells).reshape(buckets, cells).astype(np.float64)

    def variance(self, only: NDArray[np.bool_] | slice = slice(None)) -> Floats:
        """Returns each expert's variance over rows, (experts,)."""
        counts = self.counts(only)
        rows = counts.sum()
        mean = _sum_of_cells(counts, self.table).sum(axis=0) / rows
        found: Floats = _sum_of_cells(counts, (self.table - mean) ** 2).sum(axis=0) / rows
        return found

    def sums_of_blocks(self, size: int) -> Floats:
        """Returns the weighted gains of every `size` consecutive rows, (blocks, experts); an incomplete rest is left out."""
        cells = self.table.shape[1]
        blocks = len(self.cell) // size
        sums = np.zeros((blocks, self.table.shape[2]))
        order = np.argsort(self.bucket[: blocks * size], kind="stable")
        starts = np.searchsorted(self.bucket[order], np.arange(len(self.table) + 1))
        for bucket, (begin, end) in enumerate(pairwise(starts.tolist())):
            rows = order[begin:end]
            which, block = np.unique(rows // size, return_inverse=True)
            mass = np.bincount(block * cells + self.cell[rows], self.weights[rows], len(which) * cells)
            sums[which] += np.einsum("bc,ck->bk", mass.reshape(len(which), cells), self.table[bucket])
        return sums

    def from_each(self, starts: Ints) -> Floats:
        """Returns what rows from each start to the next multiply a stake by, less 1, summed: (starts, experts)."""
        _, cells, experts = self.table.shape
        distinct, weight = np.unique(self.weights, return_inverse=True)
        kinds, kind = np.unique((self.bucket * cells + self.cell) * len(distinct) + weight, return_inverse=True)
        logs = self.table.reshape(-1, experts)[kinds // len(distinct)] * distinct[kinds % len(distinct), None]
        gained = np.expm1(logs)
        found = np.zeros((len(starts), experts))
        for row, (begin, end) in enumerate(pairwise([*starts.tolist(), len(kind)])):
            some, counts = np.unique(kind[begin:end], return_counts=True)
            found[row] = np.einsum("k,ke->e", counts.astype(np.float64), gained[some])
        return found


def _sum_of_cells(counts: Floats, table: Floats) -> Floats:
    """Returns the table's entries summed over each bucket's rows, (buckets, experts)."""
    found: Floats = np.einsum("bc,bck->bk", counts, table)
    return found

"""Cells: a quantity's range cut into at most 64 parts by its golden values, and what each expert pays in each part.

Theory. Counting rows per cell is all that sense does to a value, and counts of frames and shards simply add up. A cell
stands for an interval of u, as long as its golden mass. A value shared by at least 1/64 of the golden rows (zero, a
default, a category) is a cell of its own: the interval of u it stands for is longer than 1/64, and an expert pays there
what it pays on average over that interval. So Σ mass · pay-off = 1 exactly whatever the atoms, and no random number is
drawn to spread ties. The other values fall into quantile cells. Below the least and above the greatest golden value
begins nothing new: such values fall into the end cells.

A lookup finds the cells of all quantities, season buckets and rows at once: a binary search in six steps, each step one
pass over all values. No branch depends on a value, so the processor guesses none wrongly: a third of searchsorted's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS
from models.experts import PAYOFFS

EDGES: Final = CELLS - 1
MOST_ATOMS: Final = EDGES // 2
"""Each may need a cell for itself and one for the gap above it."""
PSEUDO_ROWS: Final = 0.5
"""Added to every cell (Jeffreys): a cell that golden traffic left empty is improbable, not impossible."""
STEPS: Final = (32, 16, 8, 4, 2, 1)
"""Of the binary search; they add up to EDGES."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One quantity in one season bucket.

    Attributes:
        edges: float32 (≤ 63,), rising; a value's cell is the number of edges ≤ it.
        masses: float64 (edges + 1,), > 0, summing to 1.
        rows: sum of the weights behind `masses`.
    """

    edges: NDArray[np.float32]
    masses: NDArray[np.float64]
    rows: float


def cells_of(values: NDArray[np.float32], weights: NDArray[np.float64]) -> Cells:
    """Returns the cells that a weighted golden sample asks for; one cell for everything when it is empty.

    Args:
        values: float32 (rows,); NaN is skipped.
        weights: float64 (rows,), ≥ 0.
    """
    known = ~np.isnan(values) & (weights > 0)
    levels, which = np.unique(values[known] + np.float32(0), return_inverse=True)
    masses = np.bincount(which, weights[known], len(levels))
    total = float(masses.sum())
    if total <= 0:
        return Cells(np.empty(0, np.float32), np.ones(1), 0.0)
    edges = _edges(levels, masses / total)
    counts = np.bincount(np.searchsorted(edges, levels, "right"), masses, len(edges) + 1) + PSEUDO_ROWS
    return Cells(edges, counts / counts.sum(), total)


def _edges(levels: NDArray[np.float32], shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns both ends of every atom, and quantiles of what lies between atoms with the cells that are left."""
    heaviest = np.argsort(-shares, kind="stable")[:MOST_ATOMS]
    atoms = np.sort(heaviest[shares[heaviest] >= 1.0 / CELLS])
    starts, ends = np.concatenate(([0], atoms + 1)), np.concatenate((atoms, [len(levels)]))
    before = np.concatenate(([0.0], np.cumsum(shares)))
    gaps = before[ends] - before[starts]
    edges = [levels[atoms], np.nextafter(levels[atoms], np.float32(np.inf))]
    left = CELLS - len(atoms) - len(gaps)  # cells beyond the one that every gap has
    for start, end, cuts in zip(starts.tolist(), ends.tolist(), _shared_out(gaps, left), strict=True):
        marks = before[start] + (before[end] - before[start]) * np.arange(1, cuts + 1) / (cuts + 1)
        inner = np.searchsorted(before[start + 1 : end], marks, "left") + start + 1
        edges.append(levels[inner[inner < end]])
    return np.unique(np.concatenate(edges))


def _shared_out(gaps: NDArray[np.float64], cells: int) -> list[int]:
    """Returns how many of `cells` cuts each gap gets, in proportion to its mass."""
    mass = float(gaps.sum())
    return np.floor(gaps / mass * cells + 1e-9).astype(int).tolist() if mass > 0 else [0] * len(gaps)


def padded(cells: Cells) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Returns edges float32 (63,), padded with +inf, and masses float64 (64,), padded with 0: as a baseline holds them."""
    edges, masses = np.full(EDGES, np.inf, np.float32), np.zeros(CELLS)
    edges[: len(cells.edges)] = cells.edges
    masses[: len(cells.masses)] = cells.masses
    return edges, masses


def pay_offs(masses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns what each expert pays in each cell, (cells, experts): its average over the cell's interval of u.

    Args:
        masses: float64 (cells,), ≥ 0, summing to 1. A cell of mass 0 pays 1: it says nothing.
    """
    ends = np.concatenate(([0.0], np.cumsum(masses)))
    ends /= ends[-1]
    earned = _earned(ends)
    width = np.diff(ends)[:, None]
    return np.divide(np.diff(earned, axis=0), width, out=np.ones((len(masses), PAYOFFS.shape[1])), where=width > 0)


def _earned(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the integral of each expert's pay-off from 0 to each u."""
    whole = np.concatenate((np.zeros((1, PAYOFFS.shape[1])), np.cumsum(PAYOFFS, axis=0))) / CELLS
    cell = np.minimum((u * CELLS).astype(np.int64), CELLS - 1)
    return whole[cell] + (u - cell / CELLS)[:, None] * PAYOFFS[cell]


@dataclass(frozen=True, slots=True)
class Lookup:
    """The edges of all quantities and buckets, ready to be searched at once.

    Attributes:
        quantities: how many.
        edges: float32 (buckets * quantities * EDGES,).
    """

    quantities: int
    edges: NDArray[np.float32]

    def cells(self, values: NDArray[np.float32], bucket: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the cell of each value, (quantities, rows); 0 for NaN.

        Args:
            values: float32 (quantities, rows).
            bucket: int64 (rows,), the season bucket of each row, or (1,), of all of them.
        """
        first = (bucket[None, :] * self.quantities + np.arange(self.quantities)[:, None]) * EDGES
        found = first + np.zeros(values.shape, np.int64)
        for step in STEPS:
            found += (self.edges[step - 1 :].take(found) <= values) * np.int64(step)
        return found - first


def lookup_of(edges: NDArray[np.float32]) -> Lookup:
    """Returns the lookup over these edges, float32 (buckets, quantities, EDGES) padded with +inf."""
    return Lookup(edges.shape[1], np.ascontiguousarray(edges, np.float32).reshape(-1))

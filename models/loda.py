"""LODA: histograms of sparse random projections, frozen on golden rows (Pevný 2016, Machine Learning 102), and neighbours.

Theory. A row is strange if it lies where golden rows are thin. In many dimensions nobody can count them, but along a random
direction that mixes a few features anybody can: a histogram. The score is the mean over 100 directions of minus the log
of the histogram's density there, less what golden rows have on average: 0 is usual, each unit makes the row e times as
unlikely per direction. Missing values stand at the golden centre: skipping every direction that reads a missing value, as
the paper also offers, leaves no direction at all where records are wide and patchy. A row in a hole that no direction shows
is far from every golden row: how far (`neighbours.py`) is the second opinion, added with twice the spread of the first.

A score belongs to its row alone: projections add up feature by feature in a fixed order, and surprises and distances are
integers, whose sum has none. Scores of golden rows that neither opinion has seen turn it into a conformal p-value (Vovk et
al. 2005): at most a share p of traffic like the golden has p-value ≤ p.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.histogram import CELLS
from models.neighbours import Near, Neighbours, near_of
from models.standardise import Column, Scales, Standard, standard_of

PROJECTIONS: Final = 100
UNIT: Final = 2.0**-18
"""Of the integers, in nats of the score: the sum of both opinions stays under 2²⁴, so float32 holds it exactly."""
MOST_NATS: Final = 30.0
"""Of either opinion."""
CALIBRATION_ROWS: Final = 4_096
TAIL: Final = 1 / 16
BLOCK: Final = 512
"""Rows scored at once: their projections stay in the processor's cache."""


class Loda(msgspec.Struct, frozen=True, array_like=True):
    """A frozen LODA and the scores of golden rows it was not built from.

    Attributes:
        scales: how features are standardised.
        which: uint16 (PROJECTIONS, nonzero): feature indices of each projection; empty when no feature varies.
        weights: float32 (PROJECTIONS, nonzero): in bins.
        offset: float32 (PROJECTIONS,): added to the weighted sum; its integer part is then the cell.
        surprise: int32 (PROJECTIONS, CELLS): part of the score, in UNITs.
        calibration: float32 (≤ CALIBRATION_ROWS,): scores of held-out golden rows, rising.
        neighbours: the second opinion; None in baselines of before there was one, and of very few rows.
    """

    scales: Scales
    which: bytes
    weights: bytes
    offset: bytes
    surprise: bytes
    calibration: bytes
    neighbours: Neighbours | None = None


@dataclass(frozen=True, slots=True)
class Face:
    """The numpy face of a `Loda`.

    Attributes:
        standard: of its scales.
        which: int64 (nonzero, projections).
        weights: float32 (nonzero, projections, 1).
        terms: (which, weights) of every term after the first, of as many projections as have one.
        offset: float32 (projections, 1).
        first_cell: int64 (projections, 1): where each one's cells begin in `surprise`.
        surprise: int32 (projections * CELLS,).
        calibration: float32, rising.
        near: the second opinion.
    """

    standard: Standard
    which: NDArray[np.int64]
    weights: Column
    terms: tuple[tuple[NDArray[np.int64], Column], ...]
    offset: Column
    first_cell: NDArray[np.int64]
    surprise: NDArray[np.int32]
    calibration: Column
    near: Near | None

    def projected(self, standardised: Column) -> Column:
        """Returns each row along each projection, (projections, rows), added up in a fixed order."""
        at: Column = np.take(standardised, self.which[0], axis=0)
        at *= self.weights[0]
        at += self.offset
        part = np.empty_like(at)
        for which, weights in self.terms:
            term = part[: len(which)]
            standardised.take(which, axis=0, out=term, mode="clip")
            term *= weights
            at[: len(which)] += term
        return at

    def cells(self, standardised: Column) -> NDArray[np.int64]:
        """Returns each projection's cell of each row, (projections, rows)."""
        at = self.projected(standardised)
        np.clip(at, np.float32(0), np.float32(CELLS - 1), out=at)
        return at.astype(np.int32).astype(np.int64)  # in two steps, for which processors have instructions

    def surprises(self, standardised: Column) -> NDArray[np.int32]:
        """Returns each projection's part of each row's score, (projections, rows), in UNITs."""
        cells = self.cells(standardised)
        cells += self.first_cell
        return self.surprise.take(cells, mode="clip")

    def strangeness(self, standardised: Column) -> NDArray[np.int32]:
        """Returns each row's score, (rows,), in UNITs."""
        total: NDArray[np.int32] = np.add.reduce(self.surprises(standardised), axis=0, dtype=np.int32)
        if self.near is not None:
            nats = self.near.nats(standardised[self.standard.usable])
            total += np.rint(np.clip(nats, -MOST_NATS, MOST_NATS) / UNIT).astype(np.int32)
        return total

    def scores(self, values: Column) -> NDArray[np.float64]:
        """Returns each row's score: see `scores` below."""
        found = np.full(values.shape[1], np.nan)
        if not len(self.which):
            return found
        for begin in range(0, values.shape[1], BLOCK):
            block = values[:, begin : begin + BLOCK]
            np.multiply(self.strangeness(self.standard.apply(block)), UNIT, out=found[begin : begin + BLOCK])
        absent = np.isnan(values)
        if absent.any():
            found[absent[self.standard.usable].all(axis=0)] = np.nan
        return found

    @property
    def tail(self) -> np.float32:
        """Returns the score that a golden share of TAIL exceeds: where those lie among themselves is watched as well."""
        beyond = int(len(self.calibration) * TAIL)
        return self.calibration[-1 - beyond] if len(self.calibration) else np.float32(np.inf)

    def p_values(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns each score's p-value: see `p_values` below."""
        rows = len(self.calibration)
        p = (1.0 + rows - np.searchsorted(self.calibration, found.astype(np.float32), "left")) / (rows + 1.0)
        return np.where(np.isnan(found), np.nan, p)


@lru_cache(maxsize=256)
def face_of(loda: Loda) -> Face:
    """Returns the numpy face, decoded once."""
    which = np.frombuffer(loda.which, "<u2").reshape(PROJECTIONS, -1)
    weights = np.frombuffer(loda.weights, "<f4").reshape(PROJECTIONS, -1)
    mixed, scale = np.ascontiguousarray(which.T, np.int64), np.ascontiguousarray(weights.T, np.float32)[:, :, None]
    ends = [int(np.flatnonzero(of_term).max(initial=-1)) + 1 for of_term in scale[1:, :, 0]]
    standard = standard_of(loda.scales)
    return Face(
        standard=standard,
        which=mixed,
        weights=scale,
        terms=tuple((mixed[term, :end], scale[term, :end]) for term, end in enumerate(ends, 1)),
        first_cell=np.arange(PROJECTIONS)[:, None] * CELLS,
        offset=np.frombuffer(loda.offset, "<f4")[:, None],
        surprise=np.frombuffer(loda.surprise, "<i4"),
        calibration=np.frombuffer(loda.calibration, "<f4"),
        near=None if loda.neighbours is None else near_of(loda.neighbours, len(standard.usable)),
    )


def scores(loda: Loda, values: Column) -> NDArray[np.float64]:
    """Returns each row's score in nats, 0 for a usual row, exact in float32; NaN where no feature that varies is known.

    Args:
        loda: frozen.
        values: float32 (features, rows), in the order of the features it was built from, NaN = missing.
    """
    return face_of(loda).scores(values)


def p_values(loda: Loda, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns each score's conformal p-value, in (0, 1]: the share of held-out golden rows, and itself, at least as strange.

    Args:
        loda: frozen.
        found: scores; NaN stays NaN.
    """
    return face_of(loda).p_values(found)

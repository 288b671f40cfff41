"""LODA: an ensemble of histograms of sparse random projections, frozen on golden rows (Pevný 2016, Machine Learning 102).

Theory. A row is strange if it lies where golden rows are thin. In many dimensions nobody can count them, but along a random
direction that mixes a few features anybody can: a histogram. The score is the mean over 100 directions of minus the log
of the histogram's density there, less what golden rows have on average: 0 is usual, each unit makes the row e times as
unlikely per direction. Missing values stand at the golden centre: skipping every direction that reads a missing value, as
the paper also offers, leaves no direction at all where records are wide and patchy.

A score belongs to its row alone: projections add up feature by feature in a fixed order, and surprises are integers, whose
sum has none. Scores of golden rows that no histogram has seen turn it into a conformal p-value (Vovk et al. 2005): at most a
share p of traffic like the golden has p-value ≤ p.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.directions import directions
from models.histogram import CELLS, bins_of, surprise_of
from models.standardise import Column, Scales, Standard, fit_scales, standard_of

PROJECTIONS: Final = 100
UNIT: Final = 2.0**-19
"""Of the integers, in nats of the score: the sum of all projections stays under 2²⁴, so float32 holds it exactly."""
MOST_NATS: Final = 30.0
FIT_ROWS: Final = 16_384
CALIBRATION_ROWS: Final = 4_096
REFERENCES: Final = 1_024
BLOCK: Final = 512
"""Rows scored at once: their projections stay in the processor's cache."""
BLOCKS: Final = 20
EVERY: Final = 4
"""Of the blocks that golden rows are cut into, every fourth is held out of the histograms."""


class Loda(msgspec.Struct, frozen=True, array_like=True):
    """A frozen LODA and the scores of golden rows it was not built from.

    Attributes:
        scales: how features are standardised.
        which: uint16 (PROJECTIONS, nonzero): feature indices of each projection; empty when no feature varies.
        weights: float32 (PROJECTIONS, nonzero): in bins.
        offset: float32 (PROJECTIONS,): added to the weighted sum; its integer part is then the cell.
        surprise: int32 (PROJECTIONS, CELLS): part of the score, in UNITs.
        calibration: float32 (≤ CALIBRATION_ROWS,): scores of held-out golden rows, rising.
    """

    scales: Scales
    which: bytes
    weights: bytes
    offset: bytes
    surprise: bytes
    calibration: bytes


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
    """

    standard: Standard
    which: NDArray[np.int64]
    weights: Column
    terms: tuple[tuple[NDArray[np.int64], Column], ...]
    offset: Column
    first_cell: NDArray[np.int64]
    surprise: NDArray[np.int32]
    calibration: Column

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

    def scores(self, values: Column) -> NDArray[np.float64]:
        """Returns each row's score: see `scores` below."""
        found = np.full(values.shape[1], np.nan)
        if not len(self.which):
            return found
        for begin in range(0, values.shape[1], BLOCK):
            block = values[:, begin : begin + BLOCK]
            total = np.add.reduce(self.surprises(self.standard.apply(block)), axis=0, dtype=np.int32)
            np.multiply(total, UNIT, out=found[begin : begin + BLOCK])
        absent = np.isnan(values)
        if absent.any():
            found[absent[self.standard.usable].all(axis=0)] = np.nan
        return found


@lru_cache(maxsize=256)
def face_of(loda: Loda) -> Face:
    """Returns the numpy face, decoded once."""
    which = np.frombuffer(loda.which, "<u2").reshape(PROJECTIONS, -1)
    weights = np.frombuffer(loda.weights, "<f4").reshape(PROJECTIONS, -1)
    mixed, scale = np.ascontiguousarray(which.T, np.int64), np.ascontiguousarray(weights.T, np.float32)[:, :, None]
    ends = [int(np.flatnonzero(of_term).max(initial=-1)) + 1 for of_term in scale[1:, :, 0]]
    return Face(
        standard=standard_of(loda.scales),
        which=mixed,
        weights=scale,
        terms=tuple((mixed[term, :end], scale[term, :end]) for term, end in enumerate(ends, 1)),
        first_cell=np.arange(PROJECTIONS)[:, None] * CELLS,
        offset=np.frombuffer(loda.offset, "<f4")[:, None],
        surprise=np.frombuffer(loda.surprise, "<i4"),
        calibration=np.frombuffer(loda.calibration, "<f4"),
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
    calibration = face_of(loda).calibration
    rows = len(calibration)
    p = (1.0 + rows - np.searchsorted(calibration, found.astype(np.float32), "left")) / (rows + 1.0)
    return np.where(np.isnan(found), np.nan, p)


def offenders(loda: Loda, features: tuple[str, ...], values: Column, n: int = 3) -> tuple[str, ...]:
    """Returns the names of up to `n` features that make a row strange, the strangest first.

    A feature's part is the difference in mean surprise between the projections with and without it, in its standard errors
    (Pevný's t). A feature that is the only one is in every projection; then its distance from the centre decides.

    Args:
        loda: frozen.
        features: names, in the order of `values`.
        values: float32 (features,), one row.
        n: at most.
    """
    face = face_of(loda)
    if not len(face.which):
        return ()
    standardised = face.standard.apply(values[:, None])
    part = face.surprises(standardised)[:, 0].astype(np.float64)
    inside = np.zeros((len(part), len(features)), bool)
    mixed, projection = np.nonzero(face.weights[:, :, 0])
    inside[projection, face.which[mixed, projection]] = True
    strange = np.abs(standardised[:, 0]).astype(np.float64)
    if not inside[:, face.standard.usable].all():
        strange = np.array([_welch(part[mine], part[~mine]) for mine in inside.T])
    order = np.argsort(-strange, kind="stable")[:n].tolist()
    return tuple(features[index] for index in order if strange[index] > 0)


def _welch(mine: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    if len(mine) < 2 or len(others) < 2:
        return 0.0
    error = mine.var(ddof=1) / len(mine) + others.var(ddof=1) / len(others)
    return float((mine.mean() - others.mean()) / np.sqrt(error)) if error > 0 else 0.0


def held_out(rows: int) -> NDArray[np.bool_]:
    """Returns which of so many golden rows no histogram sees: whole runs of neighbours, so that no session is on both sides."""
    block = np.arange(rows) * BLOCKS // max(rows, 1)
    aside: NDArray[np.bool_] = block % EVERY == EVERY - 1
    return aside


def build_loda(values: Column, features: tuple[str, ...], seed: int) -> tuple[Loda, bytes]:
    """Returns a LODA frozen on golden rows, and up to REFERENCES of them standardised, float32 (rows, features).

    Scores of golden rows that stand for later ones must be those of `held_out` rows: the others made the histograms.

    Args:
        values: float32 (features, rows), in the order in which they came, NaN = missing.
        features: names; one that starts with `=` is a category.
        seed: of the projections.
    """
    rng, aside = np.random.default_rng(seed), held_out(values.shape[1])
    golden = _thinned(values[:, ~aside], FIT_ROWS)
    scales = fit_scales(golden, features)
    fitted = standard_of(scales).apply(golden)
    references = np.ascontiguousarray(_thinned(fitted, REFERENCES).T, "<f4").tobytes()
    usable = standard_of(scales).usable
    if not len(usable):
        return Loda(scales, b"", b"", b"", b"", b""), references
    loda = _frozen(scales, directions(fitted, usable, PROJECTIONS, rng), fitted, rng.random(PROJECTIONS))
    calibration = np.sort(scores(loda, _thinned(values[:, aside], CALIBRATION_ROWS)))
    return msgspec.structs.replace(loda, calibration=calibration[~np.isnan(calibration)].astype("<f4").tobytes()), references


def _thinned(values: Column, most: int) -> Column:
    """Returns at most so many of the rows, evenly spaced."""
    rows = values.shape[1]
    return values if rows <= most else values[:, np.arange(most) * rows // most]


def _frozen(
    scales: Scales, drawn: tuple[NDArray[np.int64], NDArray[np.float64]], fitted: Column, phases: NDArray[np.float64]
) -> Loda:
    """Returns the LODA of these directions over standardised golden rows, not calibrated yet."""
    which, weights = drawn
    bare = Loda(scales, which.astype("<u2").tobytes(), b"", b"", b"", b"")
    plain = msgspec.structs.replace(
        bare,
        weights=weights.astype("<f4").tobytes(),
        offset=np.zeros(PROJECTIONS, "<f4").tobytes(),
    )
    projected = face_of(plain).projected(fitted)
    bins = [bins_of(values, phase) for values, phase in zip(projected, phases.tolist(), strict=True)]
    per_unit = np.array([one.per_unit for one in bins])
    offset = 1.0 - np.array([one.low for one in bins]) * per_unit
    placed = msgspec.structs.replace(
        bare,
        weights=(weights * per_unit[:, None]).astype("<f4").tobytes(),
        offset=offset.astype("<f4").tobytes(),
    )
    cells = face_of(placed).cells(fitted)
    nats = np.stack([surprise_of(row, one) for row, one in zip(cells, bins, strict=True)])
    parts = np.rint(np.clip(nats, -MOST_NATS, MOST_NATS) / (PROJECTIONS * UNIT)).astype("<i4")
    return msgspec.structs.replace(placed, surprise=parts.tobytes())

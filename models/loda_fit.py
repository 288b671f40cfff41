"""LODA fit: golden rows into a frozen LODA, its neighbours, and scores of golden rows that neither has seen."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.directions import directions
from models.histogram import bins_of, surprise_of
from models.loda import CALIBRATION_ROWS, MOST_NATS, PROJECTIONS, UNIT, Loda, face_of, scores
from models.neighbours import build_neighbours
from models.standardise import Column, Scales, fit_scales, standard_of

SECOND: Final = 2.0
"""Spread of the second opinion over that of the first, among golden rows."""
FIT_ROWS: Final = 16_384
REFERENCES: Final = 1_024
"""Golden rows that a baseline keeps for others to compare with."""
NEIGHBOURS: Final = 2_048
NUMBERS: Final = 1 << 16
"""Of the neighbours, at most: the wider the rows, the fewer can be afforded."""
BLOCKS: Final = 20
EVERY: Final = 4
"""Of the blocks that golden rows are cut into, every fourth is held out of the histograms."""


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
    loda = _seconded(_frozen(scales, directions(fitted, usable, PROJECTIONS, rng), fitted, rng.random(PROJECTIONS)), fitted)
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


def _seconded(loda: Loda, fitted: Column) -> Loda:
    """Returns the LODA with its second opinion, whose spread is learnt from rows that either has seen."""
    face = face_of(loda)
    spread = float(face.strangeness(fitted).std()) * UNIT
    usable = face.standard.usable
    references = _thinned(fitted[usable], min(NEIGHBOURS, NUMBERS // len(usable))).T
    neighbours = build_neighbours(references, SECOND * spread)
    return msgspec.structs.replace(loda, neighbours=neighbours)

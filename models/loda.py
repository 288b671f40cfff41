"""LODA: an ensemble of histograms of sparse random projections, frozen on golden rows."""

from __future__ import annotations

import msgspec


class Loda(msgspec.Struct, frozen=True, array_like=True):
    """A frozen LODA and the scores of golden rows it was not built from.

    Attributes:
        which: uint16 (projections, nonzero): feature indices of each projection.
        weights: float32 (projections, nonzero).
        low: float32 (projections,): left end of each histogram.
        scale: float32 (projections,): bins per unit.
        surprise: float32 (projections, bins): minus log density of each bin.
        centre: float32 (features,): subtracted from each value.
        spread: float32 (features,): what it is then divided by.
        rarity: feature index → {category code: its value instead}; other codes get the largest.
        calibration: float32 (rows,): scores of held-out golden rows, rising.
    """

    which: bytes
    weights: bytes
    low: bytes
    scale: bytes
    surprise: bytes
    centre: bytes
    spread: bytes
    rarity: tuple[tuple[int, tuple[tuple[int, float], ...]], ...]
    calibration: bytes

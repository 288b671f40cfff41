"""Standardised features: numbers of any unit, and categories, made comparable by golden rows, the same on every machine.

A value is centred on the golden median and measured in golden spreads. Within one spread it stays as it is; beyond, it grows
with its logarithm, for features of telemetry have heavy tails: without this, one golden row at a million spreads would
squeeze all the others into one bin of a histogram. Ranks would do that too, but they also close the gaps between values, and
a value in a gap is strange. A category becomes its rarity, minus the log of its golden share: what was never seen is rarest.

The logarithm is read off the bits of the float, which is exact at powers of two, straight between them, and at most .09 from
log₂ there. Only +, -, * and integers are used, so neither the processor nor the rows beside it can change a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]

SPREADS: Final = ((0.25, 0.75, 1.349), (0.05, 0.95, 3.29), (0.01, 0.99, 4.653))
"""(quantile, quantile, their distance on a normal distribution in standard deviations); the first that differ count."""
LEAST_SPREAD: Final = 1e-30
MOST_CATEGORIES: Final = 1_024
"""Per feature. The rest is as rare as what was never seen."""
ONE_BITS: Final = np.int32(0x3F80_0000)
PER_OCTAVE: Final = np.float32(2.0**-23)
ZERO, ONE = np.float32(0), np.float32(1)


class Scales(msgspec.Struct, frozen=True, array_like=True):
    """How features are standardised.

    Attributes:
        centre: float32 (features,).
        per_spread: float32 (features,), 1 / spread; 0 for a feature that golden rows did not vary or did not have.
        unit: float32 (features,), makes the root mean square of the golden rows 1.
        rarity: (feature index, uint32 codes rising, float32 rarity of each and, last, of every other code), per category.
    """

    centre: bytes
    per_spread: bytes
    unit: bytes
    rarity: tuple[tuple[int, bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Standard:
    """The numpy face of `Scales`."""

    centre: Column
    per_spread: Column
    unit: Column
    rarity: tuple[tuple[int, Column, Column], ...]

    @property
    def usable(self) -> NDArray[np.int64]:
        """Returns the indices of the features that say anything."""
        return np.flatnonzero(self.per_spread)

    def apply(self, values: Column) -> Column:
        """Returns the rows standardised, float32 (features, rows), finite; a missing value stands at the centre, 0."""
        return _apply(self, _ranked(values, self.rarity))


def _ranked(values: Column, rarity: tuple[tuple[int, Column, Column], ...]) -> Column:
    """Returns the values, with the rarity of each category in place of its code."""
    ranked = values.copy() if rarity else values
    for feature, codes, rarities in rarity:
        column = values[feature]
        place = np.searchsorted(codes, column)
        seen = np.append(codes, np.float32(np.nan))[place] == column
        ranked[feature] = np.where(np.isnan(column), column, np.where(seen, rarities[place], rarities[-1]))
    return ranked


def _apply(standard: Standard, ranked: Column) -> Column:
    with np.errstate(over="ignore", invalid="ignore"):  # a value near the end of float32 may pass it; its bits stay in order
        spreads = (ranked - standard.centre[:, None]) * standard.per_spread[:, None]
        bits = (np.abs(spreads) + ONE).view(np.int32) - ONE_BITS
    curved = np.copysign(bits.astype(np.float32) * PER_OCTAVE, spreads)
    curved *= standard.unit[:, None]
    np.copyto(curved, ZERO, where=np.isnan(spreads))
    standardised: Column = curved
    return standardised


def standard_of(scales: Scales) -> Standard:
    """Returns the numpy face."""
    centre, per_spread, unit = (np.frombuffer(data, "<f4") for data in (scales.centre, scales.per_spread, scales.unit))
    rarity = ((i, np.frombuffer(codes, "<u4").astype(np.float32), np.frombuffer(r, "<f4")) for i, codes, r in scales.rarity)
    return Standard(centre, per_spread, unit, tuple(rarity))


def fit_scales(values: Column, features: tuple[str, ...]) -> Scales:
    """Returns the scales that golden rows ask for.

    Args:
        values: float32 (features, rows), NaN = missing.
        features: names; one that starts with `=` is a category.
    """
    categories = [index for index, name in enumerate(features) if name.startswith("=")]
    rarity = tuple((index, *_rarity(values[index])) for index in categories)
    ranked = _ranked(values, tuple((index, codes.astype(np.float32), r.astype(np.float32)) for index, codes, r in rarity))
    places = [_place(column[~np.isnan(column)].astype(np.float64)) for column in ranked]
    centre = np.array([centre for centre, _ in places], "<f4")
    per_spread = np.array([1.0 / max(spread, LEAST_SPREAD) if spread > 0 else 0.0 for _, spread in places], "<f4")
    curved = _apply(Standard(centre, per_spread, np.ones_like(centre), ()), ranked)
    known = np.maximum((~np.isnan(ranked)).sum(axis=1), 1)
    size = np.sqrt(np.square(curved, dtype=np.float64).sum(axis=1) / known)
    unit = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0).astype("<f4")
    return Scales(
        centre=centre.tobytes(),
        per_spread=np.where(unit > 0, per_spread, ZERO).tobytes(),
        unit=unit.tobytes(),
        rarity=tuple((index, codes.astype("<u4").tobytes(), r.astype("<f4").tobytes()) for index, codes, r in rarity),
    )


def _place(known: NDArray[np.float64]) -> tuple[float, float]:
    """Returns centre and spread of a feature's golden values; (0, 0) when they are all the same or there are none."""
    if not len(known) or known.min() == known.max():
        return 0.0, 0.0
    for low, high, sigmas in SPREADS:
        bottom, top = np.quantile(known, (low, high))
        if top > bottom:
            return float(np.median(known)), float(top - bottom) / sigmas
    return float(np.median(known)), float(known.std())


def _rarity(column: Column) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the codes to remember, and their rarity with, last, that of all others.

    The first row of each code does not count. Else the codes of an id would look seen in golden rows and never after.
    """
    codes, counts = np.unique(column[~np.isnan(column)].astype(np.int64), return_counts=True)
    again = counts - 1
    kept = np.sort(np.argsort(-again, kind="stable")[: min(MOST_CATEGORIES, int((again > 0).sum()))])
    # Half a row is added to each side (Jeffreys): what was never seen is rare, not impossible.
    rarity: NDArray[np.float64] = -np.log((np.append(again[kept], 0) + 0.5) / (again.sum() + 1.0))
    return codes[kept], rarity

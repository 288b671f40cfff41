"""Margins: how near to the decision boundary golden rows come, and how many of them any one caller asks.

Theory. A question at distance d from the boundary is as odd as golden rows so near are rare: u = F(d) is uniform on (0,
1) among near rows as long as nothing has changed. Below the nearest golden rows F is continued as a straight line to 0:
seen from so near every smooth density is even. Where scores are rounded, or a few values are shared by many, such a step
lies at a golden distance, and below it nothing is ever seen. F is raised by the error of the golden sample and by EVEN,
so that a sale, or a score that is distributed a little otherwise, leaves u at least as large as a uniform one: then u is
a p-value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.rows import Rows

FIRST_KNOT: Final = 8
"""Golden rows below the first distance at which F is known."""
KNOTS: Final = 1.25
"""Each next knot has so many times the rows below it."""
EVEN: Final = 1.5
"""So much more than golden rows may crowd anywhere near the boundary without being evidence."""

Floats = NDArray[np.float64]


class Margins(msgspec.Struct, frozen=True, array_like=True):
    """See the module.

    Attributes:
        distances: float32 (knots,), rising, distances from the boundary.
        shares: float32 (knots,), share of the golden near rows that are at most so far, raised.
        near_rows: golden rows that are near.
        near_share: of all golden rows with a confidence.
        usual: largest share of near rows that any golden caller has, see `caller_shares.usual_share`.
        kinds: largest share of near rows of new, pure and known callers, see `strangers.golden_shares`.
        low: lowest golden confidence.
        high: highest.
        callers: those of the golden rows, see `caller_counts.places_of`: nobody of them is new.
    """

    distances: bytes
    shares: bytes
    near_rows: int
    near_share: float
    usual: float
    kinds: tuple[float, float, float]
    low: float
    high: float
    callers: bytes = b""


@dataclass(frozen=True, slots=True)
class Scale:
    """The numpy face of `Margins`: float64 (knots + 1,), beginning with 0."""

    distances: Floats
    shares: Floats

    def rarity(self, distance: Floats) -> Floats:
        """Returns u of each distance ≥ 0 from the boundary, in (0, 1]."""
        found: Floats = np.interp(distance, self.distances, self.shares)
        return np.clip(found, np.finfo(np.float32).tiny, 1.0)


@lru_cache(maxsize=256)
def scale_of(margins: Margins) -> Scale:
    """Returns the numpy face, decoded once."""
    distances, shares = (np.frombuffer(data, "<f4").astype(np.float64) for data in (margins.distances, margins.shares))
    return Scale(np.concatenate(([0.0], distances)), np.concatenate(([0.0], shares)))


def signed_distance(rows: Rows, boundary: float, usual: str = "") -> NDArray[np.float32]:
    """Returns how far each row lies beyond the boundary, float32 (rows,), NaN where unknown.

    Args:
        rows: of the model.
        boundary: the confidence at which the decision flips.
        usual: "" where confidence is a score, whose classes lie on either side; where it is the confidence in whatever was
            decided, the class that is said to lie below.
    """
    distance: NDArray[np.float32] = rows.confidence - np.float32(boundary)
    if not usual:
        return distance
    below = np.array([name == usual for name in rows.labels] or [False])
    return np.where(below[rows.label], -np.abs(distance), np.abs(distance))


def below_of(margins: Margins, boundary: float, labels: tuple[tuple[str, float], ...]) -> str:
    """Returns the `usual` of `signed_distance`: none has a confidence below the boundary if it is in what was decided."""
    return labels[0][0] if labels and margins.low >= boundary else ""


def knots_of(distance: NDArray[np.float32]) -> tuple[bytes, bytes]:
    """Returns `Margins.distances` and `Margins.shares` of the golden near rows' distances, at least FIRST_KNOT of them."""
    ordered = np.sort(distance)
    steps = int(np.ceil(np.log(len(ordered) / FIRST_KNOT) / np.log(KNOTS))) + 1
    ranks = np.unique(np.minimum(np.ceil(FIRST_KNOT * KNOTS ** np.arange(steps)), len(ordered)).astype(np.int64))
    knots = np.unique(ordered[ranks - 1])
    below = np.searchsorted(ordered, knots, "right")
    shares = EVEN * (below + np.sqrt(below)) / len(ordered)
    return knots.astype("<f4").tobytes(), np.minimum(shares, 1.0).astype("<f4").tobytes()

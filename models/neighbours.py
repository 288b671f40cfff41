"""Neighbours: how far a row lies from the nearest of frozen golden rows, where histograms of projections see nothing.

Theory. The distance to the nearest of n golden rows estimates how thin they lie (Loftsgaarden and Quesenberry 1965). Against
one sample it is as good as that sample's luck; the mean of its logarithm over four samples of a quarter each is steadier and
no dearer (Sugiyama and Borgwardt 2013; Ting et al. 2017, Machine Learning 106). A reference in a thin region is far from its
own neighbours too. Dividing by all of its own distance finds rows beside a dense cluster and forgives those far from
everything (local outlier factor, Breunig et al. 2000), dividing by none does the opposite; half of it, in logarithms, is
between the two: distances² are divided by the reference's own distance, not its square.

Squared distances are a matrix product of small integers, rows and references rounded to a grid on which no sum reaches 2²⁴:
float32 then holds it exactly, whatever order a BLAS adds in, and a row's distance does not depend on the rows beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]

GROUPS: Final = 4
OWN: Final = 5
"""A reference's own distance is that to its fifth neighbour."""
FARTHEST: Final = 8.0
"""Of a standardised feature: what lies beyond is as far as that."""
EXACT: Final = 2.0**24
MULTIPLICATIONS: Final = (1 << 19) - 1
"""Of one matrix product: OpenBLAS uses one thread for no more, and several cost more than they save."""
MOST_ROWS: Final = 256
DENSE: Final = 0.1
"""Quantile of references' own distances that none falls below."""
NEAR: Final = 0.05
"""Of the median distance of golden rows, added to every one: a copy of a reference is not infinitely near."""


class Neighbours(msgspec.Struct, frozen=True, array_like=True):
    """Frozen references.

    Attributes:
        grid: steps per standardised unit.
        rows: int16 (references, features), in steps.
        own: int8 (references,): the power of 2 that is divided by.
        near: added to each distance, in squared steps.
        usual: mean log of golden rows among the others, in 2⁻²³.
        weight: nats of the score for each of these.
    """

    grid: float
    rows: bytes
    own: bytes
    near: float
    usual: int
    weight: float


@dataclass(frozen=True, slots=True)
class Near:
    """The numpy face of `Neighbours`.

    Attributes:
        grid: steps per standardised unit.
        most: steps beyond which nothing lies.
        matrix: float32 (GROUPS, references, features + 2): -2 r, |r|² and 1, over the reference's own distance.
        near: see `Neighbours`, and what follows.
        usual: likewise.
        weight: likewise.
        most_rows: of one matrix product.
    """

    grid: np.float32
    most: np.float32
    matrix: Column
    near: np.float32
    usual: int
    weight: float
    most_rows: int

    def nats(self, standardised: Column) -> NDArray[np.float64]:
        """Returns how far each row is, float64 (rows,): 0 for a usual row.

        Args:
            standardised: float32 (features, rows).
        """
        rows = standardised.shape[1]
        tiles = max(-(-rows // self.most_rows), 1)
        tile = -(-rows // tiles)
        steps = np.zeros((self.matrix.shape[2], tiles * tile), np.float32)
        own = steps[:-2, :rows]
        np.multiply(standardised, self.grid, out=own)
        np.rint(np.clip(own, -self.most, self.most, out=own), out=own)
        steps[-2] = 1
        np.einsum("fr,fr->r", own, own, out=steps[-1, :rows])
        cut = np.ascontiguousarray(steps.reshape(len(steps), tiles, tile).transpose(1, 0, 2))
        nearest = np.matmul(self.matrix[:, None], cut[None]).min(axis=2)
        logs = _logs(nearest, self.near).reshape(-1)[:rows] - self.usual
        return logs.astype(np.float64) * self.weight


def _logs(nearest: Column, near: np.float32) -> NDArray[np.int64]:
    """Returns the mean log₂ of distances² (GROUPS, ...) over the groups, int64 (...), in 2⁻²³; straight between powers of 2."""
    logs: NDArray[np.int64] = (nearest + near).view(np.int32).sum(axis=0, dtype=np.int64) // GROUPS
    return logs


def near_of(neighbours: Neighbours, features: int) -> Near:
    """Returns the numpy face, for rows of so many features."""
    rows = np.frombuffer(neighbours.rows, "<i2").reshape(-1, features).astype(np.float32)
    own = _over(np.frombuffer(neighbours.own, "<i1"))
    square = np.einsum("rf,rf->r", rows, rows)
    matrix = np.concatenate((-2 * rows, square[:, None], np.ones_like(square)[:, None]), axis=1) * own[:, None]
    group = len(rows) // GROUPS
    return Near(
        grid=np.float32(neighbours.grid),
        most=np.float32(np.floor(FARTHEST * neighbours.grid)),
        matrix=np.ascontiguousarray(matrix[: group * GROUPS].reshape(group, GROUPS, -1).transpose(1, 0, 2)),
        near=np.float32(neighbours.near),
        usual=neighbours.usual,
        weight=neighbours.weight,
        most_rows=min(max(MULTIPLICATIONS // (group * matrix.shape[1]), 1), MOST_ROWS),
    )


def build_neighbours(references: Column, spread: float) -> Neighbours | None:
    """Returns frozen neighbours; None when there are too few of them.

    Args:
        references: float32 (rows, features), standardised, features that vary only.
        spread: standard deviation in nats that golden rows are to have among the others.
    """
    features, count = references.shape[1], len(references) // GROUPS * GROUPS
    if count < GROUPS * (OWN + 1):
        return None
    grid = np.float32(math.sqrt(EXACT / (4 * features)) / FARTHEST)
    most = np.floor(np.float32(FARTHEST) * grid)
    rows = np.rint(np.clip(references[:count] * grid, -most, most))
    square = np.einsum("rf,rf->r", rows, rows)
    distance = square[:, None] + square - 2 * (rows @ rows.T)
    np.fill_diagonal(distance, np.inf)
    own = np.sqrt(np.partition(distance, OWN - 1, axis=1)[:, OWN - 1].astype(np.float64))
    own = np.maximum(own, max(float(np.quantile(own, DENSE)), 1.0))
    power = np.clip(np.rint(np.log2(own / np.median(own))), -127, 127).astype("<i1")
    distance *= _over(power)
    nearest = np.stack([distance[:, group::GROUPS].min(axis=1) for group in range(GROUPS)])
    near = max(NEAR * float(np.median(nearest)), 1.0)
    logs = _logs(nearest, np.float32(near))
    weight = spread / max(float(logs.std()), 1.0)
    return Neighbours(float(grid), rows.astype("<i2").tobytes(), power.tobytes(), near, int(logs.mean()), weight)


def _over(power: NDArray[np.int8]) -> Column:
    """Returns what a reference's distances are multiplied by, float32 (references,)."""
    return np.ldexp(np.float32(1), -power.astype(np.int32)).astype(np.float32)

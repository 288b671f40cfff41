"""Fitting: what one quantity's golden values say, ready for a baseline.

The golden rows are weighed as live rows will be, by the same discount of the same ranks, before their cells are cut: a
caller that dominates the golden traffic weighs there what it will weigh here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Quantity, Watched, floats
from models.cells import Cells, cells_of, lookup_of, padded
from models.dependence import (
    RESIDUAL,
    burstiness,
    day_margin,
    day_or_part,
    intra_class_correlation,
    ranks_within,
    tempering,
    wandering,
)
from models.discount import discount
from models.experts import EXPERTS
from models.gains import Gains
from models.season import BUCKET_ROWS
from models.shiryaev_roberts import log_pay_offs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FEW: Final[tuple[Watched, ...]] = ("tail",)
"""Quantities that so few rows have that nobody can tell whether these come in bursts: they are taken to."""
LEAST_ROWS: Final = 100
"""Rows with a value, below which a quantity is not watched."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is the same for every quantity of the golden rows, in time order.

    Attributes:
        bucket: int64 (rows,), season buckets.
        buckets: how many there are.
        day: int64 (rows,), local days, rising.
        rank: int64 (rows,), each row's number among its caller's in its window, from 1.
        group: uint64 (rows,), one number per caller and window.
        harmless: burstiness up to which a caller's rows are not discounted.
    """

    bucket: Ints
    buckets: int
    day: Ints
    rank: Ints
    group: NDArray[np.uint64]
    harmless: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much is allowed for what golden traffic cannot tell; the replay gate raises it until the alarms stop.

    Attributes:
        sigmas: z, of the day margin and of the finite golden sample, ≥ 1.
        temper: whether exponents near 1 count as well.
    """

    sigmas: float = 1.0
    temper: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted quantity.

    Attributes:
        plain: exponents near 1 taken as 1, one standard deviation as margin.
        tempered: all exponents as found.
        steady: probability that exchangeable days would follow each other as closely, see `wandering`.
    """

    plain: Quantity
    tempered: Quantity
    steady: float

    def under(self, allowance: Allowance) -> Quantity:
        """Returns the quantity with this much allowed for: an error z times as large is that of 1/z² of the rows."""
        base = self.tempered if allowance.temper else self.plain
        rows = floats(base.golden_rows, -1, dtype="<f8") / allowance.sigmas**2
        margin = floats(base.margin, -1) * allowance.sigmas
        return msgspec.structs.replace(base, golden_rows=rows.tobytes(), margin=margin.astype("<f4").tobytes())


def fitted(outline: Quantity, values: NDArray[np.float32], ground: Ground) -> Fit | None:
    """Returns the quantity with all that its values say; None when too few rows have a value.

    Args:
        outline: what it watches.
        values: float32 (rows,), NaN where a row has none.
        ground: of these rows.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < LEAST_ROWS:
        return None
    values, bucket, group = values[known], ground.bucket[known], ground.group[known]
    ranks = ranks_within(values, bucket)
    bursty = outline.watches in FEW or burstiness(ranks) > ground.harmless
    correlation = intra_class_correlation(ranks, group) if bursty else 0.0
    weights = discount(ground.rank[known], correlation)
    cells = _cells(values, weights, bucket, ground.buckets)
    edges, masses = (np.stack(part) for part in zip(*map(padded, cells), strict=True))
    bare = msgspec.structs.replace(
        outline,
        edges=edges.astype("<f4").tobytes(),
        masses=masses.astype("<f8").tobytes(),
        golden_rows=np.array([found.rows for found in cells], "<f8").tobytes(),
        correlation=correlation,
        tempering=np.ones(len(EXPERTS), "<f4").tobytes(),
        margin=np.zeros(len(EXPERTS), "<f4").tobytes(),
    )
    cell = lookup_of(edges[:, None, :]).cells(values[None, :], bucket)[0]
    steady = wandering(ranks, weights, ground.day[known])
    rows = _Rows(bucket, cell, weights, day_or_part(ground.day[known]))
    if values.min() == values.max():  # nothing varies, so nothing depends on anything
        return Fit(bare, bare, 1.0)
    exponents = tempering(_gains(bare, rows))
    plain = _with_margin(bare, np.where(exponents < RESIDUAL, exponents, 1.0), rows)
    if (exponents >= RESIDUAL).all():
        return Fit(plain, plain, steady)
    return Fit(plain, _with_margin(bare, exponents, rows), steady)


@dataclass(frozen=True, slots=True)
class _Rows:
    bucket: Ints
    cell: Ints
    weights: Floats
    day: Ints


def _with_margin(bare: Quantity, exponents: Floats, rows: _Rows) -> Quantity:
    tempered = msgspec.structs.replace(bare, tempering=exponents.astype("<f4").tobytes())
    margin = day_margin(_gains(tempered, rows), rows.day, exponents)
    return msgspec.structs.replace(tempered, margin=margin.astype("<f4").tobytes())


def _gains(quantity: Quantity, rows: _Rows) -> Gains:
    """Returns what each row gains each expert, centred."""
    buckets = len(quantity.golden_rows) // 8
    tables = np.stack([log_pay_offs(quantity, bucket) for bucket in range(buckets)])
    return Gains(tables, rows.bucket, rows.cell, rows.weights).centred()


def _cells(values: NDArray[np.float32], weights: Floats, bucket: Ints, buckets: int) -> list[Cells]:
    """Returns the cells of each bucket; a thin or empty bucket is held against all rows."""
    pooled = cells_of(values, weights)
    if buckets == 1:
        return [pooled]
    found = []
    for index in range(buckets):
        inside = np.flatnonzero(bucket == index)
        found.append(cells_of(values[inside], weights[inside]) if len(inside) >= BUCKET_ROWS else pooled)
    return found

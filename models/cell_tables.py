"""Cell tables: the standardised space cut into cells several times over, and how much golden traffic lies in each.

Theory. Locality-sensitive hashing of real vectors (Datar, Immorlica, Indyk and Mirrokni 2004, SoCG): a table reads a few
features, shifts each by a random offset, cuts it into steps, and numbers the box that a row falls into. Rows that resemble
each other share a box in most tables, whatever the offsets; rows that do not share few. A box's golden share p says how many
of n later rows to expect there by themselves, λ = p·n, atoms of discrete features included; m of them are surprising by

    m ln(m/λ) - m + λ        nats, for m > λ (Chernoff 1952, for a Poisson count)

and the lower median of that over all tables is not moved by a box that two unlike crowds happen to share.

Which features, offsets and numbers there are depends on the golden rows, so that nobody outside can compute them. Box numbers
are 16-bit hashes. A golden share is kept as the logarithm of its count in a byte, within 3 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

TABLES: Final = 8
CELLS: Final = 1 << 16
"""Per table."""
LEVELS: Final = 20.0
"""Per factor e of a golden count."""
MANY: Final = np.uint32(0x85EB_CA6B)

Column = NDArray[np.float32]
Keys = NDArray[np.int64]


class Grid(msgspec.Struct, frozen=True, array_like=True):
    """Tables of one step, and the golden rows in their cells.

    Attributes:
        step: side of a box, in golden standard deviations.
        which: uint16 (TABLES, features read).
        offsets: float32, the same shape: fractions of a step.
        factors: uint32, the same shape: odd numbers that hash a box.
        rows: golden rows of each table.
        sizes: cells of each table that are not empty.
        cells: uint16: these, table by table, rising.
        levels: uint8: LEVELS times the logarithm of one more than the golden rows in each.
        prior: rows that every cell is given besides.
    """

    step: float
    which: bytes
    offsets: bytes
    factors: bytes
    rows: tuple[int, ...]
    sizes: tuple[int, ...]
    cells: bytes
    levels: bytes
    prior: float


class CellTables(msgspec.Struct, frozen=True, array_like=True):
    """What `collusion` holds of golden traffic.

    Attributes:
        events: of the model, over all shards, per window.
        habitual: uint8 (features,), 1 where golden rows miss a feature often enough for its absence to say nothing.
        grid: of all rows.
        threshold: of the score, nats.
        margin: distance from the decision boundary up to which a row is a near one; NaN when near rows are not scanned.
        near: of near rows; None with it.
        near_events: near rows per window.
        hit: score above which a near row speaks for a search, nats.
        everywhere: share of recent rows in hot cells from which on traffic has moved, whoever searches in it.
    """

    events: int
    habitual: bytes
    grid: Grid
    threshold: float
    margin: float = float("nan")
    near: Grid | None = None
    near_events: int = 0
    hit: float = float("inf")
    everywhere: float = 1.0


@dataclass(frozen=True, slots=True)
class Face:
    """The numpy face of a `Grid`.

    Attributes:
        which: int64 (features read, TABLES).
        offsets: float32 (features read, TABLES, 1).
        factors: uint32 (features read, TABLES, 1).
        per_step: 1 / step.
        level: uint8 (TABLES * CELLS,): of every cell.
        shares: float64 (TABLES, 256): what share of the traffic a cell of each level has.
    """

    which: NDArray[np.int64]
    offsets: Column
    factors: NDArray[np.uint32]
    per_step: np.float32
    level: NDArray[np.uint8]
    shares: NDArray[np.float64]

    def keys(self, standardised: Column) -> Keys:
        """Returns each row's cell in each table, int64 (rows, TABLES): table * CELLS + its number there.

        Only products and sums of single floats, and integers: neither the processor nor the rows beside it change a cell.

        Args:
            standardised: float32 (features, rows), finite.
        """
        number = np.zeros((TABLES, standardised.shape[1]), np.uint32)
        for which, offsets, factors in zip(self.which, self.offsets, self.factors, strict=True):
            at = standardised[which]
            at *= self.per_step
            at += offsets
            np.floor(at, out=at)
            number += at.astype(np.int32).view(np.uint32) * factors
        number ^= number >> np.uint32(15)
        number *= MANY
        number >>= np.uint32(16)
        keys = np.ascontiguousarray(number.T, np.int64)
        keys += FIRST
        return keys

    def void(self, absent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Returns which tables read a feature that a row lacks, bool (rows, TABLES).

        Args:
            absent: bool (features, rows).
        """
        lacking: NDArray[np.bool_] = np.logical_or.reduce(absent[self.which], axis=0)
        return lacking.T

    def expected(self, keys: Keys, events: int) -> NDArray[np.float64]:
        """Returns how many of so many events to expect in these cells by themselves, (rows, TABLES)."""
        return self.shares[TABLE, self.level[keys]] * events


FIRST: Final = np.arange(TABLES, dtype=np.int64) * CELLS
TABLE: Final = np.arange(TABLES)


@lru_cache(maxsize=256)
def face_of(grid: Grid) -> Face:
    """Returns the numpy face, decoded once."""
    which = np.frombuffer(grid.which, "<u2").reshape(TABLES, -1)
    level = np.zeros((TABLES, CELLS), np.uint8)
    cells, levels = np.frombuffer(grid.cells, "<u2"), np.frombuffer(grid.levels, "u1")
    ends = np.cumsum(grid.sizes)[:-1]
    for row, mine, its in zip(level, np.split(cells, ends), np.split(levels, ends), strict=True):
        row[mine] = its
    counts = np.expm1(np.arange(256) / LEVELS)
    return Face(
        which=np.ascontiguousarray(which.T, np.int64),
        offsets=np.ascontiguousarray(np.frombuffer(grid.offsets, "<f4").reshape(which.shape).T)[:, :, None],
        factors=np.ascontiguousarray(np.frombuffer(grid.factors, "<u4").reshape(which.shape).T)[:, :, None],
        per_step=np.float32(1.0 / grid.step),
        level=level.reshape(-1),
        shares=np.stack([np.minimum((counts + grid.prior) / (rows + grid.prior), 1.0) for rows in grid.rows]),
    )


def surprise(found: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns how surprising it is to find so many where so many were expected, nats, 0 for no more than expected."""
    nats = found * np.log(np.maximum(found, 1e-9) / expected) - found + expected
    return np.where(found > expected, nats, 0.0)


def lower_median(nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the lower median over the tables, (rows,) of (rows, TABLES)."""
    median: NDArray[np.float64] = np.sort(nats, axis=1)[:, TABLES // 2 - 1]
    return median


def drawn(usable: NDArray[np.int64], width: int, step: float, prior: float, rng: np.random.Generator) -> Grid:
    """Returns a grid with nothing in its cells, that reads every usable feature about equally often.

    Args:
        usable: indices of the features that golden rows vary, at least one.
        width: features that a table reads, if there are so many.
        step: see `Grid`.
        prior: see `Grid`.
        rng: draws features, offsets and factors.
    """
    read = np.zeros(len(usable), np.int64)
    which = np.empty((TABLES, min(width, len(usable))), np.int64)
    for table in which:
        least = np.lexsort((rng.random(len(usable)), read))[: len(table)]
        read[least] += 1
        table[:] = np.sort(usable[least])
    return Grid(
        step=step,
        which=which.astype("<u2").tobytes(),
        offsets=rng.random(which.shape).astype("<f4").tobytes(),
        factors=(rng.integers(1 << 30, 1 << 31, which.shape) * 2 + 1).astype("<u4").tobytes(),
        rows=(0,) * TABLES,
        sizes=(0,) * TABLES,
        cells=b"",
        levels=b"",
        prior=prior,
    )


def filled(grid: Grid, keys: Keys, void: NDArray[np.bool_]) -> Grid:
    """Returns the grid with these golden rows in its cells.

    Args:
        grid: whose keys these are.
        keys: int64 (rows, TABLES).
        void: bool (rows, TABLES), entries that do not count.
    """
    rows, sizes, cells, levels = [], [], [], []
    for table in range(TABLES):
        mine = keys[~void[:, table], table] - FIRST[table]
        where, counts = np.unique(mine, return_counts=True)
        rows.append(len(mine))
        sizes.append(len(where))
        cells.append(where.astype("<u2"))
        levels.append(np.rint(LEVELS * np.log1p(counts)).astype("u1"))
    return msgspec.structs.replace(
        grid,
        rows=tuple(rows),
        sizes=tuple(sizes),
        cells=np.concatenate(cells).tobytes(),
        levels=np.concatenate(levels).tobytes(),
    )

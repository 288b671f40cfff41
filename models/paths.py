"""Paths: the space in which one caller's questions are followed, and how close together those of golden callers lie in it.

Theory. Who searches a model's boundary asks a path of questions: each near an earlier one, near the point where the decision
flips, or where golden rows are thin. "Near" means nothing by itself, for ordinary customers crowd where everybody does. So
every distance is divided by the distance to the fifth of the nearest golden references, which is short in a crowd and long
in a desert. What remains is compared with the callers of the golden traffic, real ones and drawn ones: how small a value of
each signal the strictest habits among them leave to fewer than `RHO / 2` of their own questions.

Places are whole numbers on a grid, at most 2²⁴ after squaring and summing, so float32 arithmetic on them is exact: neither
the processor, nor BLAS, nor the rows beside it can change a distance. More than 16 features are folded into 16 sums of random
signs, which keep distances on average (Achlioptas 2003, Journal of Computer and System Sciences 66).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.standardise import Column, Standard

if TYPE_CHECKING:
    from models.baseline import Baseline

DIMS: Final = 16
"""Of a place, at most."""
FINEST: Final = 256.0
"""Steps per golden spread before features are folded."""
GROUPS: Final = 8
NTH: Final = 4
"""The density is read off the fifth smallest of the distances to the nearest reference of each of 8 groups: about that of
the fifth to tenth neighbour, at a seventeenth of the price of sorting."""
BLOCK: Final = 240
"""Rows whose distances to all references stay in the processor's cache."""
ONE_THREAD: Final = 210_000
"""Multiplications below which OpenBLAS keeps to one thread."""
REACH: Final = 1.5
"""How much further than the references' own 99.9 % the grid goes; whatever lies beyond stands at its edge."""
RHO: Final = (0.1, 0.04)
"""Shares of its questions that an honest caller may have beyond a limit."""
SIGNALS: Final = ("margin", "envelope", "self-similarity", "label flip")
MARGIN, ENVELOPE, SELF, FLIP = range(4)
NO_LABEL, OTHER_LABEL, MOST_LABELS = 0, 254, 253
SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)

Places = NDArray[np.int16]


class Paths(msgspec.Struct, frozen=True, array_like=True):
    """What a baseline remembers for following callers.

    Attributes:
        usable: uint16, the features that vary, in the order of the baseline's.
        signs: int8 (features used, DIMS), ±1; empty when there are no more than DIMS of them.
        per_step: places per step of a standardised feature, or of a fold of them.
        references: int16 (references, dimensions), golden places; a multiple of GROUPS.
        floor: the least squared distance that counts as density, places².
        ceiling: the most that questions near each other are measured by: an honest caller in the desert is no nearer to itself.
        limits: float32 (SIGNALS, RHO): a signal below it is a hit; -inf where there is none.
        muted: uint64, rising: golden callers whose own habit it is to be beyond a limit, by hash.
        muted_signals: uint8, one per muted caller: bit per signal that says nothing about it.
    """

    usable: bytes
    signs: bytes
    per_step: float
    references: bytes
    floor: float
    ceiling: float
    limits: bytes
    muted: bytes = b""
    muted_signals: bytes = b""


@dataclass(frozen=True, slots=True)
class Space:
    """The numpy face of a `Paths` and its baseline.

    Attributes:
        standard: of the baseline's envelope.
        usable: int64, features used.
        signs: float32 (features used, DIMS), or None.
        per_step: see `Paths`.
        edge: the furthest place on every axis.
        columns: float32 (dimensions + 1, references): -2r above |r|².
        floor: see `Paths`.
        ceiling: see `Paths`.
        limits: float32 (SIGNALS, RHO).
        boundary: confidence at which the decision flips, NaN when unknown.
        codes: predicted class → 1 … MOST_LABELS.
        muted: uint64, rising.
        muted_signals: bool (muted, SIGNALS).
    """

    standard: Standard
    usable: NDArray[np.int64]
    signs: Column | None
    per_step: np.float32
    edge: np.float32
    columns: Column
    floor: np.float32
    ceiling: np.float32
    limits: Column
    boundary: float
    codes: dict[str, int]
    muted: NDArray[np.uint64]
    muted_signals: NDArray[np.bool_]

    @property
    def dims(self) -> int:
        """Returns of how many dimensions places are."""
        return len(self.columns) - 1

    def places(self, values: Column) -> Places:
        """Returns where the rows lie, int16 (rows, dims).

        Args:
            values: float32 (features, rows), in the order of the baseline's, NaN = missing.
        """
        return on_grid(steps_of(self.standard.apply(values)[self.usable], self.signs), self.per_step, self.edge)

    def densities(self, places: Places) -> Column:
        """Returns the squared distance to about the fifth golden neighbour, float32 (rows,), places², at least the floor."""
        rows = np.ones((len(places), self.dims + 1), np.float32)
        rows[:, :-1] = places
        nearest = np.empty((len(places), GROUPS), np.float32)
        for begin in range(0, len(places), BLOCK):
            part = product(rows[begin : begin + BLOCK], self.columns)
            np.minimum.reduce(part.reshape(len(part), GROUPS, -1), axis=2, out=nearest[begin : begin + BLOCK])
        nearest.sort(axis=1)
        squares = np.einsum("nk,nk->n", rows[:, :-1], rows[:, :-1])
        found: Column = np.maximum(nearest[:, NTH] + squares, self.floor)
        return found

    def margins(self, confidence: Column) -> Column:
        """Returns how far each row's confidence lies from where the decision flips, NaN where nobody knows."""
        found: Column = np.abs(confidence - np.float32(self.boundary))
        return found

    def labels(self, names: tuple[str, ...], label: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Returns each row's predicted class as a number that is the same in every frame; NO_LABEL for none."""
        codes = np.array([self.codes.get(name, OTHER_LABEL) if name else NO_LABEL for name in names] or [0], np.uint8)
        picked: NDArray[np.uint8] = codes[label]
        return picked

    def silences(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_] | None:
        """Returns which signals say nothing about these callers, bool (rows, SIGNALS); None when none of them is muted."""
        if not len(self.muted):
            return None
        at = np.minimum(np.searchsorted(self.muted, hashes), len(self.muted) - 1)
        mine = self.muted[at] == hashes
        return (self.muted_signals[at] & mine[:, None]) if mine.any() else None


def steps_of(standardised: Column, signs: Column | None) -> Column:
    """Returns the rows in whole steps, float32 (rows, dimensions), folded if there are signs.

    Args:
        standardised: float32 (features used, rows).
        signs: float32 (features used, DIMS), or None.
    """
    steps: Column = np.rint(standardised.T * np.float32(FINEST))
    if signs is None:
        return steps
    most = np.float32(min(4_096, (1 << 24) // len(signs)))
    return product(np.clip(steps, -most, most), signs)


def product(rows: Column, columns: Column) -> Column:
    """Returns the matrix product, float32 (rows, columns), of whole numbers so small that it is exact.

    In pieces that BLAS does not find worth a second thread: waiting for each other costs threads more than they gain here.
    """
    size = max(1, ONE_THREAD // columns.size)
    pieces = -(-len(rows) // size)
    padded = np.zeros((pieces * size, rows.shape[1]), np.float32)
    padded[: len(rows)] = rows
    found: Column = (padded.reshape(pieces, size, -1) @ columns).reshape(pieces * size, -1)[: len(rows)]
    return found


def on_grid(steps: Column, per_step: np.float32, edge: np.float32) -> Places:
    """Returns the places of rows in steps, int16 (rows, dimensions)."""
    placed: Places = np.clip(np.rint(steps * per_step), -edge, edge).astype(np.int16)
    return placed


def edge_of(dims: int) -> np.float32:
    """Returns the furthest place on every axis such that no squared distance exceeds 2²⁴."""
    return np.float32(int(2_047 / np.sqrt(dims)))


def prints_of(values: Column) -> NDArray[np.uint32]:
    """Returns a fingerprint of each row as it was asked, so that a retry can be told from a neighbour.

    Args:
        values: float32 (features, rows), NaN = missing.
    """
    bits = np.where(np.isnan(values), np.float32(np.nan), values).view(np.uint32).astype(np.uint64)
    bits *= (np.arange(1, len(values) + 1, dtype=np.uint64) * SPREAD | np.uint64(1))[:, None]
    bits ^= bits >> np.uint64(29)
    total = np.add.reduce(bits, axis=0) * SPREAD
    prints: NDArray[np.uint32] = (total >> np.uint64(32)).astype(np.uint32)
    return prints


def space_of(paths: Paths, baseline: Baseline, standard: Standard) -> Space:
    """Returns the numpy face.

    Args:
        paths: decoded here, once.
        baseline: whose boundary and labels to use.
        standard: of its envelope.
    """
    usable = np.frombuffer(paths.usable, "<u2").astype(np.int64)
    signs = np.frombuffer(paths.signs, "i1").reshape(len(usable), DIMS).astype(np.float32) if paths.signs else None
    dims = len(usable) if signs is None else DIMS
    references = np.frombuffer(paths.references, "<i2").reshape(-1, dims).astype(np.float32)
    bits = np.frombuffer(paths.muted_signals, "u1")
    return Space(
        standard=standard,
        usable=usable,
        signs=signs,
        per_step=np.float32(paths.per_step),
        edge=edge_of(dims),
        columns=np.ascontiguousarray(np.vstack([-2.0 * references.T, np.square(references).sum(axis=1)]), np.float32),
        floor=np.float32(paths.floor),
        ceiling=np.float32(paths.ceiling),
        limits=np.frombuffer(paths.limits, "<f4").reshape(len(SIGNALS), len(RHO)).astype(np.float32),
        boundary=baseline.boundary,
        codes={name: code for code, (name, _) in enumerate(baseline.labels[:MOST_LABELS], 1)},
        muted=np.frombuffer(paths.muted, "<u8").astype(np.uint64),
        muted_signals=(bits[:, None] >> np.arange(len(SIGNALS)) & 1).astype(np.bool_),
    )

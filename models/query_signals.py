"""Query signals: what one caller's question says beside its last 32 distinct ones.

`self-similarity`: how near the nearest of them is; `label flip`: how near the nearest that was answered otherwise is, which
only who walks along the boundary keeps small; both in units of the golden density there (`paths.py`). `margin`: how near the
decision the question lies. `envelope`: how far it is from golden rows and from all that the caller asked before: who asks
where others do not, but keeps to his habit, is a stranger and no searcher. A question that was asked word for word before is
a retry, and says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.caller_rings import RING, CallerRings
from models.paths import DIMS, NO_LABEL, Places
from models.standardise import Column

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Questions:
    """Some rows of callers that have a ring, sorted by slot, each caller's in ledger order.

    Attributes:
        slot: int64 (rows,).
        places: int16 (rows, DIMS), 0 beyond their space's dimensions.
        prints: uint32 (rows,).
        labels: uint8 (rows,).
        density: float32 (rows,), places².
        measure: float32 (rows,), what nearness is measured by: the density, but for the desert.
        margin: float32 (rows,), NaN = unknown.
    """

    slot: Ints
    places: Places
    prints: NDArray[np.uint32]
    labels: NDArray[np.uint8]
    density: Column
    measure: Column
    margin: Column

    @property
    def callers(self) -> tuple[Ints, Ints, Ints]:
        """Returns (slots, first row of each, rows of each)."""
        first = np.flatnonzero(np.diff(self.slot, prepend=-1))
        return self.slot[first], first, np.diff(first, append=len(self.slot))

    def pick(self, which: NDArray[np.bool_] | Ints) -> Questions:
        """Returns some of them."""
        return Questions(
            self.slot[which],
            self.places[which],
            self.prints[which],
            self.labels[which],
            self.density[which],
            self.measure[which],
            self.margin[which],
        )

    @staticmethod
    def joined(parts: list[Questions]) -> Questions:
        """Returns some of several models as one."""
        return Questions(*(np.concatenate([getattr(part, name) for part in parts]) for name in Questions.__slots__))

    @staticmethod
    def none() -> Questions:
        """Returns no questions."""
        none = np.empty(0, np.float32)
        empty = (np.empty((0, DIMS), np.int16), np.empty(0, np.uint32), np.empty(0, np.uint8))
        return Questions(np.empty(0, np.int64), *empty, none, none, none)


def fresh(rings: CallerRings, slot: Ints, prints: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Returns which questions are not among the last RING distinct ones of their caller.

    Args:
        rings: before any of them.
        slot: int64 (rows,), sorted; each caller's rows in order.
        prints: uint32 (rows,).
    """
    known = rings.prints[slot] == prints[:, None]
    known &= np.arange(RING) >= RING - rings.callers["filled"][slot][:, None].astype(np.int64)
    again = known.any(axis=1)
    pairs = (slot << 32) | prints.astype(np.int64)
    ordered = np.sort(pairs)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        again |= np.isin(pairs, twice)
    new = np.ones(len(slot), np.bool_)
    for caller in np.unique(slot[again]).tolist():
        begin, end = np.searchsorted(slot, [caller, caller + 1]).tolist()
        filled = int(rings.callers["filled"][caller])
        last = rings.prints[caller, RING - filled :].tolist()
        for row, one in enumerate(prints[begin:end].tolist(), begin):
            if one in last:
                new[row] = False
            else:
                last = [*last[-RING + 1 :], one]
    return new


def meet(rings: CallerRings, asked: Questions, dims: int) -> NDArray[np.float32]:
    """Returns the signals, float32 (rows, SIGNALS), NaN = unknown, and puts the questions into the rings.

    The lower a signal, the more suspect.

    Args:
        rings: changed.
        asked: fresh ones.
        dims: dimensions beyond which all places are 0.
    """
    callers, first, counts = asked.callers
    begin = (np.arange(len(callers)) + 1) * RING + first  # each ring with its new questions behind it, one after the other
    at = np.repeat(begin - first, counts) + np.arange(len(asked.slot))
    total = len(callers) * RING + len(at)
    head = (begin - RING)[:, None] + np.arange(RING)
    places, labels, prints = np.empty((total, DIMS), np.int16), np.empty(total, np.uint8), np.empty(total, np.uint32)
    places[head], places[at] = rings.places[callers], asked.places
    labels[head], labels[at] = rings.labels[callers], asked.labels
    prints[head], prints[at] = rings.prints[callers], asked.prints
    filled = rings.callers["filled"][callers].astype(np.int64)
    had = np.minimum(np.repeat(filled - first, counts) + np.arange(len(at)), RING)
    same, flip = _nearest(_windows(places, at - RING), _windows(labels, at - RING), asked, had, dims)
    ends = begin + counts - RING
    rings.places[callers] = _windows(places, ends).reshape(-1, RING, DIMS)
    rings.labels[callers] = _windows(labels, ends)
    rings.prints[callers] = _windows(prints, ends)
    rings.callers["filled"][callers] = np.minimum(filled + counts, RING)
    rings.callers["seen"][callers] += counts.astype(np.int32)
    signals = np.stack([asked.margin, -np.minimum(asked.density, same), same / asked.measure, flip / asked.measure], axis=1)
    signals[had == 0, 2:] = np.nan
    signals[asked.labels == NO_LABEL, 3] = np.nan
    return signals


def _windows(entries: NDArray[np.generic], starts: Ints) -> NDArray[np.generic]:
    """Returns RING consecutive entries from each start on, (starts, RING · width)."""
    width = entries.shape[1] if entries.ndim > 1 else 1
    size = entries.itemsize
    shape, strides = (len(entries) - RING + 1, RING * width), (width * size, size)
    picked: NDArray[np.generic] = np.lib.stride_tricks.as_strided(entries, shape, strides, writeable=False)[starts]
    return picked


def _nearest(
    before: NDArray[np.generic], labels: NDArray[np.generic], asked: Questions, had: Ints, dims: int
) -> tuple[Column, Column]:
    """Returns the squared distance of each question to the nearest before it, and to the nearest answered otherwise."""
    apart = before.reshape(-1, RING, DIMS)[:, :, :dims].astype(np.float32)
    apart -= asked.places[:, None, :dims]
    squares = np.einsum("nmk,nmk->nm", apart, apart)
    squares[np.arange(RING) < RING - had[:, None]] = np.inf
    same = squares.min(axis=1)
    squares[(labels == asked.labels[:, None]) | (labels == NO_LABEL)] = np.inf
    return same, squares.min(axis=1)

"""Window discount: a caller's second event says less than its first.

Real traffic comes in sessions: one caller's values resemble each other, so a burst of one caller looks like a shift of the
model's traffic, and false alarms grow with the threshold (112 times the bound on heavy-tailed sessions). With intra-class
correlation rho the variance of a caller's mean of i values is (1 + (i-1)rho)/i of one value's, so i events are worth
i / (1 + (i-1)rho). An event weighs what it adds to that worth:

    g(i) = (1-rho) / ((1 + (i-1)rho) (1 + (i-2)rho)),    g(1) = 1,    Σ g → 1/rho

where i counts the caller's events in a fixed window of the model's traffic. A whole window of one caller is worth at most
1/rho events; different callers lose nothing. Weights are known before values are seen.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import StateError

WINDOW: Final = 4_096
"""Events of a model, over all shards, after which the count of a caller starts anew."""
SLOTS_PER_EVENT: Final = 4
UNIT: Final = 2.0**-30
"""Of weights: float64 then adds up 2²³ of them exactly, in whatever order and however the rows are cut."""
FEW: Final = 64
"""Rows that a loop counts sooner than numpy."""
_HEADER: Final = struct.Struct("<II")

Ranks = NDArray[np.int64]


def discount(rank: Ranks, correlation: float) -> NDArray[np.float64]:
    """Returns what an event weighs, in (0, 1].

    Args:
        rank: int64, the events' number among its caller's in the window, from 1.
        correlation: rank intra-class correlation of the quantity, [0, 1).
    """
    rho = min(max(correlation, 0.0), 0.999)
    before = (rank - 1) * rho
    weights: NDArray[np.float64] = (1.0 - rho) / ((1.0 + before) * (1.0 + before - rho))
    return weights


def discounts(correlations: NDArray[np.float64], window: int) -> NDArray[np.float32]:
    """Returns `discount` as a table, float32 (quantities, window + 1), in UNITs; rank 0 does not occur and weighs nothing."""
    table = np.zeros((len(correlations), window + 1), np.float32)
    ranks = np.arange(1, window + 1)
    for row, correlation in zip(table, correlations.tolist(), strict=True):
        row[1:] = np.rint(discount(ranks, correlation) / UNIT) * UNIT
    return table


class WindowCounter:
    """Counts each caller's events in the current window of the model's events in one shard.

    Callers are counted by hash in a table of fixed size: two that share a slot are counted as one, which only lessens
    their weight. What it returns does not depend on how the rows were cut.

    Args:
        window: events per window, ≥ 1.
    """

    def __init__(self, window: int) -> None:
        self.window = max(window, 1)
        slots = 1 << (self.window * SLOTS_PER_EVENT - 1).bit_length()
        self._mask = np.uint64(slots - 1)
        self._counts = np.zeros(slots, np.uint16 if self.window < 1 << 16 else np.uint32)
        self._seen = 0

    def ranks(self, hashes: NDArray[np.uint64]) -> Ranks:
        """Returns each event's number among its caller's in its window, from 1, after counting them.

        Args:
            hashes: uint64 (rows,), the callers', in ledger order.
        """
        ranks = np.empty(len(hashes), np.int64)
        begin = 0
        while begin < len(hashes):
            end = min(len(hashes), begin + self.window - self._seen)
            ranks[begin:end] = self._count(hashes[begin:end])
            self._seen += end - begin
            begin = end
            if self._seen == self.window:
                self._seen = 0
                self._counts[:] = 0
        return ranks

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        used = np.flatnonzero(self._counts)
        return _HEADER.pack(self.window, self._seen) + used.astype("<u4").tobytes() + self._counts[used].astype("<u4").tobytes()

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned.

        Raises:
            StateError: it is no such state, or of another window.
        """
        if len(data) < _HEADER.size or (len(data) - _HEADER.size) % 8:
            raise StateError(f"window counter: whole pairs of slot and count expected; found {len(data)} bytes")
        window, seen = _HEADER.unpack_from(data)
        slots, counts = np.frombuffer(data, "<u4", offset=_HEADER.size).reshape(2, -1)
        if window != self.window or seen >= window or (len(slots) and int(slots.max()) >= len(self._counts)):
            raise StateError(f"window counter: a window of {self.window} events expected; found one of {window}")
        self._seen = seen
        self._counts[:] = 0
        self._counts[slots] = counts

    def _count(self, hashes: NDArray[np.uint64]) -> Ranks:
        slots = (hashes & self._mask).astype(np.int64)
        return self._count_few(slots) if len(slots) <= FEW else self._count_many(slots)

    def _count_few(self, slots: Ranks) -> Ranks:
        latest: dict[int, int] = {}
        ranks = []
        for slot, before in zip(slots.tolist(), self._counts[slots].tolist(), strict=True):
            latest[slot] = latest.get(slot, before) + 1
            ranks.append(latest[slot])
        self._counts[list(latest)] = list(latest.values())
        return np.array(ranks, np.int64)

    def _count_many(self, slots: Ranks) -> Ranks:
        order = np.argsort(slots, kind="stable")
        ordered = slots[order]
        first = np.ones(len(slots), np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        starts = np.flatnonzero(first)
        sizes = np.diff(starts, append=len(slots))
        distinct = ordered[starts]
        already = self._counts[distinct].astype(np.int64)
        ranks = np.empty(len(slots), np.int64)
        ranks[order] = np.arange(1, len(slots) + 1) + np.repeat(already - starts, sizes)
        self._counts[distinct] = already + sizes
        return ranks

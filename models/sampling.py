"""Sampling: every k-th row, k following the traffic, for detectors too dear to see every row.

k is a power of two. It doubles as soon as a minute has given its quota of samples, and is set anew at every full minute of
the furthest event time from what the last minute held: a slow model is read whole, a busy one at a steady pace. All of it
is counted in rows, so the same rows are picked however they are cut into frames.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

EVERY, KEPT = 32, 256


class Sampler(msgspec.Struct, array_like=True):
    """Picks at most about `2 * per_minute` rows a minute.

    Attributes:
        per_minute: samples wanted in a minute of event time.
        every: k.
        waiting: rows to skip before the next pick.
        minute: the minute (Unix) that is being counted.
        rows: rows seen in it.
        high_ms: the furthest event time, Unix milliseconds.
    """

    per_minute: int
    every: int = 1
    waiting: int = 0
    minute: int = -1
    rows: int = 0
    high_ms: int = 0

    def pick(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns which rows to read, int64, rising.

        Args:
            ts: event times in ledger order, Unix milliseconds, shape (rows,).
        """
        if not len(ts):
            return np.empty(0, np.int64)
        furthest = max(int(np.maximum.reduce(ts)), self.high_ms)
        if furthest // 60_000 == self.minute and self.rows + len(ts) <= self.per_minute * self.every:
            self.high_ms = furthest
            return self._stride(0, len(ts))
        return self._in_pieces(ts)

    def _in_pieces(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Picks from rows among which a minute begins or k doubles."""
        high = np.maximum.accumulate(np.maximum(ts, self.high_ms))
        minutes = high // 60_000
        self.high_ms = int(high[-1])
        picked: list[NDArray[np.int64]] = []
        begin = 0
        while begin < len(ts):
            if int(minutes[begin]) != self.minute:
                self._turn(int(minutes[begin]))
            elif self.rows >= self.per_minute * self.every:
                self.every *= 2
            room = max(self.per_minute * self.every - self.rows, 1)
            end = min(begin + int(np.searchsorted(minutes[begin:], self.minute, side="right")), begin + room)
            picked.append(self._stride(begin, end))
            begin = end
        return np.concatenate(picked)

    def _stride(self, begin: int, end: int) -> NDArray[np.int64]:
        """Picks from rows that share one minute and one k."""
        picked = np.arange(begin + self.waiting, end, self.every)
        self.waiting = (self.waiting - (end - begin)) % self.every
        self.rows += end - begin
        return picked

    def _turn(self, minute: int) -> None:
        wanted = -(-self.rows // self.per_minute)
        self.every = 1 << max(wanted - 1, 0).bit_length()
        self.waiting %= self.every
        self.minute, self.rows = minute, 0


class Marks(msgspec.Struct, array_like=True):
    """When the values of a series came, remembered every EVERY values for the last KEPT marks.

    Attributes:
        count: values since the series began.
        at_ms: times of every EVERY-th of them, Unix milliseconds, oldest first.
    """

    at_ms: list[int]
    count: int = 0

    def extend(self, ts: list[int]) -> None:
        """Takes note of values that came at these times."""
        for at in ts[-self.count % EVERY :: EVERY]:
            self.at_ms.append(at)
            if len(self.at_ms) > KEPT:
                del self.at_ms[: KEPT // 2]
        self.count += len(ts)

    def began(self, values: int) -> int:
        """Returns about when the last `values` began, Unix milliseconds; the oldest mark when they reach further back."""
        back = (values + EVERY - 1) // EVERY
        return self.at_ms[max(len(self.at_ms) - 1 - back, 0)]

"""Panes: how often each of many keys came in the last window of events, in fixed memory, exact however events are cut.

Theory. A sliding window that forgets needs every event; two panes need none. One pane counts the window that is going on, the
other keeps the one before, and its counts fade in a straight line while the new one fills, so that the sum always stands for
one window's worth of events. Counts are bytes and stop at 255. Keys are folded into 2^k slots: two that share one are counted
as one, which happens to one key in eight at most when slots are sized by `slots_for`.

`Once` tells in the same panes which keys have not come before: a Bloom filter with one hash (Bloom 1970), in which an eighth
as many bits are set.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.codec import pack

MOST_COUNT: Final = 255
MOST_AT_ONCE: Final = 1 << 16
"""Keys that are counted at once."""
PLACE_BITS: Final = 16
PLACES: Final = np.int64(MOST_AT_ONCE - 1)
SPREAD: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
FEWEST_BITS: Final = 10
MOST_BITS: Final = 19

Keys = NDArray[np.int64]
Bits = NDArray[np.uint8]


def slots_for(keys: int) -> int:
    """Returns k of 2^k slots for so many keys per pane: four for each, within what is worth having."""
    return min(max((4 * keys - 1).bit_length(), FEWEST_BITS), MOST_BITS)


class _Dump(msgspec.Struct, array_like=True):
    pane: int
    now: bytes
    before: bytes


class _Pair:
    """An array of bytes for this pane, and one for the one before; without memory until something is written."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pane = 0
        self.now: Bits | None = None
        self.before: Bits | None = None

    def turn(self, pane: int) -> None:
        """Goes on to a pane; those left out were empty."""
        if pane != self.pane:
            self.before = self.now if pane == self.pane + 1 else None
            self.now, self.pane = None, pane

    def writable(self) -> Bits:
        if self.now is None:
            self.now = np.zeros(self.size, np.uint8)
        return self.now

    def dump(self) -> bytes:
        now, before = (b"" if one is None else zlib.compress(one.tobytes(), 1) for one in (self.now, self.before))
        return pack(_Dump(self.pane, now, before))

    def load(self, data: bytes) -> None:
        """Raises ValueError, zlib.error or msgspec.DecodeError when it is no dump of this size."""
        dump = msgspec.msgpack.decode(data, type=_Dump)
        now, before = (np.frombuffer(zlib.decompress(one), np.uint8).copy() if one else None for one in (dump.now, dump.before))
        if any(one is not None and len(one) != self.size for one in (now, before)):
            raise ValueError(f"{self.size} bytes expected")
        self.pane, self.now, self.before = dump.pane, now, before


class Panes:
    """Counts of keys.

    Args:
        bits: k of 2^k slots.
    """

    def __init__(self, bits: int) -> None:
        """Starts empty."""
        self._shift = np.uint64(64 - bits)
        self._pair = _Pair(1 << bits)

    def turn(self, pane: int) -> None:
        """Goes on to pane number `pane`; numbers rise."""
        self._pair.turn(pane)

    def add(self, keys: Keys, weights: Bits, fades: NDArray[np.float64]) -> tuple[Keys, NDArray[np.float64]]:
        """Returns, for each key in its turn, its count in this pane, itself included, and that in the window, all float64.

        Args:
            keys: int64, any shape, at most MOST_AT_ONCE of them; they come in row-major order.
            weights: uint8, the same shape: what each adds.
            fades: float64, broadcast to that shape: what share of the pane before still counts.
        """
        slots = self._slots(keys)
        so_far, last = _running(slots.reshape(-1), weights.reshape(-1))
        now = self._pair.writable()
        counts = np.minimum(now[slots] + so_far.reshape(keys.shape), MOST_COUNT)
        now[slots.reshape(-1)[last]] = counts.reshape(-1)[last]
        before = self._pair.before
        return counts, counts + (0.0 if before is None else before[slots] * fades)

    def count(self, keys: Keys, fade: float) -> NDArray[np.float64]:
        """Returns the keys' counts in the window, as they are.

        Args:
            keys: int64, any shape.
            fade: what share of the pane before still counts.
        """
        slots, now, before = self._slots(keys), self._pair.now, self._pair.before
        found = np.zeros(keys.shape)
        found += 0.0 if now is None else now[slots]
        found += 0.0 if before is None else before[slots] * fade
        return found

    def clear(self, keys: Keys) -> None:
        """Forgets these keys."""
        slots = self._slots(keys)
        for pane in (self._pair.now, self._pair.before):
            if pane is not None:
                pane[slots] = 0

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return self._pair.dump()

    def load(self, data: bytes) -> None:
        """Replaces the state by what `dump` returned.

        Raises:
            ValueError: it is of another size; zlib.error and msgspec.DecodeError when it is no dump at all.
        """
        self._pair.load(data)

    def _slots(self, keys: Keys) -> Keys:
        return ((keys.view(np.uint64) * SPREAD) >> self._shift).view(np.int64)


class Once:
    """Which keys have come before, in this pane or the last.

    Args:
        bits: k of 2^k bits.
    """

    def __init__(self, bits: int) -> None:
        """Starts empty."""
        self._shift = np.uint64(64 - bits)
        self._pair = _Pair(1 << (bits - 3))

    def turn(self, pane: int) -> None:
        """Goes on to pane number `pane`; numbers rise."""
        self._pair.turn(pane)

    def first(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Returns which keys come for the first time, in row-major order, and remembers all of them.

        Args:
            keys: uint64, any shape, well mixed, at most MOST_AT_ONCE of them.
        """
        bits = (keys.reshape(-1) >> self._shift).view(np.int64)
        now, before = self._pair.writable(), self._pair.before
        place, mask = bits >> 3, np.left_shift(1, bits & 7).astype(np.uint8)
        known = now[place] if before is None else now[place] | before[place]
        fresh = (known & mask) == 0
        packed = np.sort((bits << PLACE_BITS) | np.arange(len(bits)))
        repeated = packed[1:][(packed[1:] >> PLACE_BITS) == (packed[:-1] >> PLACE_BITS)] & PLACES
        fresh[repeated] = False
        np.bitwise_or.at(now, place, mask)
        first: NDArray[np.bool_] = fresh.reshape(keys.shape)
        return first

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return self._pair.dump()

    def load(self, data: bytes) -> None:
        """Replaces the state by what `dump` returned; raises as `Panes.load`."""
        self._pair.load(data)


def _running(slots: Keys, weights: Bits) -> tuple[Keys, Keys]:
    """Returns the sum of the weights of each slot up to and with each entry, and where each slot's last entry is."""
    if not len(slots):
        return slots, slots
    packed = np.sort((slots << PLACE_BITS) | np.arange(len(slots)))
    place, ordered = packed & PLACES, packed >> PLACE_BITS
    total = np.cumsum(weights[place], dtype=np.int64)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    before = np.concatenate(([0], total[ends[:-1]]))
    sums = np.empty_like(total)
    sums[place] = total - np.repeat(before, np.diff(ends, prepend=-1))
    return sums, place[ends]

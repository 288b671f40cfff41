"""Frequency sketch: how often each of any number of keys was seen of late, never too low, in two megabytes.

Theory. A count-min sketch with conservative update (Estan and Varghese 2002, SIGCOMM): a key has a cell in each of two rows,
its count is the lower of both, and counting it raises only cells below its new count. All cells are halved every HALVE_EVERY
counts, so that the past fades. Keys are counted in batches, whose bounds the caller fixes.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.codec import pack

BITS: Final = 20
HALVE_EVERY: Final = 1 << 19
MOST: Final = 255
SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


class _Dump(msgspec.Struct, array_like=True):
    cells: bytes
    counts: bytes
    counted: int


class FrequencySketch:
    """Starts empty; memory that nobody touched is never committed by the operating system."""

    def __init__(self) -> None:
        self._cells = np.zeros((2, 1 << BITS), np.uint8)
        self._counted = 0

    @property
    def memory(self) -> int:
        """Returns the bytes it takes when every page has been touched."""
        return self._cells.nbytes

    def add(self, keys: NDArray[np.uint64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns how often these were seen of late, at most MOST, now that they were seen so many times more.

        Args:
            keys: uint64 (keys,), distinct.
            counts: int64 (keys,).
        """
        with np.errstate(over="ignore"):
            mixed = keys * SPREAD
        mask = np.uint64((1 << BITS) - 1)
        one, two = (mixed >> np.uint64(24)) & mask, (mixed >> np.uint64(4)) & mask
        often: NDArray[np.int64] = np.minimum(np.minimum(self._cells[0][one], self._cells[1][two]) + counts, MOST)
        for cells, which in zip(self._cells, (one, two), strict=True):
            np.maximum.at(cells, which, often.astype(np.uint8))
        halvings = (self._counted + int(counts.sum())) // HALVE_EVERY - self._counted // HALVE_EVERY
        self._counted += int(counts.sum())
        if halvings:
            self._cells >>= np.uint8(min(halvings, 7))
        return often

    def dump(self) -> bytes:
        """Returns the touched cells."""
        cells = np.flatnonzero(self._cells) if self._counted else np.empty(0, np.int64)
        gaps, counts = np.diff(cells, prepend=0).astype("<u4"), self._cells.ravel()[cells]
        return pack(_Dump(zlib.compress(gaps.tobytes(), 1), zlib.compress(counts.tobytes(), 1), self._counted))

    def load(self, data: bytes) -> None:
        """Replaces all by what `dump` returned.

        Raises:
            ValueError: it is no dump; msgspec.DecodeError, IndexError and zlib.error are raised as they come.
        """
        dump = msgspec.msgpack.decode(data, type=_Dump)
        self._cells = np.zeros((2, 1 << BITS), np.uint8)
        cells = np.cumsum(np.frombuffer(zlib.decompress(dump.cells), "<u4"), dtype=np.int64)
        self._cells.ravel()[cells] = np.frombuffer(zlib.decompress(dump.counts), np.uint8)
        self._counted = dump.counted

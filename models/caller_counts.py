"""Caller counts: how often each caller asked, and how often what it asked was marked, in bounded memory whoever calls.

Callers are counted by hash in a table of fixed size. Two that share a place are counted as one: each then seems to have
asked more than it did, which only makes what it did look rarer, and neither looks new. Past a quarter of a million
distinct callers nobody looks new any more.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.codec import pack
from tocsin.errors import StateError

PLACES: Final = 1 << 18
ASKED_BEFORE: Final = 1_024
"""Questions, none marked, that a caller is taken to have asked who is known from before."""

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]


class CallerCounts:
    """What each caller asked since the beginning.

    Args:
        known: callers from before, as `places_of` gives them; b"" for none.
    """

    def __init__(self, known: bytes = b"") -> None:
        before = np.unpackbits(np.frombuffer(known, np.uint8)) if known else np.zeros(PLACES, np.uint8)
        self._asked = before.astype(np.uint32) * np.uint32(ASKED_BEFORE)
        self._marked = np.zeros(PLACES, np.uint32)

    def count(self, hashes: Hashes, marked: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Returns each row's number among its caller's, from 1, and how many before it were marked, after counting them.

        How rows are cut makes no difference.

        Args:
            hashes: uint64 (rows,), the callers', in ledger order.
            marked: bool (rows,).
        """
        places = _places(hashes)
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        first = np.ones(len(places), np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        starts = np.flatnonzero(first)
        sizes = np.diff(starts, append=len(places))
        here = ordered[starts]
        asked, hits = self._asked[here].astype(np.int64), self._marked[here].astype(np.int64)
        numbers, before = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
        numbers[order] = np.arange(1, len(places) + 1) + np.repeat(asked - starts, sizes)
        sums = np.concatenate(([0], np.cumsum(marked[order])))
        before[order] = sums[:-1] + np.repeat(hits - sums[starts], sizes)
        self._asked[here] = asked + sizes
        self._marked[here] = hits + sums[starts + sizes] - sums[starts]
        return numbers, before

    def dump(self) -> bytes:
        """Returns the places in use, deflated: equal state is equal bytes."""
        used = np.flatnonzero(self._asked)
        columns = (np.diff(used, prepend=0), self._asked[used], self._marked[used])
        return pack([zlib.compress(column.astype("<u4").tobytes(), 1) for column in columns])

    def load(self, data: bytes) -> None:
        """Replaces the counts by what `dump` returned.

        Raises:
            StateError: it is no such thing; the counts then stay as they were.
        """
        try:
            packed = msgspec.msgpack.decode(data, type=tuple[bytes, bytes, bytes])
            gaps, asked, marked = (np.frombuffer(zlib.decompress(column), "<u4") for column in packed)
            used = np.cumsum(gaps, dtype=np.int64)
            if len(used) and int(used[-1]) >= PLACES:
                raise ValueError(f"{PLACES} places expected, number {used[-1]} found")
            counts = np.zeros((2, PLACES), np.uint32)
            counts[:, used] = asked, marked
        except (ValueError, zlib.error) as error:
            raise StateError(f"caller counts expected; {error}") from error
        self._asked, self._marked = counts


def places_of(hashes: Hashes) -> bytes:
    """Returns these callers, one bit for each place."""
    taken = np.zeros(PLACES, np.uint8)
    taken[_places(hashes)] = 1
    return np.packbits(taken).tobytes()


def _places(hashes: Hashes) -> Ints:
    return (hashes >> np.uint64(24)).astype(np.int64) & (PLACES - 1)

"""Evenness: how widely a newcomer's first questions are spread over all that golden traffic asked.

Theory. Whoever copies a model needs answers to everything that anybody asks, so each of its accounts asks a little of
everything; a customer asks about its own business. Golden rows are cut into 64 cells (k-means over standardised features);
how many distinct cells a caller's first n₀ questions fall in tells the two apart: AUC .98 at 16 questions, 1.0 at 64, where
customers keep to habits, and nothing where they do not or where an attacker imitates habits. A caller is *even* if it visits
so many cells that few golden callers did. Batch clients also do, so the share of golden callers that are even is known per
octave of the time that they took: batch clients are fast, and are held against their like.

What is visited is a 64-bit mask, so what two shards know of one caller is joined by `or`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

CELLS: Final = 64
BINS: Final = 8
SLOWER: Final = 2
"""Of the bins, those that begin at the golden median or later; the others are an octave each, ever faster."""
TIMES: Final = 3.0
"""The share of even newcomers may grow to so many times the golden one: campaigns bring other customers."""
LEAST_TOLERATED: Final = 0.03
MUTE: Final = 0.9
"""Where more than that must be tolerated, as of batch clients, even ones say nothing at all."""
SIGMAS: Final = 2.0
"""How far the golden share may lie above what was counted, in standard errors."""
SOME: Final = 20.0
"""Golden callers of a bin from which on its neighbour heeds it."""
BLOOM_BITS: Final = 16
"""Per golden caller: 1 in 70 strangers is then taken for one."""
BLOOM_SIZES: Final = (10, 21)
"""Least and most, as powers of two."""
SPREADS: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))

Column = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Evenness(msgspec.Struct, frozen=True, array_like=True):
    """How golden callers began.

    Attributes:
        centres: float32 (≤ CELLS, features), standardised.
        n0: questions after which a caller is judged.
        threshold: distinct cells from which on it is even.
        fastest_ms: time for n0 questions below which all fall into bin 0; each further octave is one bin.
        callers: float64 (bins,): golden callers per bin.
        even: float64 (bins,): how many of them were even.
        copying: share of accounts that would be even if each asked n0 questions drawn from all golden traffic.
        known: Bloom filter of the golden callers' hashes, little-endian bits, a power of two of them.
    """

    centres: bytes
    n0: int
    threshold: int
    fastest_ms: float
    callers: bytes
    even: bytes
    copying: float
    known: bytes


@dataclass(frozen=True, slots=True)
class Face:
    """The numpy face of an `Evenness`.

    Attributes:
        centres: float32 (cells, features).
        callers: float64 (bins,).
        expected: float64 (bins,): golden share of even callers, half a caller added to each side (Jeffreys).
        tolerated: float64 (bins,): the share up to which nothing is held to have happened.
        known: uint8, packed bits.
    """

    centres: Column
    callers: Floats
    expected: Floats
    tolerated: Floats
    known: NDArray[np.uint8]

    def is_known(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Returns which of these callers asked in golden traffic; a few strangers too, never too few."""
        held = np.ones(len(hashes), np.bool_)
        for place in _places(hashes, len(self.known) * 8):
            held &= (self.known[place >> 3] >> (place & 7).astype(np.uint8) & np.uint8(1)).astype(np.bool_)
        return held


@lru_cache(maxsize=256)
def face_of(evenness: Evenness, features: int) -> Face:
    """Returns the numpy face for a model of so many features."""
    callers, even = np.frombuffer(evenness.callers, "<f8"), np.frombuffer(evenness.even, "<f8")
    centres = np.frombuffer(evenness.centres, "<f4").reshape(-1, features)
    known = np.frombuffer(evenness.known, np.uint8)
    return Face(centres, callers, (even + 0.5) / (callers + 1.0), tolerated_of(callers, even), known)


def tolerated_of(callers: Floats, even: Floats) -> Floats:
    """Returns the share of even newcomers per bin, fastest first, up to which nothing is held to have happened.

    That is TIMES the golden share; or as high as the golden share may be after so few callers (Agresti and Coull 1998, The
    American Statistician 52); or as high as that of the next faster bin may be, into whose pace some of a campaign's batch
    clients fall. A bin without golden callers says nothing whatever comes.
    """
    total = callers + SIGMAS**2
    centre = (even + SIGMAS**2 / 2) / total
    highest = centre + SIGMAS * np.sqrt(centre * (1.0 - centre) / total)
    faster = np.where(callers >= SOME, highest, 0.0)[:-1]
    expected = (even + 0.5) / (callers + 1.0)
    tolerated: Floats = np.maximum(np.maximum(TIMES * expected, highest), LEAST_TOLERATED)
    tolerated[1:] = np.maximum(tolerated[1:], faster)
    tolerated[tolerated > MUTE] = 1.0
    return tolerated


def bin_of(fastest_ms: float, bins: int, took_ms: Ints) -> Ints:
    """Returns the octave that each time to ask n0 questions falls in, int64: 0 is the fastest."""
    octave = np.floor(np.log2(np.maximum(took_ms, 1) / fastest_ms))
    return np.clip(octave, 0, bins - 1).astype(np.int64)


def fastest_of(took_ms: Ints, bins: int) -> float:
    """Returns where bins must begin so that SLOWER of them lie above the median of these times."""
    return float(np.median(np.maximum(took_ms, 1))) / 2.0 ** max(bins - SLOWER, 0)


def bloom_of(hashes: NDArray[np.uint64]) -> bytes:
    """Returns a Bloom filter (1970, Communications of the ACM 13) that holds these hashes."""
    distinct = len(np.unique(hashes))
    size = 1 << int(np.clip(np.ceil(np.log2(max(distinct * BLOOM_BITS, 1))), *BLOOM_SIZES))
    bits = np.zeros(size, np.bool_)
    for place in _places(hashes, size):
        bits[place] = True
    return np.packbits(bits, bitorder="little").tobytes()


def cells_visited(masks: NDArray[np.uint64]) -> Ints:
    """Returns how many cells each mask holds."""
    return np.bitwise_count(masks).astype(np.int64)


def _places(hashes: NDArray[np.uint64], size: int) -> list[Ints]:
    shift = np.uint64(64 - (size.bit_length() - 1))
    return [((hashes * spread) >> shift).astype(np.int64) for spread in SPREADS]

"""Fingerprints: which records the model was trained on, told so that the baseline alone proves nothing about any of them.

Theory. Whoever asks whether a person was in the training set has that person's record, word for word (Shokri et al. 2017,
Membership inference attacks against machine learning models). So live rows that equal training rows are counted, and a
baseline must hold something to compare with. It holds no records: a row is hashed, salted by the rest of the baseline, to
one of SPREAD times as many bits as there are rows, and a bit is set (a Bloom filter of one function: Bloom 1970). One
record in SPREAD that nobody ever trained on finds its bit set. For the detector that is noise, which its base rate knows.
For somebody who has the file and one record it is deniability: a yes multiplies the odds that it was trained on by SPREAD
at most, and the records cannot be listed. More would need a secret that every worker holds. The salt keeps a table of
hashes made for one baseline from serving for another; whoever has several baselines of one training set has several such
answers, so who may read them matters.

Rows are compared as they arrive, features in the baseline's order as float32, -0 as 0, a missing value as missing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

SPREAD: Final = 64
MOST_ROWS: Final = 1 << 17
MISSING: Final = np.uint32(0x7FC0_0000)

Hashes = NDArray[np.uint64]


class Fingerprints(msgspec.Struct, frozen=True, array_like=True):
    """See the module.

    Attributes:
        salt: 16 bytes.
        gaps: uint32 (bits set,), from each set bit to the next.
        bits: how many bits there are.
        rows: training rows behind them.
        base: share of golden rows whose bit is set.
        usual: largest share of such rows that any golden caller has, see `caller_shares.usual_share`.
    """

    salt: bytes
    gaps: bytes
    bits: int
    rows: int
    base: float
    usual: float


@dataclass(frozen=True, slots=True)
class Marks:
    """The numpy face of `Fingerprints`.

    Attributes:
        keys: one per feature, and one at last.
        bits: how many there are.
        table: uint8 (bits / 8,).
    """

    keys: tuple[np.uint64, ...]
    bits: int
    table: NDArray[np.uint8]

    def hits(self, values: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Returns whether each row's bit is set, never where all is missing, and which bit it is.

        Args:
            values: float32 (features, rows), the baseline's features.
        """
        place = places(self.keys, values, self.bits)
        told = (self.table[place >> 3] >> (place & 7).astype(np.uint8)) & np.uint8(1)
        hit: NDArray[np.bool_] = (told == 1) & ~np.isnan(values).all(axis=0)
        return hit, place


def places(keys: tuple[np.uint64, ...], values: NDArray[np.float32], bits: int) -> NDArray[np.int64]:
    """Returns the bit of each row, int64 (rows,), in [0, bits)."""
    mixed = np.full(values.shape[1], keys[-1], np.uint64)
    for key, column in zip(keys, values, strict=False):
        word = np.where(np.isnan(column), MISSING, (column + np.float32(0)).view(np.uint32)).astype(np.uint64)
        mixed = _mixed(mixed ^ (word + key))
    return (mixed % np.uint64(bits)).astype(np.int64)


def _mixed(word: Hashes) -> Hashes:
    """Returns SplitMix64's finaliser of each word (Steele et al. 2014)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def keys_of(salt: bytes, features: int) -> tuple[np.uint64, ...]:
    """Returns one 64-bit key per feature, and one more."""
    digest = hashlib.shake_128(salt).digest(8 * (features + 1))
    return tuple(np.frombuffer(digest, "<u8").astype(np.uint64))


def built(values: NDArray[np.float32], salt: bytes) -> Fingerprints:
    """Returns the fingerprints of training rows, base and usual share still 0.

    Args:
        values: float32 (features, rows), at least one row and at most MOST_ROWS.
        salt: 16 bytes.
    """
    there = values[:, ~np.isnan(values).all(axis=0)]
    bits = -(-max(there.shape[1], 1) * SPREAD // 8) * 8
    place = np.unique(places(keys_of(salt, len(values)), there, bits))
    return Fingerprints(salt, np.diff(place, prepend=0).astype("<u4").tobytes(), bits, there.shape[1], 0.0, 0.0)


@lru_cache(maxsize=64)
def marks_of(fingerprints: Fingerprints, features: int) -> Marks:
    """Returns the numpy face for so many features, decoded once."""
    place = np.cumsum(np.frombuffer(fingerprints.gaps, "<u4"), dtype=np.int64)
    table = np.zeros(fingerprints.bits // 8, np.uint8)
    np.bitwise_or.at(table, place >> 3, np.left_shift(1, place & 7).astype(np.uint8))
    return Marks(keys_of(fingerprints.salt, features), fingerprints.bits, table)

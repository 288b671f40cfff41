"""Joint: numbers of a row whose distribution moves when features stop going together, though each alone looks as ever.

Theory. A distribution is known by those of its one-dimensional projections (Cramér and Wold 1936), and of those some:

    pair   sum and difference of two standardised features that go together. With correlation r their variances are 2 + 2r and
           2 - 2r: a correlation that flips exchanges them, and one that fades makes them equal.
    mix    the sum of half of the features, each with a random sign: it sees what happens among any of them, less clearly.

A category has no order. In a pair it is a score per value, such that it goes with its partner as well as it can (Fisher 1940;
`joint_fit.py`); in a mix it is a sign per value and mix, a bit of a hash, so that two values that trade places differ in half
of the mixes. A missing feature leaves a pair without value, and a mix without its part.

Everything that is added is a whole number of 1/1,024 of a spread, and small enough that every sum is exact in float32: it
depends neither on the order of additions nor on how rows are cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.standardise import Column, Scales, Standard, standard_of

UNIT: Final = 1_024
"""Whole numbers per spread."""
MOST_SPREADS: Final = 64
MOST_MIXED: Final = 16
"""Features of a mix: 16 * 64 * 1,024 is 2²⁰, and float32 holds whole numbers up to 2²⁴."""
MIXES: Final = 24
"""At most, and no more than a hash has bits: 32 find little sooner, 16 find new relations half as soon."""
ONE_BITS: Final = np.uint32(0x3F80_0000)
SIGN_BIT: Final = np.uint32(0x8000_0000)

Ints = NDArray[np.int64]


class Scores(msgspec.Struct, frozen=True, array_like=True):
    """A category as a number.

    Attributes:
        codes: uint32, rising.
        values: float32, whole: of each code, and last of every other.
    """

    codes: bytes
    values: bytes


class Pair(msgspec.Struct, frozen=True, array_like=True):
    """Two features that went together in the golden traffic.

    Attributes:
        first: index of a feature.
        second: of the other.
        correlation: golden rank correlation; of a category's scores, not negative.
        scores: of either feature, None for a number.
    """

    first: int
    second: int
    correlation: float
    scores: tuple[Scores | None, Scores | None]


class Joint(msgspec.Struct, frozen=True, array_like=True):
    """What of several features is watched together.

    A quantity's place in it: mixes first, then the sum and the difference of each pair.

    Attributes:
        pairs: those that go together most.
        mixes: int8 (mixes, features), each feature's sign, 0 where it is not in the mix.
    """

    pairs: tuple[Pair, ...]
    mixes: bytes

    def members(self, place: int, features: int) -> tuple[int, ...]:
        """Returns the features that the quantity in this place reads, of so many."""
        mixes = signs_of(self, features)
        if place >= len(mixes):
            pair = self.pairs[(place - len(mixes)) // 2]
            return pair.first, pair.second
        return tuple(np.flatnonzero(mixes[place]).tolist())


def signs_of(joint: Joint, features: int) -> NDArray[np.int8]:
    """Returns the mixes, (mixes, features)."""
    return np.frombuffer(joint.mixes, np.int8).reshape(-1, features)


@dataclass(frozen=True, slots=True)
class Face:
    """The numpy face of a `Joint`: every quantity is a sum of sides, every side comes from one feature.

    Attributes:
        numbers: int64, features that are numbers; their sides come first.
        standard: of these.
        scored: (feature, codes, their scores) of the next sides.
        hashed: (feature, which bits of its hash) of the next sides, one per bit.
        terms: sides of every quantity's first term, and so on: ever shorter, for pairs, which come last, have but two. A side
            is an index into all sides, their opposites, and nothing.
        members: features of each quantity.
        mixes: how many of the quantities are mixes.
    """

    numbers: Ints
    standard: Standard
    scored: tuple[tuple[int, Column, Column], ...]
    hashed: tuple[tuple[int, NDArray[np.uint32]], ...]
    terms: tuple[Ints, ...]
    members: tuple[Ints, ...]
    mixes: int

    def columns(self, values: Column, absent: NDArray[np.bool_]) -> Column:
        """Returns every quantity of the rows, float32 (quantities, rows), whole numbers, NaN where a row has no value.

        Args:
            values: float32 (features, rows), NaN = missing.
            absent: where these are NaN.
        """
        sides = self._sides(values, absent)
        signed = np.concatenate((sides, -sides, np.zeros((1, sides.shape[1]), np.float32)))
        sums: Column = signed.take(self.terms[0], axis=0)
        for term in self.terms[1:]:
            sums[: len(term)] += signed.take(term, axis=0)
        if absent.any():
            for number, (members, column) in enumerate(zip(self.members, sums, strict=True)):
                gone = absent[members].all(axis=0) if number < self.mixes else absent[members].any(axis=0)
                column[gone] = np.nan
        return sums

    def _sides(self, values: Column, absent: NDArray[np.bool_]) -> Column:
        """Returns the sides, (sides, rows), finite and whole; 0 where a feature is missing."""
        parts = [whole(self.standard.apply(values.take(self.numbers, axis=0)))]
        for feature, codes, scores in self.scored:
            parts.append(scored(values[feature], codes, scores)[None, :])
            parts[-1][:, absent[feature]] = 0.0
        for feature, bits in self.hashed:
            gone = absent[feature]
            codes_now = np.where(gone, np.float32(0), values[feature]).astype(np.uint32)
            parts.append(signs(hashed(codes_now, feature), bits))
            parts[-1][:, gone] = 0.0
        return np.concatenate(parts)


class _Side(NamedTuple):
    """Where a side comes from; sides stand in the order of these.

    Attributes:
        kind: 0 a number, 1 a category's scores, 2 a bit of its hash.
        feature: index.
        which: 0; twice the pair's number, plus 1 for its second feature; the bit, which is the mix's number.
    """

    kind: int
    feature: int
    which: int


def face_of(joint: Joint, scales: Scales, features: tuple[str, ...]) -> Face:
    """Returns the numpy face.

    Args:
        joint: frozen.
        scales: how the features are standardised.
        features: names, in the order of the scales.
    """
    mixes = signs_of(joint, len(features))
    sums = [_of_mix(mix, row, features) for mix, row in enumerate(mixes)]
    for number, pair in enumerate(joint.pairs):
        first, second = _of_pair(number, pair)
        sums += [[(first, 1), (second, 1)], [(first, 1), (second, -1)]]
    sides = sorted({side for terms in sums for side, _ in terms})
    place = {side: number for number, side in enumerate(sides)}
    numbers = np.array([side.feature for side in sides if side.kind == 0], np.int64)
    bits = {side.feature: [of.which for of in sides if of[:2] == side[:2]] for side in sides if side.kind == 2}
    standard = standard_of(scales)
    return Face(
        numbers=numbers,
        standard=Standard(standard.centre[numbers], standard.per_spread[numbers], standard.unit[numbers], ()),
        scored=tuple((side.feature, *_scores(joint, side)) for side in sides if side.kind == 1),
        hashed=tuple((feature, np.array(of_feature, np.uint32)) for feature, of_feature in bits.items()),
        terms=_terms(
            [[place[side] + (0 if sign > 0 else len(sides)) for side, sign in terms] for terms in sums], 2 * len(sides)
        ),
        members=tuple(np.array(joint.members(number, len(features)), np.int64) for number in range(len(sums))),
        mixes=len(mixes),
    )


def _of_mix(mix: int, signs: NDArray[np.int8], features: tuple[str, ...]) -> list[tuple[_Side, int]]:
    of_category = [name.startswith("=") for name in features]
    return [
        (_Side(2, feature, mix) if of_category[feature] else _Side(0, feature, 0), int(signs[feature]))
        for feature in np.flatnonzero(signs).tolist()
    ]


def _of_pair(number: int, pair: Pair) -> list[_Side]:
    return [
        _Side(0, feature, 0) if scores is None else _Side(1, feature, 2 * number + side)
        for side, (feature, scores) in enumerate(zip((pair.first, pair.second), pair.scores, strict=True))
    ]


def _scores(joint: Joint, side: _Side) -> tuple[Column, Column]:
    """Returns the codes and the scores behind a side."""
    found = joint.pairs[side.which // 2].scores[side.which % 2] or Scores(b"", b"")
    return np.frombuffer(found.codes, "<u4").astype(np.float32), np.frombuffer(found.values, "<f4")


def _terms(sums: list[list[int]], nothing: int) -> tuple[Ints, ...]:
    """Returns first terms, second terms and so on, up to the last quantity that has one."""
    terms = []
    for place in range(max(map(len, sums), default=0)):
        those = [sides[place] if place < len(sides) else nothing for sides in sums]
        while those[-1] == nothing:
            those.pop()
        terms.append(np.array(those, np.int64))
    return tuple(terms)


def whole(standardised: Column) -> Column:
    """Returns standardised values as whole numbers of 1/UNIT, bounded."""
    rounded: Column = np.rint(np.clip(standardised, -MOST_SPREADS, MOST_SPREADS) * np.float32(UNIT))
    return rounded


def scored(column: Column, codes: Column, scores: Column) -> Column:
    """Returns each row's score."""
    place = np.searchsorted(codes, column)
    seen = np.append(codes, np.float32(np.nan))[place] == column
    found: Column = np.where(seen, scores[place], scores[-1])
    return found


def signs(hashes: NDArray[np.uint32], bits: NDArray[np.uint32]) -> Column:
    """Returns these bits of each hash as ±UNIT, float32 (bits, rows): the bit becomes a float's sign."""
    ones: Column = ((hashes << (np.uint32(31) - bits)[:, None]) & SIGN_BIT | ONE_BITS).view(np.float32)
    ones *= np.float32(UNIT)
    return ones


def hashed(codes: NDArray[np.uint32], feature: int) -> NDArray[np.uint32]:
    """Returns 32 well mixed bits of each code of a feature (MurmurHash3's last steps, Appleby 2011)."""
    bits = codes ^ np.uint32(0x9E3779B1 * (feature + 1) & 0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ bits >> np.uint32(shift)) * np.uint32(factor)
    mixed: NDArray[np.uint32] = bits ^ bits >> np.uint32(16)
    return mixed

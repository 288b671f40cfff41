"""Joint fit: which features are watched together, chosen on golden rows.

Of all pairs those whose features go together most are watched, but no pair that others imply: the strongest branches of the
tree that describes the joint distribution best (Chow and Liu 1968; Kruskal 1956). Numbers are compared by rank correlation. A
category is compared as Fisher's optimal scores (1940): with a number, the mean rank of each value's rows; with another
category, the first axis of correspondence analysis. Scores are fitted, so what chance alone would give them is taken off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.dependence import ranks_within
from models.joint import MIXES, MOST_MIXED, UNIT, Joint, Pair, Scores
from models.standardise import Column, Standard

PAIRS: Final = 4
CATEGORY_PAIRS: Final = 2
"""Besides the strongest, when these leave out categories: of two values that trade places nothing else tells as clearly."""
MOST_JOINT: Final = MIXES + 2 * (PAIRS + CATEGORY_PAIRS)
FIT_ROWS: Final = 16_384
CODE_ROWS: Final = 50
"""Golden rows below which a category's value has no score of its own."""
MOST_CODES: Final = 64
MOST_CATEGORIES: Final = 16
"""Categories that pairs are looked for among: the fullest ones."""
HANDS: Final = 256
"""Dealt at most: few features have few different mixes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Category:
    """A category's golden rows.

    Attributes:
        feature: index.
        codes: int64, rising: those with a score of their own.
        places: int64 (rows,): each row's place in them, their number for any other.
    """

    feature: int
    codes: NDArray[np.int64]
    places: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Returns rows of each code and, last, of all others."""
        return np.bincount(self.places, minlength=len(self.codes) + 1)

    def scores(self, values: Floats) -> Scores:
        """Returns these values of each code and, last, of all others, centred and with a mean square of 1, as scores."""
        shares = self.counts / len(self.places)
        centred = values - shares @ values
        spread = float(np.sqrt(shares @ centred**2))
        rounded = np.rint(centred * (UNIT / spread if spread > 0 else 0.0))
        return Scores(self.codes.astype("<u4").tobytes(), rounded.astype("<f4").tobytes())


def build_joint(values: Column, features: tuple[str, ...], standard: Standard, seed: int) -> Joint | None:
    """Returns what is to be watched together; None when there are not two features that vary.

    Args:
        values: float32 (features, rows), golden, NaN = missing.
        features: names; one that starts with `=` is a category.
        standard: how they are standardised.
        seed: of the mixes.
    """
    rows = values.shape[1]
    golden = values if rows <= FIT_ROWS else values[:, np.arange(FIT_ROWS) * rows // FIT_ROWS]
    numbers = [index for index in standard.usable.tolist() if not features[index].startswith("=")]
    categories = [found for index, name in enumerate(features) if name.startswith("=") if (found := _category(golden, index))]
    everything = sorted(numbers + [category.feature for category in categories])
    if len(everything) < 2:
        return None
    pairs = _tree(list(_candidates(golden, numbers, categories)))
    mixes = _mixes(everything, set(numbers), len(features), {(pair.first, pair.second) for pair in pairs}, seed)
    return Joint(tuple(pairs), mixes.tobytes())


def _category(golden: Column, feature: int) -> _Category | None:
    """Returns a category of at least two values that occur often enough, None for any other."""
    column = golden[feature]
    codes, counts = np.unique(column[~np.isnan(column)].astype(np.int64), return_counts=True)
    often = np.argsort(-counts, kind="stable")[:MOST_CODES]
    kept = np.sort(codes[often[counts[often] >= CODE_ROWS]])
    if len(kept) < 2:
        return None
    place = np.searchsorted(kept, np.nan_to_num(column).astype(np.int64))
    seen = np.append(kept, -1)[place] == column
    return _Category(feature, kept, np.where(seen, place, len(kept)))


def _candidates(golden: Column, numbers: list[int], categories: list[_Category]) -> Iterator[Pair]:
    """Yields every pair."""
    fullest = sorted(categories, key=lambda category: (int(category.counts.max()), category.feature))[:MOST_CATEGORIES]
    ranks = np.stack([_ranks(golden[index]) for index in numbers]) if numbers else np.empty((0, golden.shape[1]))
    together = np.atleast_2d(np.corrcoef(ranks)) if numbers else ranks
    for at, first in enumerate(numbers):
        for beside in range(at + 1, len(numbers)):
            yield Pair(first, numbers[beside], float(np.nan_to_num(together[at, beside])), (None, None))
    for at, category in enumerate(fullest):
        for index, rank in zip(numbers, ranks, strict=True):
            yield _with_number(category, index, rank)
        for other in fullest[at + 1 :]:
            yield _with_category(category, other)


def _ranks(column: Column) -> Floats:
    """Returns ranks about 0 with a mean square of 1; 0 where a value is missing."""
    known = ~np.isnan(column)
    ranks = np.zeros(len(column))
    ranks[known] = ranks_within(column[known], np.zeros(int(known.sum()), np.int64)) - 0.5
    size = float(np.sqrt(np.mean(ranks**2)))
    return ranks / size if size > 0 else ranks


def _with_number(category: _Category, feature: int, ranks: Floats) -> Pair:
    counts = category.counts
    means = np.bincount(category.places, ranks, len(counts)) / np.maximum(counts, 1)
    explained = float(counts @ means**2) / len(ranks)
    chance = (np.count_nonzero(counts) - 1) / len(ranks)
    strength = float(np.sqrt(max(explained - chance, 0.0)))
    return Pair(category.feature, feature, strength, (category.scores(means), None))


def _with_category(one: _Category, other: _Category) -> Pair:
    rows, columns = len(one.counts), len(other.counts)
    shares = np.bincount(one.places * columns + other.places, minlength=rows * columns).reshape(rows, columns) / len(one.places)
    of_one, of_other = shares.sum(axis=1), shares.sum(axis=0)
    widths = np.sqrt(np.maximum(np.outer(of_one, of_other), 1e-12))
    left, strengths, right = np.linalg.svd((shares - np.outer(of_one, of_other)) / widths)
    chance = (np.sqrt(rows - 1) + np.sqrt(columns - 1)) ** 2 / len(one.places)
    strength = float(np.sqrt(max(float(strengths[0]) ** 2 - chance, 0.0)))
    scores = (left[:, 0] / np.sqrt(np.maximum(of_one, 1e-12)), right[0] / np.sqrt(np.maximum(of_other, 1e-12)))
    return Pair(one.feature, other.feature, strength, (one.scores(scores[0]), other.scores(scores[1])))


def _tree(candidates: list[Pair]) -> list[Pair]:
    """Returns the strongest pairs, none of which closes a circle, and the strongest ones with a category after them."""
    group: dict[int, int] = {}
    found: list[Pair] = []
    for pair in sorted(candidates, key=lambda pair: (-abs(pair.correlation), pair.first, pair.second)):
        first, second = group.get(pair.first, pair.first), group.get(pair.second, pair.second)
        more = pair.scores[0] is not None and pair.correlation > 0 and len(found) < PAIRS + CATEGORY_PAIRS
        if first != second and (len(found) < PAIRS or more):
            found.append(pair)
        if first != second:
            group = {feature: second if of == first else of for feature, of in group.items()}
            group |= {pair.first: second, pair.second: second}
    return found


def _mixes(
    everything: list[int], numbers: set[int], features: int, paired: set[tuple[int, int]], seed: int
) -> NDArray[np.int8]:
    """Returns different mixes of half of the features, (mixes, features); none that a pair is already.

    Hands are dealt from a shuffled deck, so every feature is in about as many.
    """
    rng, size = np.random.default_rng(seed), min(max(-(-len(everything) // 2), 2), MOST_MIXED)
    known: set[bytes] = set()
    found: list[NDArray[np.int8]] = []
    for _ in range(HANDS):
        deck = rng.permutation(everything)
        for begin in range(0, len(deck) - size + 1, size):
            hand = np.sort(deck[begin : begin + size])
            mix = np.zeros(features, np.int8)
            mix[hand] = rng.integers(0, 2, size) * 2 - 1
            mix[hand] *= mix[hand[0]]
            plain = numbers.issuperset(hand.tolist())
            if plain and (mix.tobytes() in known or (size == 2 and tuple(hand.tolist()) in paired)):
                continue
            known.add(mix.tobytes())
            found.append(mix)
            if len(found) == MIXES:
                return np.stack(found)
    return np.stack(found) if found else np.empty((0, features), np.int8)

"""Joint tasks: changes of how features go together that leave every feature's own distribution as it was.

From a pool of real rows five such changes are made: the feature that goes with another most is turned upside down (its ranks
are mirrored); a middling one is drawn from other rows; either is told by the quarter it lies in, and the outer quarters trade
names; a tenth of the rows is made of parts of other rows, as a broken join makes them. Two made pools also differ in nothing
but their copula. What it costs to watch all this is seen where one feature moves. Rows are drawn with replacement, so nothing
changes before the moment of change.

Data beside the repository (`../shared/data`) is used when it is there. `magic` and correlated normal numbers were looked at
during development, the others were not.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from river import datasets

from bench.detection.drift_tasks import SHARED
from tocsin.rows import category_code

SEED: Final = 23
MADE: Final = 40_000
MOST: Final = 60_000
"""Rows of a pool."""
QUARTERS: Final = ("lowest", "low", "high", "highest")
BROKEN: Final = 0.1
ADBENCH: Final = (
    "22_magic.gamma",
    "10_cover",
    "28_pendigits",
    "32_shuttle",
    "30_satellite",
    "6_cardio",
    "38_thyroid",
    "11_donors",
)
PARTLY: Final = 12
LEVELS: Final = 20
"""Features of wider sets that are used: the first ones that take LEVELS values or more."""

Values = NDArray[np.float32]
Draw = Callable[[np.random.Generator, int], Values]
"""Random numbers and a number of rows in, (features, rows) out."""


@dataclass(frozen=True, slots=True)
class Task:
    """One change to find.

    Attributes:
        name: of the change.
        dataset: where its rows come from.
        features: names; one that starts with `=` is a category.
        before: draws rows before the change.
        after: and after it.
    """

    name: str
    dataset: str
    features: tuple[str, ...]
    before: Draw
    after: Draw

    def stream(self, seed: list[int], before: int, after: int) -> Values:
        """Returns a stream that changes after `before` rows."""
        rng = np.random.default_rng(seed)
        return np.concatenate((self.before(rng, before), self.after(rng, after)), axis=1)


def tasks(quick: bool) -> Iterator[Task]:
    """Yields every task whose data is at hand; when quick, those of two pools."""
    yield from _made()
    pools = list(_pools())
    for name, pool in pools[:1] if quick else pools:
        names = tuple(f"f{index}" for index in range(len(pool)))
        strengths = _strengths(pool)
        order = np.argsort(strengths, kind="stable")
        strongest, middling = int(order[-1]), int(order[len(order) // 2])
        yield Task("correlation flip", name, names, _of(pool), _of(_mirrored(pool, strongest)))
        yield Task("decorrelation of one feature", name, names, _of(pool), _apart(pool, middling))
        for change, feature in (("category swap", strongest), ("category swap, middling feature", middling)):
            told, swapped = _told(pool, feature)
            categories = tuple(f"={one}" if index == feature else one for index, one in enumerate(names))
            yield Task(change, name, categories, _of(told), _of(swapped))
        yield Task("a tenth of the rows mixed up", name, names, _of(pool), _broken(pool))
        yield Task("one feature moves by .25 deviations", name, names, _of(pool), _of(_moved(pool, middling)))


def _made() -> Iterator[Task]:
    for name, (before, after) in {"copula: normal to Student's t": _tails(), "copula: a new relation": _new()}.items():
        names = tuple(f"f{index}" for index in range(len(before)))
        yield Task(name, "made", names, _of(before), _of(after))


def _tails() -> tuple[Values, Values]:
    """Returns six numbers of equal correlation .5 with a normal and with Student's copula of 2 degrees, ranks as values."""
    rng = np.random.default_rng(SEED)
    mixing = np.linalg.cholesky(np.full((6, 6), 0.5) + 0.5 * np.eye(6))
    normal = mixing @ rng.normal(size=(6, MADE))
    heavy = mixing @ rng.normal(size=(6, MADE)) / np.sqrt(rng.chisquare(2, MADE) / 2)
    return _ranked(normal), _ranked(heavy)


def _ranked(values: NDArray[np.floating[Any]]) -> Values:
    order = np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1)
    return np.asarray(order / values.shape[1], np.float32)


def _new() -> tuple[Values, Values]:
    """Returns ten numbers of which some are correlated, and the same with a correlation of .5 between two that were not."""
    rng = np.random.default_rng(SEED + 1)
    before = rng.normal(size=(10, MADE))
    before[1] = 0.7 * before[0] + np.sqrt(1 - 0.49) * before[1]
    before[3] = 0.5 * before[2] + np.sqrt(1 - 0.25) * before[3]
    after = before.copy()
    after[8] = 0.5 * after[7] + np.sqrt(1 - 0.25) * after[8]
    for values in (before, after):
        values[::2] = np.exp(values[::2])
    return before.astype(np.float32), after.astype(np.float32)


def _pools() -> Iterator[tuple[str, Values]]:
    """Yields (name, float32 (features, rows))."""
    rows = [list(x.values()) for x, _ in datasets.ImageSegments()]
    yield "river ImageSegments", _picked(np.array(rows, np.float32).T)
    rows = [list(x.values()) for x, _ in datasets.Phishing()]
    yield "river Phishing", np.array(rows, np.float32).T
    if importlib.util.find_spec("sklearn") is not None:  # a dev extra; these sets are in its package
        sets = importlib.import_module("sklearn.datasets")
        yield "scikit-learn breast cancer", _picked(sets.load_breast_cancer().data.T.astype(np.float32))
        yield "scikit-learn wine", _picked(sets.load_wine().data.T.astype(np.float32))
    for name in ADBENCH:
        path = SHARED / "adbench" / f"{name}.npz"
        if path.exists():
            with np.load(path) as data:
                yield name, _picked(data["X"][data["y"] == 0][:MOST].T.astype(np.float32))


def _picked(values: Values) -> Values:
    often = [column for column in values if len(np.unique(column)) >= LEVELS]
    return np.stack(often[:PARTLY])


def _strengths(pool: Values) -> NDArray[np.float64]:
    """Returns each feature's greatest rank correlation with another."""
    together = np.abs(np.corrcoef(_ranked(pool)))
    np.fill_diagonal(together, 0.0)
    strongest: NDArray[np.float64] = together.max(axis=1)
    return strongest


def _of(pool: Values) -> Draw:
    return lambda rng, rows: pool[:, rng.integers(0, pool.shape[1], rows)]


def _mirrored(pool: Values, feature: int) -> Values:
    turned = pool.copy()
    order = np.argsort(pool[feature], kind="stable")
    turned[feature, order] = pool[feature, order[::-1]]
    return turned


def _moved(pool: Values, feature: int) -> Values:
    moved = pool.copy()
    moved[feature] += np.float32(0.25) * pool[feature].std()
    return moved


def _apart(pool: Values, feature: int) -> Draw:
    def draw(rng: np.random.Generator, rows: int) -> Values:
        values = _of(pool)(rng, rows)
        values[feature] = pool[feature, rng.integers(0, pool.shape[1], rows)]
        return values

    return draw


def _told(pool: Values, feature: int) -> tuple[Values, Values]:
    """Returns the pool with a feature's quarter in place of its value, and with the outer quarters' names exchanged."""
    quarter = (_ranked(pool[feature : feature + 1])[0] * len(QUARTERS)).astype(int)
    codes = np.array([category_code(name) for name in QUARTERS], np.float32)
    told, swapped = pool.copy(), pool.copy()
    told[feature], swapped[feature] = codes[quarter], codes[[3, 1, 2, 0]][quarter]
    return told, swapped


def _broken(pool: Values) -> Draw:
    def draw(rng: np.random.Generator, rows: int) -> Values:
        values = _of(pool)(rng, rows)
        broken = np.flatnonzero(rng.random(rows) < BROKEN)
        for column, known in zip(values, pool, strict=True):
            column[broken] = rng.choice(known, len(broken))
        return values

    return draw

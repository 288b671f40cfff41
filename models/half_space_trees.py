"""Half-space trees: inputs came from where few came before (River's HalfSpaceTrees on a sample of rows).

Theory. Half-space trees (Tan, Ting and Liu 2011, IJCAI) cut the unit cube at random and score a point by how many points of
the last window fell near it. One strange point is nothing: the reading is about the *share* of high scores, window by
window, against its own slowly moving past. HIGH is the score that 5 % of the first SCORES windows exceeded. Features are put
into [0, 1] by limits fixed from the first LIMITS_FROM rows: limits that move could be moved by one outlier. The trees learn
what they are fed, so what an attacker can feed, an attacker can train: advisory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import anomaly

from models.river_state import RIVER, Forest, decoded, forest_numbers, grow, is_warm, leaves_of, restore_forest
from models.sampling import Sampler
from models.watched import model_reading
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.reading import Evidence, Reading
from tocsin.rows import MISSING, Rows

ID = "half_space_trees"
VERSION = 2
PER_MINUTE = 120
TREES, HEIGHT, WINDOW = 10, 6, 250
LIMITS_FROM = 500
SCORES = 4
TAIL = 0.05
PAST_WINDOWS = 16.0
DISPERSION = 6.0
SIGMAS = 6.0
MAX_FEATURES = 64


class Share(msgspec.Struct, array_like=True):
    """How often scores are high.

    Attributes:
        high: the score that counts as high, 0 while it is being learnt.
        first: scores it is learnt from.
        now: high scores in this window.
        at: rows of this window.
        usual: the share so far, in (0, 1).
        windows: how many it rests on.
        began_ms: time of this window's first row, Unix milliseconds.
    """

    first: list[float]
    high: float = 0.0
    now: int = 0
    at: int = 0
    usual: float = TAIL
    windows: int = 0
    began_ms: int = 0


class _Dump(msgspec.Struct, array_like=True):
    river: str
    sampler: Sampler
    features: tuple[str, ...]
    first: bytes
    limits: list[tuple[float, float]]
    share: Share
    forest: Forest


@dataclass(slots=True)
class HalfSpaceTrees:
    """One model's numeric features on one shard.

    Attributes:
        seed: of the trees.
        sampler: which rows are read.
        features: names, fixed by the first block; categories have no order and are left out.
        first: float32 (rows, features), little-endian, that the limits are learnt from.
        limits: per feature, what becomes 0 and 1.
        share: how often scores are high.
        trees: River's detector.
        leaves: of the trees.
        forest: their masses as dumped, None since a point was learnt.
    """

    seed: int = 1
    sampler: Sampler = field(default_factory=lambda: Sampler(PER_MINUTE))
    features: tuple[str, ...] = ()
    first: bytes = b""
    limits: list[tuple[float, float]] = field(default_factory=list)
    share: Share = field(default_factory=lambda: Share([]))
    trees: anomaly.HalfSpaceTrees = field(init=False)
    leaves: list[Any] = field(init=False)
    forest: Forest | None = None

    def __post_init__(self) -> None:
        """Starts cold."""
        self._plant(self._grow(self.features))

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns a reading for every window with far more high scores than usual."""
        if not self.features and len(rows):
            self.features = tuple(name for name in rows.features if not name.startswith("="))[:MAX_FEATURES]
            self._plant(self._grow(self.features))
        picked = self.sampler.pick(rows.ts)
        if not len(picked) or not self.features:
            return []
        columns = _columns(rows, self.features, picked)
        learnt = self._learn_limits(columns)
        readings: list[Reading] = []
        for row, values in zip(picked[learnt:].tolist(), columns.T[learnt:].tolist(), strict=True):
            point = self.scaled(values)
            if point:
                readings += self._score(rows, row, point)
        return readings

    def _learn_limits(self, columns: NDArray[np.float32]) -> int:
        """Returns how many of the rows, the first ones, the limits were learnt from."""
        if self.limits:
            return 0
        known = len(self.first) // (4 * len(self.features))
        taken = columns.T[: LIMITS_FROM - known]
        self.first += taken.astype("<f4").tobytes()
        if known + len(taken) == LIMITS_FROM:
            points = np.frombuffer(self.first, "<f4").reshape(LIMITS_FROM, -1).astype(np.float64)
            self.limits = [_limits(column[~np.isnan(column)]) for column in points.T]
            self.first = b""
        return len(taken)

    def scaled(self, point: list[float]) -> dict[str, float]:
        """Returns the known features in [0, 1]."""
        named = zip(self.features, point, self.limits, strict=True)
        return {name: min(max((v - low) / (high - low), 0.0), 1.0) for name, v, (low, high) in named if not math.isnan(v)}

    def _score(self, rows: Rows, row: int, point: dict[str, float]) -> list[Reading]:
        warm = is_warm(self.trees)
        score = self.trees.score_one(point)
        self.trees.learn_one(point)
        self.forest = None
        return self._count(rows, row, score) if warm else []

    def _count(self, rows: Rows, row: int, score: float) -> list[Reading]:
        share = self.share
        if not share.high:
            share.first.append(score)
            if len(share.first) >= SCORES * WINDOW:
                share.high = float(np.quantile(share.first, 1.0 - TAIL))
                share.first = []
            return []
        share.began_ms = share.began_ms if share.at else int(rows.ts[row])
        share.now += score > share.high
        share.at += 1
        if share.at < WINDOW:
            return []
        found, usual = share.now / WINDOW, min(max(share.usual, 0.01), 0.5)
        limit = usual + SIGMAS * math.sqrt(usual * (1.0 - usual) * DISPERSION / WINDOW)
        share.windows += 1
        share.usual += (found - share.usual) / min(share.windows + 1.0, PAST_WINDOWS)
        share.now = share.at = 0
        if found <= limit:
            return []
        evidence: Evidence = {"share_high": round(found, 4), "share_usual": round(usual, 4), "score_high": round(share.high, 4)}
        numbers = (found, limit, WINDOW, share.began_ms)
        return [model_reading(rows, row, (ID, VERSION), "features", numbers, evidence)]

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time."""

    def dump(self) -> bytes:
        """Returns the masses of the trees, which the seed grows again, with River's version."""
        self.forest = self.forest or forest_numbers(self.trees, self.leaves)
        return pack(_Dump(RIVER, self.sampler, self.features, self.first, self.limits, self.share, self.forest))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: the bytes are no state of this version, or another River wrote them.
        """
        dump = decoded(data, _Dump, ID)
        trees = self._grow(dump.features)
        restore_forest(trees, dump.forest)
        self.sampler, self.features, self.first, self.limits = dump.sampler, dump.features, dump.first, dump.limits
        self.share = dump.share
        self._plant(trees)

    def _plant(self, trees: anomaly.HalfSpaceTrees) -> None:
        self.trees, self.leaves, self.forest = trees, leaves_of(trees), None

    def _grow(self, features: tuple[str, ...]) -> anomaly.HalfSpaceTrees:
        return grow(features, TREES, HEIGHT, WINDOW, self.seed)


def _columns(rows: Rows, features: tuple[str, ...], picked: NDArray[np.int64]) -> NDArray[np.float32]:
    """Returns (features, picked) float32; a feature that the block lacks is missing in every row."""
    if rows.features == features:
        return rows.values[:, picked]
    columns = np.full((len(features), len(picked)), MISSING)
    for index, name in enumerate(features):
        if name in rows.features:
            columns[index] = rows.values[rows.features.index(name)][picked]
    return columns


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Returns the 1 % and 99 % quantiles and as much again on either side; (0, 1) when nothing is known."""
    if not len(values):
        return 0.0, 1.0
    low, high = np.quantile(values, [0.01, 0.99]).tolist()
    spread = (high - low) or max(abs(low), 1.0)
    return low - spread / 2, high + spread / 2

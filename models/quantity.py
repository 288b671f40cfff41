"""Quantities: the one place that turns rows into the numbers whose distribution a baseline holds.

Golden traffic and live traffic come through here alike, so what is compared was made by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import joint, loda
from models.baseline import Baseline, Watched
from models.scored import scores_of
from tocsin.rows import Rows, category_code

Column = NDArray[np.float32]
Places = NDArray[np.int64]

WORDS: Final[dict[Watched, str]] = {
    "feature": "{}",
    "missing": "missing {}",
    "confidence": "confidence",
    "margin": "margin",
    "latency": "latency_ms",
    "label": "label",
    "envelope": "envelope",
    "tail": "envelope tail",
    "pair": "{}",
    "projection": "mix {}",
}
"""What a quantity is called; a feature's name goes in, a pair's, or a number."""

JOINT: Final[tuple[Watched, ...]] = ("pair", "projection")
"""What reads several features together."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each quantity of a baseline comes from, so that one pass makes all features, and one all that are missing.

    Attributes:
        baseline: whose.
        features: positions of the quantities that read a feature, and the features they read.
        missing: positions of those that read whether one is missing, and the features.
        several: positions of those that read several features together, and their places in `Baseline.joint`.
        others: positions of the rest, and what they read.
        envelope: decoded once; to look it up by its content would cost a hash of all its categories for every block.
        together: `Baseline.joint`, decoded once as well.
    """

    baseline: Baseline
    features: tuple[Places, Places]
    missing: tuple[Places, Places]
    several: tuple[Places, Places]
    others: tuple[tuple[int, Watched], ...]
    envelope: loda.Face | None
    together: joint.Face | None

    def columns(self, values: Column, absent: NDArray[np.bool_], rows: Rows) -> Column:
        """Returns every quantity of the rows, float32 (quantities, rows), NaN where a row has no value.

        Args:
            values: the baseline's features of the rows.
            absent: where these are NaN.
            rows: the rest of them.
        """
        made = np.empty((len(self.baseline.quantities), len(rows)), np.float32)
        made[self.features[0]] = values[self.features[1]]
        made[self.missing[0]] = absent[self.missing[1]]
        if self.together is not None:
            made[self.several[0]] = self.together.columns(values, absent)[self.several[1]]
        for position, watches in self.others:
            made[position] = self._column(watches, values, rows)
        return made

    def _column(self, watches: Watched, values: Column, rows: Rows) -> Column:
        """Returns a quantity that is no single feature, float32 (rows,)."""
        match watches:
            case "confidence":
                return rows.confidence
            case "margin":
                distance = np.abs(rows.confidence - np.float32(self.baseline.boundary))
                return np.where(distance <= np.float32(self.baseline.near), distance, np.float32(np.nan))
            case "latency":
                return log_latency(rows.latency_ms)
            case "label":
                return label_codes(rows)
            case "envelope" if self.envelope is not None:
                return scores_of(self.envelope, values).astype(np.float32)
            case "tail" if self.envelope is not None:
                found = scores_of(self.envelope, values).astype(np.float32)
                return np.where(found > self.envelope.tail, found, np.float32(np.nan))
        return np.full(len(rows), np.nan, np.float32)


def layout_of(baseline: Baseline) -> Layout:
    """Returns the layout of a baseline's quantities; only what is read matters, not the cells."""
    numbered = list(enumerate(baseline.quantities))

    def places(*watches: Watched) -> tuple[Places, Places]:
        found = [(position, quantity.feature) for position, quantity in numbered if quantity.watches in watches]
        return np.array([at for at, _ in found], np.int64), np.array([feature for _, feature in found], np.int64)

    of_features: tuple[Watched, ...] = ("feature", "missing", *JOINT)
    others = tuple((at, quantity.watches) for at, quantity in numbered if quantity.watches not in of_features)
    envelope, together = None, None
    if baseline.envelope is not None:
        envelope = loda.face_of(baseline.envelope)
        if baseline.joint is not None:
            together = joint.face_of(baseline.joint, baseline.envelope.scales, baseline.features)
    return Layout(baseline, places("feature"), places("missing"), places(*JOINT), others, envelope, together)


def columns(baseline: Baseline, rows: Rows) -> Column:
    """Returns every quantity of the rows, float32 (quantities, rows), NaN where a row has no value.

    Args:
        baseline: whose quantities; only what is read, features, boundary, near, envelope and joint matter, not the cells.
        rows: of its model; a feature that they do not carry is missing in all of them.
    """
    values = features_of(baseline.features, rows)
    return layout_of(baseline).columns(values, np.isnan(values), rows)


def features_of(names: tuple[str, ...], rows: Rows) -> Column:
    """Returns these features of the rows, float32 (features, rows); NaN where the rows do not carry one."""
    if rows.features == names:
        return rows.values
    where = {name: index for index, name in enumerate(rows.features)}
    values = np.full((len(names), len(rows)), np.nan, np.float32)
    for column, name in zip(values, names, strict=True):
        if name in where:
            column[:] = rows.values[where[name]]
    return values


def log_latency(latency_ms: Column) -> Column:
    """Returns log(1 + milliseconds); a claim below 0 counts as 0."""
    logs: Column = np.log1p(np.maximum(latency_ms, np.float32(0)))
    return logs


def label_codes(rows: Rows) -> Column:
    """Returns each row's predicted class as a 24-bit code, NaN where none was predicted."""
    codes = np.array([category_code(name) if name else np.nan for name in rows.labels] or [np.nan], np.float32)
    picked: Column = codes[rows.label]
    return picked

"""Quantities: the one place that turns rows into the numbers whose distribution a baseline holds.

Golden traffic and live traffic come through here alike, so what is compared was made by the same code.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import loda
from models.baseline import Baseline, Watched
from tocsin.rows import Rows, category_code

Column = NDArray[np.float32]

WORDS: Final[dict[Watched, str]] = {
    "feature": "{}",
    "missing": "missing {}",
    "confidence": "confidence",
    "margin": "margin",
    "latency": "latency_ms",
    "label": "label",
    "envelope": "envelope",
}
"""What a quantity is called; a feature's name goes in."""


def columns(baseline: Baseline, rows: Rows) -> Column:
    """Returns every quantity of the rows, float32 (quantities, rows), NaN where a row has no value.

    Args:
        baseline: whose quantities; only what is read, features, boundary, near and envelope matter, not the cells.
        rows: of its model; a feature that they do not carry is missing in all of them.
    """
    values = features_of(baseline.features, rows)
    made = np.full((len(baseline.quantities), len(rows)), np.nan, np.float32)
    for column, quantity in zip(made, baseline.quantities, strict=True):
        match quantity.watches:
            case "feature":
                column[:] = values[quantity.feature]
            case "missing":
                column[:] = np.isnan(values[quantity.feature])
            case "confidence":
                column[:] = rows.confidence
            case "margin":
                distance = np.abs(rows.confidence - np.float32(baseline.boundary))
                column[:] = np.where(distance <= np.float32(baseline.near), distance, np.float32(np.nan))
            case "latency":
                column[:] = log_latency(rows.latency_ms)
            case "label":
                column[:] = label_codes(rows)
            case "envelope":
                if baseline.envelope is not None:
                    column[:] = loda.scores(baseline.envelope, values)
    return made


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

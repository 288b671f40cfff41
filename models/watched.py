"""Watched: the quantities of a model that River's univariate detectors read, one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tocsin.reading import Evidence, Reading
from tocsin.rows import Rows
from tocsin.signal import Kind

Column = NDArray[np.float64]


def _error(rows: Rows) -> Column:
    status = rows.status
    return np.where(status == 0, np.nan, status >= 500)


def _log_latency(rows: Rows) -> Column:
    return np.log1p(rows.latency_ms.astype(np.float64))


def _confidence(rows: Rows) -> Column:
    return rows.confidence.astype(np.float64)


WATCHED: Final[dict[str, Callable[[Rows], Column]]] = {
    "confidence": _confidence,
    "latency_ms": _log_latency,
    "error rate": _error,
}
"""What is watched → its value in each row, NaN where unknown. Latency is read as log(1 + ms): its tail is heavy."""

SMALLEST_SD: Final[dict[str, float]] = {"confidence": 0.01, "latency_ms": 0.05, "error rate": 0.05}
"""Below this a standard deviation is taken for luck or for a quantity that never moved."""

KINDS: Final[dict[str, Kind]] = {"latency_ms": Kind.FAULT, "error rate": Kind.FAULT}
"""What a change of it means, where that is not drift of the model."""


def in_units(watches: str, value: float) -> float:
    """Returns a mean of what River was fed in the unit people know: a geometric mean for latency."""
    return float(np.expm1(value)) if watches == "latency_ms" else value


def model_reading(
    rows: Rows,
    row: int,
    detector: tuple[str, int],
    watches: str,
    numbers: tuple[float, float, int, int],
    evidence: Evidence,
) -> Reading:
    """Returns a reading about the model itself.

    Args:
        rows: the block.
        row: that made it cross.
        detector: id and version.
        watches: the quantity.
        numbers: statistic, threshold, count, onset in Unix milliseconds.
        evidence: what else was seen.
    """
    statistic, threshold, count, onset_ts = numbers
    at, ts = rows.coordinates(row), int(rows.ts[row])
    return Reading(
        *detector, rows.model, watches, None, at, ts, min(onset_ts, ts), statistic, threshold, count, evidence, (at,)
    )

"""Watched: the quantities of a model that River's univariate detectors read, one line each."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import compress
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading import Evidence, Reading
from tocsin.rows import Rows
from tocsin.signal import Kind

Picked = NDArray[np.int64]


def _confidence(rows: Rows, picked: Picked) -> list[float]:
    values: list[float] = rows.confidence[picked].tolist()
    return values


def _log_latency(rows: Rows, picked: Picked) -> list[float]:
    values: list[float] = np.log1p(rows.latency_ms[picked].astype(np.float64)).tolist()
    return values


def _error(rows: Rows, picked: Picked) -> list[float]:
    return [float(status >= 500) if status else math.nan for status in rows.status[picked].tolist()]


WATCHED: Final[dict[str, Callable[[Rows, Picked], list[float]]]] = {
    "confidence": _confidence,
    "latency_ms": _log_latency,
    "error rate": _error,
}
"""What is watched → its value in each picked row, NaN where unknown. Latency is read as log(1 + ms): its tail is heavy."""

SMALLEST_SD: Final[dict[str, float]] = {"confidence": 0.01, "latency_ms": 0.05, "error rate": 0.05}
"""Below this a standard deviation is taken for luck or for a quantity that never moved."""

KINDS: Final[dict[str, Kind]] = {"latency_ms": Kind.FAULT, "error rate": Kind.FAULT}
"""What a change of it means, where that is not drift of the model."""


class Series(NamedTuple):
    """The known values of one quantity, in ledger order. Lists, for River takes one number at a time and rows are few.

    Attributes:
        rows: where each stands in the block.
        ts: its event time, Unix milliseconds.
        values: it.
    """

    rows: list[int]
    ts: list[int]
    values: list[float]

    def after(self, count: int) -> Series:
        """Returns what is left behind the first `count` values."""
        return Series(self.rows[count:], self.ts[count:], self.values[count:]) if count < len(self.values) else NOTHING


NOTHING: Final = Series([], [], [])

_LAST: Final[list[tuple[Rows, list[int], dict[str, Series]]]] = []
"""The last answer of `watched`: both detectors of a model read the same rows of the same block, one after the other."""


def watched(rows: Rows, picked: Picked) -> dict[str, Series]:
    """Returns quantity → its known values in the picked rows; nothing when no row is picked. To be read only."""
    at: list[int] = picked.tolist()
    for block, before, series in _LAST:
        if block is rows and before == at:
            return series
    if not at:
        return {}
    ts = rows.ts[picked].tolist()
    found = {name: _known(Series(at, ts, values_of(rows, picked))) for name, values_of in WATCHED.items()}
    _LAST[:] = [(rows, at, found)]
    return found


def _known(series: Series) -> Series:
    if not any(map(math.isnan, series.values)):
        return series
    known = [not math.isnan(value) for value in series.values]
    at, ts, values = series
    return Series(list(compress(at, known)), list(compress(ts, known)), list(compress(values, known)))


def in_row_order(found: list[tuple[int, Reading]]) -> list[Reading]:
    """Returns the readings by the rows that made them."""
    return [reading for _, reading in sorted(found, key=itemgetter(0))] if found else []


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

"""Query watchers: the product's `query_path` at the two thresholds that the benchmark tries, cold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.account import Tick
from models.baseline import Baseline
from models.detector import Detector, Seat
from models.query_path import QueryPath
from models.registry import DETECTORS
from models.shiryaev_roberts import MONTH_S
from tests.helpers.traffic import cut
from tocsin.clock import Clock
from tocsin.reading import Reading
from tocsin.rows import Rows

FRAME: Final = 512
PER_EVENT: Final = 1e5
AT_EVENTS, AT_BUDGET = "tocsin query_path, A = 1e5 events", "tocsin query_path, at its budget"


class PerEvent:
    """Stakes of 1 per question, whatever the time.

    Attributes:
        ticks: nothing.
    """

    def __init__(self) -> None:
        self.ticks: dict[str, Tick] = {}

    def stakes(self, _model: str, ts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns ones."""
        return np.ones(len(ts))


def watchers(baseline: Baseline) -> dict[str, Callable[[], Detector]]:
    """Returns how to make each variant of the product's detector, cold."""
    baselines, entry = {baseline.model: baseline}, DETECTORS["query_path"]
    return {
        AT_EVENTS: lambda: QueryPath(MONTH_S / PER_EVENT, 1, baselines, PerEvent()),
        AT_BUDGET: lambda: entry.build(Seat(alerts_per_month=entry.share, baselines=baselines)),
    }


def readings(detector: Detector, rows: Rows) -> list[Reading]:
    """Returns all that a detector says to these rows."""
    return [reading for block in cut(rows, FRAME) for reading in detector.observe(block, Clock())]

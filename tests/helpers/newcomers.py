"""Newcomers: a small baseline with evenness, scouts, and reports for a judge, without golden traffic to fit them to."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.evenness import Evenness, bloom_of
from models.newcomer_scout import TOLD
from tests.helpers.baselines import baseline_of
from tests.helpers.traffic import MODEL, SOURCE, hash_of, poisson, rows_at
from tocsin.event import Coordinates
from tocsin.reading import Reports
from tocsin.rows import Rows

HOUR_MS = 3_600_000
GOLDEN_CALLERS = 50
CALLERS = (0.0, 10.0, 20.0, 40.0, 100.0, 200.0, 200.0, 100.0)
EVEN = (0.0, 9.0, 10.0, 4.0, 5.0, 8.0, 8.0, 4.0)


@cache
def baseline(n0: int = 4, threshold: int = 4) -> Baseline:
    """Returns a baseline of calm rows: callers 0 to 49 are known; bin 0 ends at two hours, without golden callers."""
    golden = rows_at(*poisson(1, GOLDEN_CALLERS, 0.1, 100), seed=1)
    plain = baseline_of(golden, watches=("confidence", "envelope"))
    centres = np.frombuffer(plain.references, "<f4").reshape(-1, len(plain.features))[:64]
    evenness = Evenness(
        centres=np.ascontiguousarray(centres).tobytes(),
        n0=n0,
        threshold=threshold,
        fastest_ms=float(HOUR_MS),
        callers=np.array(CALLERS).tobytes(),
        even=np.array(EVEN).tobytes(),
        copying=0.9,
        known=bloom_of(hash_of(np.arange(GOLDEN_CALLERS))),
    )
    return msgspec.structs.replace(plain, evenness=evenness)


def reports(newcomers: list[tuple[int, float, float]]) -> Reports:
    """Returns reports of newcomers: (cells visited, hour of the first question, hours to the last)."""
    told = np.empty(len(newcomers), TOLD)
    for row, (cells, began, took) in enumerate(newcomers):
        told[row] = ((1 << cells) - 1, began * HOUR_MS, (began + took) * HOUR_MS)
    at = Coordinates(SOURCE, 7, 0)
    return Reports("newcomer_cohort", 1, MODEL, "", 1, "armed", 1, 0, 0, at, (), told.tobytes())


def told_in(body: bytes) -> list[tuple[int, int, int]]:
    """Returns what a scout's report says: (mask, first, last) of each newcomer."""
    return [(int(mask), int(first), int(last)) for mask, first, last in np.frombuffer(body, TOLD).tolist()]


def crowd(seed: int, callers: int, calls: int, hours: float) -> Rows:
    """Returns calls of so many callers, spread over so many hours."""
    rng = np.random.default_rng(seed)
    seconds: NDArray[np.float64] = np.sort(rng.uniform(0, hours * 3_600, calls))
    return rows_at(seconds, rng.integers(0, callers, calls), seed=seed)

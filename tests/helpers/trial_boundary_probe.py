"""What `boundary_probe` is for: calm traffic of a model with a threshold, then twenty accounts that bisect it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.helpers.traffic import hash_of, join, poisson, rows_at
from tocsin.rows import Rows

ACCOUNTS = 20
PROBES = 150
STEPS = 12


def with_threshold(rows: Rows) -> Rows:
    """Returns the rows with labels that follow from their confidence."""
    return replace(rows, label=(rows.confidence < 0.5).astype(np.uint16))


def bisected(probes: int) -> NDArray[np.float32]:
    """Returns the confidences of so many questions: bisections of .5, each from another interval."""
    rng = np.random.default_rng(5)
    asked: list[float] = []
    while len(asked) < probes:
        low, high = rng.uniform(0.2, 0.4), rng.uniform(0.6, 0.8)
        for _ in range(STEPS):
            asked.append((low + high) / 2)
            low, high = (low, asked[-1]) if asked[-1] >= 0.5 else (asked[-1], high)
    return np.array(asked[:probes], np.float32)


def probed() -> tuple[Rows, Rows, int]:
    """Returns golden rows, then half an hour at whose end somebody searches for the threshold, and where that begins."""
    golden = with_threshold(rows_at(*poisson(99, 5_000, 0.01, 400), seed=99))
    calm = poisson(1, 500, 0.02, 2_000)
    asked = (1_610 + np.arange(PROBES, dtype=np.float64) * 1.5, 9_000 + np.arange(PROBES, dtype=np.int64) % ACCOUNTS)
    rows = rows_at(*join(calm, asked), seed=1)
    confidence = rows.confidence.copy()
    mine = np.flatnonzero(np.isin(rows.hash, hash_of(9_000 + np.arange(ACCOUNTS))))
    confidence[mine] = bisected(len(mine))
    return golden, with_threshold(replace(rows, confidence=confidence)), int(mine[0])

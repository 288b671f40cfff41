"""Delay: how soon the envelope detector says that a small share of an otherwise calm stream lies outside.

Each row has a caller of its own, so that nothing is discounted. Peers of River alarm on no share of strange rows; what is
compared is the detector with and without the quantity that watches its tail, at a tenth of an alert per model-month.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from models import envelope
from models.baseline import Watched
from models.detector import Seat
from tests.helpers.baselines import baseline_of, weighed
from tests.helpers.traffic import MODEL, rows_at, with_values
from tocsin.rows import Rows

WITH: Final = "tocsin envelope"
WITHOUT: Final = "tocsin envelope without its tail"
WATCHED: Final[dict[str, tuple[Watched, ...]]] = {WITH: ("envelope", "tail"), WITHOUT: ("envelope",)}
GOLDEN: Final = 40_000
CHANGED: Final = 8_000
EVENTS: Final = 40_000
RATE: Final = 4.0
SHARES: Final = (0.005, 0.01, 0.02, 0.05)
SEEDS: Final = (4, 5, 6)
AMOUNT: Final = 5_000.0
BUDGET: Final = 0.1


def calm(events: int, seed: int) -> Rows:
    """Returns rows, each by a caller of its own."""
    return rows_at(np.arange(events) / RATE, np.arange(events) + seed * 1_000_000, seed=seed)


def delays(quick: bool) -> Iterator[tuple[str, float, float, int]]:
    """Yields detector, share of the rows outside, events from the change to its first alarm, and seed; all of them for none."""
    golden = calm(GOLDEN, 1)
    for name, watches in WATCHED.items():
        baseline = baseline_of(golden, watches=watches)
        for share in SHARES[-1:] if quick else SHARES:
            for seed in SEEDS[:1] if quick else SEEDS:
                detector = envelope.build(Seat(model=MODEL, baseline=baseline, alerts_per_month=BUDGET))
                found = weighed(detector, baseline, _with_strange(calm(EVENTS, seed), share, seed))
                yield name, share, float((found[0].at.offset if found else EVENTS) - CHANGED), seed


def _with_strange(rows: Rows, share: float, seed: int) -> Rows:
    values = rows.values[:, CHANGED:].copy()
    values[0, np.random.default_rng(seed).random(values.shape[1]) < share] = AMOUNT
    return with_values(rows, CHANGED, values=values)

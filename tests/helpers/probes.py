"""Probes: payments of a model that refuses at a score of .5, and somebody who searches for that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models import boundary_probe
from models.baseline import Baseline, hash_of
from models.detector import Seat
from tests.helpers.traffic import cut, join, poisson, rows_at
from tocsin.reading import Reading, Reports
from tocsin.rows import Rows

CALLERS = 400
RATE = 0.005
FIRST_ACCOUNT = 1 << 20
ALERTS = 0.1
NEAR = 0.05


@dataclass(frozen=True, slots=True)
class Asked:
    """A search.

    Attributes:
        scores: of its questions, in order; the amount asked is a thousand times the score.
        accounts: that take turns.
    """

    scores: NDArray[np.float64]
    accounts: int


def payments(seed: int, count: int, *, near: bool = True) -> Rows:
    """Returns about `count` ordinary payments: one in thirty comes within NEAR of the threshold, none if not `near`."""
    rows = rows_at(*poisson(seed, CALLERS, RATE, count / CALLERS / RATE), seed=seed)
    confidence = np.random.default_rng([seed, 3]).beta(2, 8, len(rows)).astype(np.float32)
    if not near:
        confidence = np.where(np.abs(confidence - 0.5) <= NEAR, np.float32(0.1), confidence)
    return answered(rows, confidence)


def answered(rows: Rows, confidence: NDArray[np.float32]) -> Rows:
    """Returns the rows with these scores, and the labels that follow from them."""
    return replace(rows, confidence=confidence, label=(confidence >= 0.5).astype(np.uint16))


def bisection(low: float, high: float, questions: int) -> NDArray[np.float64]:
    """Returns the scores of one bisection of a threshold of .5001 between these."""
    asked = []
    for _ in range(questions):
        asked.append((low + high) / 2)
        low, high = (low, asked[-1]) if asked[-1] >= 0.5001 else (asked[-1], high)
    return np.array(asked)


def asked_among(calm: Rows, asked: Asked, first: int) -> Rows:
    """Returns the calm rows with the search among them from row `first` on, a question every ten rows or so."""
    count = len(asked.scores)
    begin = (calm.ts[first] - calm.ts[0]) / 1000.0
    calm_s = (calm.ts - calm.ts[0]) / 1000.0
    who = FIRST_ACCOUNT + np.arange(count, dtype=np.int64) % asked.accounts
    times, callers = join((calm_s, np.arange(len(calm), dtype=np.int64)), (begin + 5.0 * np.arange(1, count + 1), who))
    mine = callers >= FIRST_ACCOUNT
    rows = rows_at(times, callers)
    confidence, values, hashes = rows.confidence.copy(), rows.values.copy(), rows.hash.copy()
    confidence[mine], confidence[~mine] = asked.scores, calm.confidence
    values[:, mine], values[:, ~mine] = 1.0, calm.values
    values[0, mine] = 1_000.0 * asked.scores
    hashes[~mine] = calm.hash
    return answered(replace(rows, values=values, hash=hashes), confidence)


def held_against(baseline: Baseline, rows: Rows, size: int = 16) -> list[Reading]:
    """Returns what `boundary_probe` reads in what its scout tells of these rows."""
    seat = Seat(model=baseline.model, alerts_per_month=ALERTS, baseline=baseline)
    scout, detector, name = boundary_probe.scout(seat), boundary_probe.build(seat), hash_of(baseline)
    readings: list[Reading] = []
    before, seconds = int(rows.ts[0]), 0.0
    for block in cut(rows, size):
        report = scout.look(block)
        if report is None:
            continue
        at, latest = block.coordinates(len(block) - 1), int(block.ts.max())
        who = (boundary_probe.ID, boundary_probe.VERSION, baseline.model, name, 1)
        times = (int(block.ts.min()), latest)
        readings += detector.receive(Reports(*who, "armed", len(block), *times, at, report.callers, report.body), seconds)
        seconds, before = (latest - before) / 1000.0, latest
    return readings

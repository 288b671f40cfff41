"""The frog in the pot: who supplies a fifth of the traffic takes moving detectors along, and no armed one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.adwin import Adwin
from models.baseline import Baseline, encode_baseline
from models.confidence_shift import build
from models.detector import Seat
from tests.helpers.baselines import baseline_of, weighed
from tests.helpers.traffic import MODEL, START_MS, cut, rows_at
from tocsin.clock import Clock
from tocsin.rows import Rows

DAYS, PER_DAY = 60, 500
LEAST = 0.3
"""So far down is the attacker's confidence pushed by the last day."""


@pytest.fixture(scope="module")
def golden() -> Baseline:
    return baseline_of(rows_at(np.arange(20_000) / 4.0, np.arange(20_000), seed=1))


def crept() -> Rows:
    """Returns sixty days in which every fifth row, the attacker's, has a confidence a little lower every day."""
    number = np.arange(DAYS * PER_DAY)
    rows = rows_at(number / 4.0, number, seed=2)
    push = np.where(number % 5 == 0, LEAST * (number // PER_DAY) / DAYS, 0.0).astype(np.float32)
    return replace(rows, ts=START_MS + number * (86_400_000 // PER_DAY), confidence=rows.confidence - push)


def test_the_moving_mean_is_taken_along() -> None:
    detector, rows = Adwin(), crept()
    before = float(rows.confidence[: 5 * PER_DAY].mean())
    for some in cut(rows, 512):
        detector.observe(some, Clock())
    after = float(rows.confidence[-5 * PER_DAY :].mean())
    follows = detector.windows["confidence"].estimation
    assert before - after > 0.04
    assert abs(follows - after) < abs(follows - before) / 2


def test_the_frozen_reference_stays_where_it_was_and_says_so(golden: Baseline) -> None:
    bytes_before = encode_baseline(golden)
    detector = build(Seat(model=MODEL, baseline=golden, alerts_per_month=1.0))
    readings = weighed(detector, golden, crept())
    assert readings
    assert {reading.watches for reading in readings} == {"confidence"}
    assert encode_baseline(golden) == bytes_before
    first_day = (readings[0].ts - START_MS) / 86_400_000
    spread = float(crept().confidence[: 5 * PER_DAY].std())
    assert LEAST * first_day / DAYS / 5 < spread

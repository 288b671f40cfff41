"""Ours says exactly what River's PageHinkley says on standardised values."""

from __future__ import annotations

import numpy as np
import pytest
from river import drift

from models.page_hinkley import DELTA, SCALE_FROM, PageHinkley
from models.river_state import feed_page_hinkley, page_hinkley_numbers
from tests.helpers.detectors import assert_fed_by_lists_flags_alike
from tests.helpers.traffic import cut, poisson, rows_at, with_values
from tocsin.clock import Clock


def test_flags_are_those_of_river_on_the_same_values() -> None:
    rows = rows_at(*poisson(1, 100, 0.1, 800))
    rows = with_values(rows, 5_000, confidence=rows.confidence[5_000:] * np.float32(0.6))
    detector = PageHinkley()
    ours = [r.at.offset for b in cut(rows, 512) for r in detector.observe(b, Clock()) if r.watches == "confidence"]
    values = rows.confidence.astype(float)
    mean, sd = values[:SCALE_FROM].mean(), values[:SCALE_FROM].std(ddof=1)
    river = drift.PageHinkley(min_instances=SCALE_FROM, delta=DELTA, threshold=detector.threshold, alpha=1.0)
    theirs = []
    for row, value in enumerate(((values - mean) / sd).tolist()[SCALE_FROM:], SCALE_FROM):
        river.update(value)
        theirs += [row] if river.drift_detected else []
    assert ours == theirs != []


def test_a_quantity_that_never_moved_does_not_flag_at_its_first_step() -> None:
    rows = rows_at(*poisson(1, 100, 0.1, 500))
    still = with_values(rows, 0, confidence=np.full(len(rows), 0.5, np.float32), status=np.full(len(rows), 200, np.int16))
    nudged = with_values(still, 4_000, confidence=np.full(len(rows) - 4_000, 0.5001, np.float32))
    assert [r for b in cut(nudged, 512) for r in PageHinkley().observe(b, Clock())] == []


@pytest.mark.parametrize("size", [1, 9, 100])
def test_fed_by_the_list_it_remembers_what_river_remembers(size: int) -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(mean, 1.0, 700) for mean in (0.0, 2.0, -2.0, 1.0)]).tolist()
    ours, theirs = (drift.PageHinkley(min_instances=100, delta=DELTA, threshold=50.0, alpha=1.0) for _ in range(2))
    assert_fed_by_lists_flags_alike(ours, theirs, feed_page_hinkley, values, size)
    assert page_hinkley_numbers(ours) == page_hinkley_numbers(theirs)

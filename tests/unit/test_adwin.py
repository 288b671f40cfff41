"""Ours says exactly what River's ADWIN says."""

from __future__ import annotations

import numpy as np
import pytest
from river import drift

from models.adwin import CHECK_EVERY, Adwin
from models.river_state import adwin_bytes, feed_adwin
from tests.helpers.detectors import assert_fed_by_lists_flags_alike
from tests.helpers.traffic import cut, poisson, rows_at, with_values
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError


def test_flags_are_those_of_river_on_the_same_values() -> None:
    rows = rows_at(*poisson(1, 100, 0.1, 800))
    rows = with_values(rows, 4_000, confidence=rows.confidence[4_000:] * np.float32(0.6))
    detector = Adwin()
    ours = [r.at.offset for b in cut(rows, 512) for r in detector.observe(b, Clock()) if r.watches == "confidence"]
    river, theirs = drift.ADWIN(delta=detector.delta, clock=CHECK_EVERY), []
    for row, value in enumerate(rows.confidence.astype(float).tolist()):
        river.update(value)
        theirs += [row] if river.drift_detected else []
    assert ours == theirs != []


def test_a_change_is_told_in_the_units_people_know() -> None:
    rows = rows_at(*poisson(1, 100, 0.1, 800))
    rows = with_values(rows, 4_000, latency_ms=rows.latency_ms[4_000:] * np.float32(4))
    detector = Adwin()
    readings = [reading for block in cut(rows, 512) for reading in detector.observe(block, Clock())]
    assert {reading.watches for reading in readings} == {"latency_ms"}
    before, after = readings[0].evidence["mean_before"], readings[0].evidence["mean_after"]
    assert 19 < float(before) < 22  # the median of calm traffic is 20 ms
    assert 25 < float(after) < 100  # ADWIN keeps a few values from before


def test_a_state_by_another_river_is_refused() -> None:
    with pytest.raises(StateError, match=r"by River 0\.0\.1 found"):
        Adwin().load(pack(["0.0.1", [10, 1, 0, -1, 0, 0], {}, {}]))


@pytest.mark.parametrize("size", [1, 9, 100])
def test_fed_by_the_list_it_remembers_what_river_remembers(size: int) -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(mean, 0.3, 700) for mean in (0.0, 1.0, -2.0)]).tolist()
    ours, theirs = drift.ADWIN(delta=1e-4, clock=CHECK_EVERY), drift.ADWIN(delta=1e-4, clock=CHECK_EVERY)
    assert_fed_by_lists_flags_alike(ours, theirs, feed_adwin, values, size)
    assert adwin_bytes(ours) == adwin_bytes(theirs)

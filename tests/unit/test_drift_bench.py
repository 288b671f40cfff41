"""The drift benchmark: streams change when they say, and both sides are run as the product runs them."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from river import drift

from bench.detection import drift_runs
from bench.detection.drift import DELAY, FALSE, MISSED, Effort, _best, _measured
from bench.detection.drift_runs import Peer, baseline_of, tocsin
from bench.detection.drift_tasks import Task, tasks

CALM = np.random.default_rng(1).normal(size=50_000).astype(np.float32)
TASK = Task("shift", "made", CALM, CALM + np.float32(1))


def test_a_stream_changes_at_its_moment_and_not_before() -> None:
    stream = TASK.stream(np.random.default_rng(2), 4_000, 4_000)
    assert abs(float(stream[:4_000].mean())) < 0.1
    assert float(stream[4_000:].mean()) == pytest.approx(1.0, abs=0.1)


def test_a_share_of_the_rows_changes() -> None:
    task = Task("some", "made", np.zeros(5, np.float32), np.ones(5, np.float32), 0.2)
    assert float(task.stream(np.random.default_rng(2), 100, 10_000)[100:].mean()) == pytest.approx(0.2, abs=0.02)


def test_every_task_at_hand_has_values_on_both_sides() -> None:
    found = list(tasks())
    assert {task.name for task in found} >= {"small probes 5 %", "latency x 4 in 10 %", "confidence, new classes"}
    for task in found:
        assert np.isfinite(task.before).all()
        assert np.isfinite(task.after).all()
        assert min(len(task.before), len(task.after)) >= 500


@pytest.mark.parametrize(("rows", "shards"), [(1, 1), (32, 4)])
def test_readings_hold_every_event_once_in_the_order_of_their_shards(rows: int, shards: int) -> None:
    readings = list(drift_runs._readings(2_000, rows, shards))
    events = [event for _, group in readings for event in group]
    assert len(events) == len(set(events)) > 2_000 - rows * shards
    assert all(end == group[-1] and len(group) == rows for end, group in readings)
    assert all(before < after for (before, _), (after, _) in pairwise(readings))


def test_both_sides_find_a_shift_of_a_standard_deviation_soon() -> None:
    golden = CALM[:5_000]
    stream = TASK.stream(np.random.default_rng(3), 1_500, 1_500)
    adwin = Peer("ADWIN", "delta 0.002", partial(drift.ADWIN, delta=0.002))
    for run in (tocsin(baseline_of(golden), 8, 1), adwin.on(golden)):
        assert 1_500 <= next(run(stream)) < 1_700


def test_the_setting_that_an_oracle_would_choose_is_chosen() -> None:
    settings = tuple(Peer("ADWIN", str(delta), partial(drift.ADWIN, delta=delta)) for delta in (1e-6, 0.002, 0.9))
    assert _best(TASK, settings, CALM[:5_000], quick=True).setting == "0.002"


def test_false_alarms_delays_and_misses_are_counted() -> None:
    effort = Effort(calm=2, calm_events=1_000, changes=2, before=10, after=100)
    every_400 = _measured(TASK, "a clock", lambda values: iter(range(399, len(values), 400)), effort, timed=False)
    assert {found.metric: found.value for found in every_400} == {FALSE: 20.0, DELAY: 100.0, MISSED: 1.0}
    at_once = _measured(TASK, "a hawk", lambda _values: iter([5, 10, 11]), effort, timed=False)
    assert {found.metric: found.value for found in at_once} == {FALSE: 30.0, DELAY: 1.0, MISSED: 0.0}

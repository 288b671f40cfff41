"""The null bench: what it counts, and that its clients are what they are called."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.detection import client_months
from bench.detection.calm import Kind, month, shifted
from bench.detection.client_months import CLIENTS, NEW, Clients
from bench.detection.null import APART, CALLERS, CALM, OURS, Outcome, baseline_of, summed
from bench.detection.watching import Said, watched
from models.registry import DETECTORS
from tests.helpers.traffic import hash_of


def shares(rows: NDArray[np.uint64]) -> float:
    """Returns the share of rows of the busiest caller."""
    return float(np.unique(rows, return_counts=True)[1].max() / len(rows))


def test_whatever_the_registry_holds_is_at_work_in_the_folds_and_a_change_is_an_alert() -> None:
    golden, live = month(Kind(golden_days=3), 5, 3, 400)
    baseline = baseline_of(golden)
    calm, moved = watched(baseline, live, disabled=APART), watched(baseline, shifted(live, 3.0), disabled=APART)
    assert (calm.alerts, calm.faults) == ({}, [])
    assert moved.faults == []
    assert moved.alerts["feature_drift"]
    assert all(live.ts[0] <= ts <= live.ts[-1] for times in moved.alerts.values() for ts in times)
    assert moved.incidents


def test_only_what_the_gate_armed_is_counted_and_only_it_is_allowed_anything() -> None:
    said = Said({"feature_drift": [1, 2], "query_path": [3]}, Counter({"envelope": 4, "adwin": 9}))
    found = [Outcome(2.0, ("feature_drift", "query_path"), ("envelope",), said, whole=False)]
    told = {(one.method, one.metric): one.value for one in summed("x", found)}
    allowed = 2.0 * (OURS["feature_drift"] + OURS["query_path"])
    assert told["armed detectors", "false alerts"] == 3
    assert told["armed detectors", "false alerts per allowed one"] == pytest.approx(3 / allowed)
    assert told["families that watch callers", "false alerts"] == 1
    assert told["gate", "share of detectors armed"] == pytest.approx(2 / 3)
    assert told["unarmed detectors", "signals a model-month that only inform"] == 2.0


def test_every_kind_of_the_issue_is_there_and_every_detector_has_its_place() -> None:
    for name in ("iid", "clustered", "bursty", "sensor", "batch", "campaign", "promotion", "migration", "golden days"):
        assert any(name in kind for kind in CALM)
    assert set(OURS) | set(APART) == set(DETECTORS)
    assert set(CALLERS) & set(DETECTORS) <= set(OURS)


def test_clients_stay_for_a_while_and_newcomers_come_every_day() -> None:
    golden, live = client_months.month(Clients(count=60, stay_days=30), 1, 40, 600)
    known = set(golden.hash.tolist())
    late = live.select(slice(len(live) - 3_000, None))
    new = np.mean([hash64 not in known for hash64 in late.hash.tolist()])
    assert 0.4 < new < 0.95
    assert golden.ts[-1] <= live.ts[0]
    assert np.all(np.diff(live.ts) >= 0)


def test_a_migration_gives_every_client_a_new_key_and_nothing_else() -> None:
    kept = client_months.month(Clients(count=40), 2, 20, 300)[1]
    moved = client_months.month(Clients(count=40, migrates=True), 2, 20, 300)[1]
    changed = kept.hash != moved.hash
    days = (kept.ts - kept.ts[0]) / 86_400_000
    assert not changed[days < 6.5].any()
    assert changed[days > 12.5].all()
    assert np.array_equal(kept.values, moved.values)
    assert np.unique(moved.hash).size > np.unique(kept.hash).size


def test_clustered_clients_have_habits_sensors_move_slowly_and_a_batch_comes_at_night() -> None:
    _, rows = client_months.month(CLIENTS["sensor-like clients"], 3, 5, 600)
    sensor = rows.select(rows.hash == hash_of(np.array([NEW // 2]))[0])
    steps = np.abs(np.diff(np.log(sensor.values[0])))
    assert float(np.median(steps)) < 0.2 * float(np.std(np.log(rows.values[0])))
    _, rows = client_months.month(CLIENTS["batch clients"], 3, 5, 600)
    assert shares(rows.hash) > 0.1

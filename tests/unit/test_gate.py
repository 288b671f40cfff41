"""Who may alarm in earnest."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bench.detection.calm import HOSTILE, KINDS, Kind, month
from bench.detection.null import baseline_of
from bench.detection.watching import watched
from models.baseline import Baseline, Gate
from models.census import Census
from models.detector import Seat
from models.experts import EXPERTS
from models.gate import LEVELS, WATCHED, split
from models.golden import Sample
from models.registry import DETECTORS
from models.replay import alarms, cuts, gains, months, replayed
from models.season import day_of
from models.shiryaev_roberts import MONTH_S
from tests.helpers.baselines import Feed
from tests.helpers.traffic import MODEL
from tocsin.rows import Rows

PER_DAY = 1_000


def _of_cells(baseline: Baseline) -> list[Gate]:
    """Returns the gates of what watches the cells of quantities, and of what listens to it; parts are tried by their own."""
    return [gate for gate in baseline.gate if gate.detector in (*WATCHED, "disagreement")]


def golden(kind: Kind, seed: int = 1) -> Rows:
    return month(kind, seed, 0, PER_DAY)[0]


@pytest.fixture(scope="module")
def calm() -> Rows:
    return golden(KINDS["sessions, habit .3"])


def test_calm_traffic_arms_every_detector_and_every_trial_is_told(calm: Rows) -> None:
    for gate in _of_cells(baseline_of(calm)):
        assert gate.armed, gate.says
        assert gate.says.startswith("armed")
        assert all(raised <= allowed for _, raised, allowed in gate.trials)


def test_golden_days_that_drift_leave_every_detector_advisory_and_are_named() -> None:
    baseline = baseline_of(golden(HOSTILE["drifts by itself, AR(1) of .9"]))
    assert not any(gate.armed for gate in _of_cells(baseline))
    assert any("golden days of" in gate.says for gate in baseline.gate)


def test_a_few_hours_arm_at_what_they_support_and_hardly_any_rows_arm_nothing(calm: Rows) -> None:
    hours = [gate for gate in _of_cells(baseline_of(calm.select(slice(0, 700)))) if gate.trials]
    assert {len(gate.trials) for gate in hours if gate.armed} <= {len(LEVELS)}  # no months drawn
    assert {gate.sigmas for gate in hours} == {2.0}  # so few rows begin with twice the margin
    few = baseline_of(calm.select(slice(0, 320)))
    assert not any(gate.armed for gate in few.gate)
    assert "250 rows to learn from and 100 to try on needed" in few.gate[0].says


def test_the_last_quarter_of_the_days_is_held_out(calm: Rows) -> None:
    sample = Sample()
    sample.add(calm)
    first, last = split(sample.golden(), "UTC")
    days = [len(np.unique(day_of("UTC", part.rows.ts))) for part in (first, last)]
    assert days == [10, 4]
    assert int(first.rows.ts[-1]) <= int(last.rows.ts[0])


def test_the_replays_recursion_is_the_banks() -> None:
    kind = Kind(golden_days=2)
    first, live = month(kind, 3, 2, PER_DAY)
    baseline = baseline_of(first)
    moved = live.values.copy()
    moved[:, len(live) // 2 :] *= 3.0
    live = month(kind, 3, 2, PER_DAY)[1]
    live.values[:] = moved
    quantities = baseline.of("feature", "missing")
    steps = replayed(baseline, live)
    gained = gains(steps, baseline, quantities, list(range(len(EXPERTS))))
    by_bank = _of_bank(baseline, live)
    threshold = MONTH_S / 0.3
    until_first = [alarms(gained[:end], steps.seconds[:end], np.array([threshold]))[0, 0] for end in range(len(gained) + 1)]
    ends = cuts(live.ts, 64)
    assert by_bank
    first_alarm = until_first.index(1) - 1
    assert abs(int(np.searchsorted(live.ts[np.array(ends) - 1], by_bank[0])) - first_alarm) <= 2


def _of_bank(baseline: Baseline, live: Rows) -> list[int]:
    """Returns when `feature_drift` alarmed over these rows, Unix milliseconds."""
    detector = DETECTORS["feature_drift"].build(Seat(model=MODEL, alerts_per_month=0.3, baseline=baseline))
    feed = Feed(Census(baseline, 1))
    blocks = [live.select(slice(begin, end)) for begin, end in pairwise([0, *cuts(live.ts, 64)])]
    return [reading.ts for block in blocks for reading in feed.weighed(detector, block, 64)]


def test_drawn_months_are_made_of_whole_days(calm: Rows) -> None:
    steps = replayed(baseline_of(calm), calm)
    order = months(steps, 30, 3, 1)
    assert order.shape[0] == 3
    for month_ in order:
        days = steps.day[month_[month_ >= 0]]
        assert (np.bincount(days - days.min())[np.unique(days - days.min())] % np.bincount(steps.day - steps.day.min())[
            np.unique(days) - steps.day.min()] == 0).all()  # fmt: skip
    assert (months(steps, 30, 3, 1) == order).all()


def test_a_month_of_calm_is_silent() -> None:
    golden, live = month(KINDS["10 % of callers a day, habit .3"], 2, 10, PER_DAY)
    baseline = baseline_of(golden)
    said = watched(baseline, live, disabled=("probe_rate", "adwin", "page_hinkley", "half_space_trees"))
    assert (said.alerts, said.faults) == ({}, [])
    assert sum(gate.armed for gate in baseline.gate) >= 3

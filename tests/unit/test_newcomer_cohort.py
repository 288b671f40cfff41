"""NewcomerCohort: whether too many newcomers are even, among those that took as long."""

from __future__ import annotations

import numpy as np
import pytest

from models.evenness import bin_of, tolerated_of
from models.newcomer_cohort import NewcomerCohort, quota_hours
from models.shiryaev_roberts import MONTH_S
from tests.helpers.newcomers import CALLERS, EVEN, GOLDEN_CALLERS, HOUR_MS, baseline, reports

EVEN_CELLS, HABITS = 4, 2
SLOW_H = 20.0
"""In bin 4, of 100 golden callers."""


def alarms(newcomers: list[tuple[int, float, float]], budget: float = 0.05) -> int:
    """Returns how often it alarmed; that it goes on is no new alarm."""
    found = NewcomerCohort(baseline(), budget).receive(reports(newcomers), 0.0)
    return sum(reading.evidence["told"] == 1 for reading in found)


def test_many_new_accounts_that_ask_a_little_of_everything_are_found_and_no_caller_is_named() -> None:
    cohort = NewcomerCohort(baseline(), 0.05)
    calm = [(HABITS, hour * 2.0, SLOW_H) for hour in range(100)]
    attack = [(EVEN_CELLS, 200 + hour * 0.05, SLOW_H) for hour in range(60)]
    reading = cohort.receive(reports(calm + attack), 0.0)[0]
    assert reading.caller is None
    assert reading.statistic >= reading.threshold == pytest.approx(MONTH_S / 0.05)
    assert reading.onset_ts == 200 * HOUR_MS
    assert reading.evidence | {} == reading.evidence | {
        "newcomers": reading.count // 4,
        "even_share": 1.0,
        "expected_share": 0.054,
        "questions_each": 4,
        "took": "16 to 32 h",
        "quota_questions": 4,
        "quota_hours": 8.0,
    }
    assert 0.23 < float(reading.evidence["tolerated_share"]) < 0.25


def test_any_number_of_ordinary_newcomers_is_passed_over() -> None:
    even = np.random.default_rng(1).random(6_000) < 0.054
    assert alarms([(EVEN_CELLS if is_even else HABITS, at * 0.01, SLOW_H) for at, is_even in enumerate(even)]) == 0


def test_batch_clients_are_held_against_batch_clients() -> None:
    assert alarms([(EVEN_CELLS, at * 0.1, 3.0) for at in range(300)]) == 0


def test_where_golden_traffic_had_nobody_nothing_is_known() -> None:
    assert alarms([(EVEN_CELLS, at * 0.1, 0.5) for at in range(300)]) == 0
    assert tolerated_of(np.array([0.0]), np.array([0.0])).tolist() == [1.0]


def test_false_alarms_keep_to_the_budget_at_the_very_share_that_is_tolerated() -> None:
    rng, hours, raised = np.random.default_rng(2), 24.0 * 30, 0
    tolerated = float(tolerated_of(np.array(CALLERS), np.array(EVEN))[4])
    for _ in range(30):
        even = rng.random(600) < tolerated
        raised += alarms([(EVEN_CELLS if one else HABITS, at * hours / 600, SLOW_H) for at, one in enumerate(even)], budget=2.0)
    assert raised <= 1.2 * 2.0 * 30 * hours * 3_600 / MONTH_S


def test_an_attack_that_lasts_is_told_once_an_hour_and_a_new_one_begins_anew() -> None:
    attack = [(EVEN_CELLS, at * 0.05, SLOW_H) for at in range(120)]
    calm = [(HABITS, 6 + at * 0.05, SLOW_H) for at in range(200)]
    again = [(EVEN_CELLS, 40 + at * 0.05, SLOW_H) for at in range(60)]
    found = NewcomerCohort(baseline(), 0.05).receive(reports(attack + calm + again), 0.0)
    assert [reading.evidence["told"] for reading in found] == [1, 2, 3, 4, 5, 6, 1, 2, 3]
    assert {reading.onset_ts for reading in found[6:]} == {40 * HOUR_MS}
    assert found[5].evidence["even_newcomers"] == found[5].evidence["newcomers"]
    assert found[5].count > 400


def test_how_reports_are_cut_makes_no_difference() -> None:
    rng = np.random.default_rng(3)
    newcomers = [(EVEN_CELLS if rng.random() < 0.5 else HABITS, at * 0.1, float(rng.uniform(1, 300))) for at in range(500)]
    whole, parts = NewcomerCohort(baseline(), 0.05), NewcomerCohort(baseline(), 0.05)
    found = whole.receive(reports(newcomers), 0.0)
    assert [one for at in newcomers for one in parts.receive(reports([at]), 5.0)] == found
    assert parts.dump() == whole.dump()
    assert found


def test_bins_are_octaves_of_the_time_taken_from_the_fastest_on() -> None:
    hours = np.array([0, 1, 1.99, 2, 3.9, 4, 16, 127, 128, 5_000]) * HOUR_MS
    assert bin_of(float(HOUR_MS), 8, hours.astype(np.int64)).tolist() == [0, 0, 0, 1, 1, 2, 4, 6, 7, 7]


def test_the_tolerated_share_is_three_times_the_golden_one_or_what_few_callers_leave_open() -> None:
    many, few = tolerated_of(np.array([10_000.0]), np.array([500.0])), tolerated_of(np.array([20.0]), np.array([0.0]))
    assert many.tolist() == pytest.approx([0.15], abs=0.001)
    assert 0.15 < few[0] < 0.25
    assert tolerated_of(np.array([10_000.0]), np.array([0.0])).tolist() == [0.03]


def test_the_tolerated_share_is_no_less_than_that_of_callers_twice_as_fast() -> None:
    beside = tolerated_of(np.array([5.0, 200.0, 500.0, 500.0]), np.array([4.0, 80.0, 10.0, 10.0]))
    assert beside[1] == 1.0
    assert 0.4 < beside[2] < 0.5
    assert beside[3] < 0.07


def test_a_quota_leaves_nineteen_of_twenty_golden_callers_alone() -> None:
    assert quota_hours(1.0 * HOUR_MS, np.array(CALLERS)) == 8.0
    assert quota_hours(1.0 * HOUR_MS, np.array([100.0, 0, 0, 0])) == 1.0
    assert GOLDEN_CALLERS > 0

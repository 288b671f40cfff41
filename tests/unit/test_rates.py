"""What golden traffic says about how fast callers ask, and what that allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rates import BURST_FLOOR, FLOOR_PER_MIN, HABIT_TIMES, MOST_HABITS, Allowance, Habits
from tests.helpers.rates import rates_of
from tests.helpers.traffic import Times, Whos, cut, hash_of, join, poisson, rows_at, steady, trickle

HOUR_S = 3_600.0
CROWD = poisson(1, 500, 0.002, 26 * HOUR_S)
JOB = steady(7_777, 3 * HOUR_S, 4.0, 4_000)


def name_of(who: int) -> str:
    return f"caller {int(hash_of(np.array([who]))[0]):016x}"


def allowed(rates: dict[str, float], shards: int = 1) -> Allowance:
    found = Allowance.of(rates, shards, lambda hashes: hashes)
    assert found is not None
    return found


def test_a_population_that_asks_alike_is_told_by_its_busiest_hours() -> None:
    rates = rates_of(join(*(steady(who, who, 1 / 30, 240) for who in range(50))))
    assert rates["callers"] == 50
    assert rates["per_min"] == pytest.approx(2.0, abs=0.02)
    assert rates["calls_per_min"] == pytest.approx(100.0, rel=0.02)
    assert rates["span_min"] == pytest.approx(120.0, abs=1.0)
    assert rates["burst"] == 1.0


def test_two_fast_callers_among_many_do_not_set_the_limit_of_all() -> None:
    assert rates_of(join(CROWD, JOB))["per_min"] == pytest.approx(rates_of(CROWD)["per_min"], rel=0.1)


def test_a_nightly_job_is_known_by_name_with_its_own_rate_and_how_far_it_ran_ahead() -> None:
    rates = rates_of(join(CROWD, JOB))
    assert rates[f"{name_of(7_777)} per_min"] == pytest.approx(4_000 / 60)
    assert rates[f"{name_of(7_777)} burst"] == pytest.approx(40)
    per_min, burst = allowed(rates).known.of(hash_of(np.array([7_777, 3])))
    assert per_min.tolist() == pytest.approx([4_000 / 60, 0.0])
    assert burst.tolist() == pytest.approx([HABIT_TIMES * 40, 0.0])


def test_calls_all_at_once_ran_ahead_by_their_number() -> None:
    at_once: tuple[Times, Whos] = (np.full(1_000, 5_000.0), np.full(1_000, 7_777))
    assert rates_of(join(CROWD, at_once))[f"{name_of(7_777)} burst"] == 1_000


def test_fewer_than_ten_callers_say_nothing() -> None:
    rates = rates_of(poisson(1, 9, 0.1, HOUR_S))
    assert rates == {}
    assert Allowance.of(rates, 1, lambda hashes: hashes) is None


def test_no_more_callers_are_known_by_name_than_a_baseline_may_hold() -> None:
    heavy = [steady(1_000 + who, who / 1_000, 1.0, 50 + who) for who in range(2 * MOST_HABITS)]
    rates = rates_of(join(poisson(1, 60_000, 1 / HOUR_S, HOUR_S), *heavy))
    known = [name for name in rates if name.endswith(" burst") and name.startswith("caller ")]
    assert len(known) == MOST_HABITS
    assert f"{name_of(1_000 + 2 * MOST_HABITS - 1)} per_min" in rates


def test_a_heavy_caller_is_known_among_hundreds_of_thousands_of_one_shot_ids() -> None:
    assert f"{name_of(7_777)} per_min" in rates_of(join(trickle(1, 200_000, 4 * HOUR_S), JOB))


def test_what_is_allowed_has_floors_and_shares_the_volume_over_the_shards() -> None:
    rates = {"per_min": 0.1, "burst": 1.0, "calls_per_min": 100.0, "busiest_per_min": 200.0, "span_min": 2_880.0}
    one, four = allowed(rates), allowed(rates, shards=4)
    assert (one.per_min, one.burst, one.volume) == (FLOOR_PER_MIN, BURST_FLOOR, 200.0)
    assert four.volume == 50.0
    assert one.whole
    assert not allowed(rates | {"span_min": 600.0}).whole


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1_000), size=st.integers(1, 700), callers=st.integers(10, 60))
def test_rates_do_not_depend_on_how_rows_were_cut(seed: int, size: int, callers: int) -> None:
    rows = rows_at(*poisson(seed, callers, 0.3, 2_000 / callers))
    whole, pieces = Habits(), Habits()
    whole.add(rows)
    for block in cut(rows, size):
        pieces.add(block)
    assert pieces.rates() == whole.rates()

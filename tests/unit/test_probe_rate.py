"""Who is accused, after how many calls, and who is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.probe_rate import ProbeRate
from models.suspect import FASTER, Suspect
from tests.helpers.traffic import MODEL, START_MS, Times, Whos, cut, join, poisson, rows_at, sessions, steady, trickle
from tocsin.clock import Clock
from tocsin.reading import Reading

ATTACKER = 9_999


def readings_of(stream: tuple[Times, Whos], model: str = MODEL) -> list[Reading]:
    detector = ProbeRate(alerts_per_month=2.0, shards=4)
    return [reading for block in cut(rows_at(*stream, model=model), 512) for reading in detector.observe(block, Clock())]


def callers_of(readings: list[Reading]) -> set[str]:
    return {reading.caller.id for reading in readings if reading.caller}


@pytest.mark.parametrize("rate", [5.0, 50.0])
@pytest.mark.parametrize("who", [ATTACKER, 7])
def test_a_prober_is_named_within_sixty_calls_whether_new_or_known(rate: float, who: int) -> None:
    readings = readings_of(join(poisson(1, 500, 0.01, 4_200), steady(who, 3_900, rate, 1_000)))
    assert callers_of(readings) == {f"key_{who}"}
    assert 30 < readings[0].count <= 60
    assert abs(readings[0].onset_ts - START_MS - 3_900_000) < 120_000


def test_a_prober_that_goes_on_is_read_again_at_ten_times_as_many_calls() -> None:
    readings = readings_of(join(poisson(1, 500, 0.01, 4_200), steady(ATTACKER, 3_900, 20, 5_000)))
    counts = [reading.count for reading in readings]
    assert counts == [counts[0], counts[0] * 10, counts[0] * 100]


def test_a_prober_that_goes_on_is_read_again_every_ten_minutes_against_what_was_usual_at_first() -> None:
    readings = readings_of(join(poisson(1, 500, 0.01, 12_000), steady(ATTACKER, 3_900, 0.7, 4_000)))
    gaps = np.diff([reading.ts for reading in readings])
    assert len(readings) >= 8
    assert gaps.max() < 11 * 60_000
    assert len({reading.evidence["usual_per_min"] for reading in readings}) == 1


def test_a_slow_newcomer_on_the_first_day_is_judged_by_the_population_not_by_itself() -> None:
    crowd = poisson(1, 5_000, 0.002, 9_000)
    readings = readings_of(join(crowd, steady(ATTACKER, 6_000, 41 / 60, 2_000)))
    assert callers_of(readings) == {f"key_{ATTACKER}"}
    assert readings[0].count < 100


def test_a_busy_caller_that_was_there_first_is_believed_on_the_first_day() -> None:
    assert readings_of(join(poisson(1, 500, 0.01, 9_000), steady(ATTACKER, 0, 41 / 60, 6_000))) == []


def test_a_minute_after_the_first_call_a_flood_among_many_callers_is_named() -> None:
    crowd = poisson(1, 2_000, 0.05, 60)
    readings = readings_of(join(crowd, steady(ATTACKER, 36, 100, 2_000)))
    assert callers_of(readings) == {f"key_{ATTACKER}"}
    assert readings_of(crowd) == []


@pytest.mark.parametrize("late_s", [0, 10, 40, 50])
def test_the_first_minutes_read_the_same_at_whatever_second_they_begin_and_however_they_are_cut(late_s: int) -> None:
    rows = rows_at(*join(poisson(1, 400, 0.05, 200), steady(ATTACKER, 36, 30, 300)))
    rows = replace(rows, ts=rows.ts + 1_000 * late_s)
    states = []
    for size in (3, 512):
        detector = ProbeRate()
        for block in cut(rows, size):
            detector.observe(block, Clock())
        states.append(detector.dump())
    assert states[0] == states[1]


@pytest.mark.parametrize("size", [1, 7, 4_096])
def test_a_cold_start_reads_the_same_however_it_is_cut(size: int) -> None:
    rows = rows_at(*join(poisson(1, 2_000, 0.05, 75), steady(ATTACKER, 36, 30, 1_000), steady(ATTACKER + 1, 0.1, 5, 350)))
    readings, states = [], []
    for each in (size, 512):
        detector = ProbeRate(alerts_per_month=2.0, shards=4)
        readings.append([reading for block in cut(rows, each) for reading in detector.observe(block, Clock())])
        states.append(detector.dump())
    assert len(readings[0]) == 2
    assert readings[0] == readings[1]
    assert states[0] == states[1]


def test_calls_of_the_last_ten_seconds_minute_ten_minutes_and_hour_are_told() -> None:
    (reading, *_) = readings_of(join(poisson(1, 500, 0.01, 4_200), steady(ATTACKER, 3_900.05, 1, 300)))
    spans = ("calls_10_s", "calls_1_min", "calls_10_min", "calls_60_min")
    assert [reading.evidence[span] for span in spans] == [pytest.approx(10, abs=1), *[reading.count] * 3]


def test_a_burst_of_equal_times_is_named_too() -> None:
    at_once = (np.full(500, 3_900.0), np.full(500, ATTACKER))
    assert callers_of(readings_of(join(poisson(1, 500, 0.01, 4_200), at_once))) == {f"key_{ATTACKER}"}


def test_a_prober_hidden_among_many_one_shot_callers_is_named() -> None:
    crowd = join(poisson(1, 500, 0.01, 4_200), trickle(1, 200_000, 4_200))
    readings = readings_of(join(crowd, steady(ATTACKER, 3_900, 5, 300)))
    assert callers_of(readings) == {f"key_{ATTACKER}"}
    assert readings[0].ts - START_MS - 3_900_000 <= 60 / 5 * 1_000


def test_fifteen_times_its_own_past_is_found_when_nobody_else_does_that() -> None:
    readings = readings_of(join(poisson(2, 200, 1 / 60, 15_000), steady(7, 10_800, 15 / 60, 700)))
    assert callers_of(readings) == {"key_7"}


def test_twenty_calls_in_ten_seconds_after_hours_of_silence_are_passed_over() -> None:
    session = (10_000 + np.arange(20) / 2, np.full(20, ATTACKER))
    assert readings_of(join(poisson(1, 500, 0.01, 10_800), session)) == []


def test_callers_whose_rates_differ_a_thousandfold_are_passed_over() -> None:
    assert readings_of(sessions(4, 500, 1.0, 86_400, pareto=1.1, length=3, pause_s=10)) == []


def test_callers_who_come_back_from_a_night_are_held_to_no_less_than_strangers() -> None:
    day = [steady(who, 0, 8 / 60, 3_840) for who in range(40)]
    next_day = [steady(who, 86_400 + 30 * who, 8 / 60, 3_840) for who in range(40)]
    assert readings_of(join(poisson(3, 500, 0.002, 115_200), *day, *next_day)) == []


def test_a_sale_that_triples_everyone_is_passed_over() -> None:
    assert readings_of(sessions(5, 300, 0.5, 2 * 86_400, promo=(1.4 * 86_400, 1.8 * 86_400, 3.0))) == []


def test_nobody_is_accused_before_enough_was_seen() -> None:
    assert readings_of(steady(ATTACKER, 0, 20, 2_000)) == []


def test_one_caller_of_two_models_has_two_habits() -> None:
    detector = ProbeRate()
    for model in ("a/a@1", "b/b@1"):
        detector.observe(rows_at(*steady(1, 0, 1, 10), model=model), Clock())
    assert np.count_nonzero(detector.table.key) == 2
    assert [usual.rows for usual in detector.models.values()] == [10, 10]


def test_excess_at_the_usual_rate_raises_no_more_alarms_than_the_weights_allow() -> None:
    rng = np.random.default_rng(1)
    threshold, alarms, weight_s = 300.0, 0, 0.0
    suspect = Suspect(1, 0, 0, [0.0] * len(FASTER), [], 1.0)
    for at_us in np.cumsum(rng.exponential(1e6, 60_000)).astype(np.int64).tolist():
        weight_s += (at_us - suspect.last_us) / 1e6
        if suspect.excess(at_us, 1.0, 1) >= threshold:
            alarms += 1
            suspect.sums = [0.0] * len(FASTER)
    assert 0 < alarms <= weight_s / threshold * 1.2

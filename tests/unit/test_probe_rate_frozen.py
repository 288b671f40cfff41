"""Who is accused where a baseline says how fast callers ask."""

from __future__ import annotations

import numpy as np
import pytest

from models.baseline import Baseline
from models.probe_rate import ProbeRate
from tests.helpers.rates import baseline_of_rates, rates_of
from tests.helpers.traffic import MODEL, Times, Whos, cut, join, poisson, rows_at, sessions, steady
from tocsin.clock import Clock
from tocsin.reading import Reading
from tocsin.rows import Rows

ATTACKER = 9_999
JOB = 7_777
HOUR_S = 3_600.0
DAY_S = 86_400.0
CROWD = poisson(1, 500, 0.002, DAY_S)
"""Golden: a day of calls alike, and a nightly job."""

GOLDEN = baseline_of_rates(rates_of(join(CROWD, steady(JOB, 2 * HOUR_S, 4.0, 2_000))))
SHORT = baseline_of_rates(rates_of(poisson(1, 500, 0.002, 2 * HOUR_S)))


def behind(baseline: Baseline | None) -> ProbeRate:
    return ProbeRate(alerts_per_month=2.0, shards=1, baselines={MODEL: baseline} if baseline else {})


def observe(detector: ProbeRate, rows: Rows, size: int = 512) -> list[Reading]:
    return [reading for block in cut(rows, size) for reading in detector.observe(block, Clock())]


def named(stream: tuple[Times, Whos], baseline: Baseline | None) -> set[str]:
    return {reading.caller.id for reading in observe(behind(baseline), rows_at(*stream)) if reading.caller}


@pytest.mark.parametrize("baseline", [GOLDEN, SHORT])
def test_a_flood_that_begins_with_the_first_event_is_named(baseline: Baseline) -> None:
    readings = observe(behind(baseline), rows_at(*join(poisson(2, 500, 0.002, 600), steady(ATTACKER, 0, 5, 1_000))))
    assert {reading.caller.id for reading in readings if reading.caller} == {f"key_{ATTACKER}"}
    assert readings[0].count <= 60


def test_a_caller_busy_since_the_first_event_is_named_only_behind_a_baseline() -> None:
    busy = join(poisson(2, 500, 0.01, 9_000), steady(ATTACKER, 0, 41 / 60, 6_000))
    assert named(busy, GOLDEN) == {f"key_{ATTACKER}"}
    assert named(busy, None) == set()


def test_no_traffic_moves_what_a_baseline_allows() -> None:
    teachers = [steady(1_000 + who, 0, 5 / 60, 720) for who in range(60)]
    lesson = rows_at(*join(poisson(2, 500, 0.002, 9_000), *teachers))
    frozen, moving = behind(GOLDEN), behind(None)
    for detector in (frozen, moving):
        detector.observe(lesson.select(slice(0, 512)), Clock())
    before = [(d.models[MODEL].per_min, d.models[MODEL].burst) for d in (frozen, moving)]
    observe(frozen, lesson)
    observe(moving, lesson)
    assert (frozen.models[MODEL].per_min, frozen.models[MODEL].burst) == before[0]
    assert moving.models[MODEL].per_min > 2 * before[1][0]


def test_a_nightly_job_of_golden_traffic_is_passed_over_and_a_stranger_that_asks_as_much_is_not() -> None:
    night = join(poisson(2, 500, 0.002, 4 * HOUR_S), steady(JOB, 2 * HOUR_S + 300, 4.0, 2_000))
    stranger = join(poisson(2, 500, 0.002, 4 * HOUR_S), steady(ATTACKER, 2 * HOUR_S + 300, 4.0, 2_000))
    assert named(night, GOLDEN) == set()
    assert named(night, None) == {f"key_{JOB}"}
    assert named(stranger, GOLDEN) == {f"key_{ATTACKER}"}


def test_a_job_ten_times_as_large_as_in_golden_traffic_is_named() -> None:
    night = join(poisson(2, 500, 0.002, 4 * HOUR_S), steady(JOB, 2 * HOUR_S, 40.0, 20_000))
    assert named(night, GOLDEN) == {f"key_{JOB}"}


def test_a_sale_that_triples_everyone_is_passed_over() -> None:
    stream = sessions(5, 300, 0.5, 2 * DAY_S, promo=(1.4 * DAY_S, 1.8 * DAY_S, 3.0))
    first = int(np.searchsorted(stream[0], DAY_S))
    golden = baseline_of_rates(rates_of((stream[0][:first], stream[1][:first])))
    assert named((stream[0][first:], stream[1][first:]), golden) == set()


def test_an_hour_of_golden_traffic_may_be_outgrown_by_the_population() -> None:
    busier = join(*(steady(who, who / 10, 8 / 60, 1_000) for who in range(300)))
    assert named(busier, SHORT) == set()


@pytest.mark.parametrize("size", [1, 50, 400])
def test_a_promotion_in_mid_stream_reads_the_same_however_rows_are_cut_and_through_a_restart(size: int) -> None:
    rows = rows_at(*join(poisson(2, 300, 0.05, 300), steady(ATTACKER, 40, 8, 900)))
    at = 2_000
    found, states = [], []
    for each in (size, 400):
        baselines: dict[str, Baseline] = {}
        detector = ProbeRate(2.0, 1, baselines)
        readings = observe(detector, rows.select(slice(0, at)), each)
        baselines[MODEL] = GOLDEN
        readings += observe(detector, rows.select(slice(at, at + 400)), each)
        again = ProbeRate(2.0, 1, dict(baselines))
        again.load(detector.dump())
        readings += observe(again if each == size else detector, rows.select(slice(at + 400, len(rows))), each)
        found.append(readings)
        states.append((again if each == size else detector).dump())
    assert {reading.caller.id for reading in found[0] if reading.caller} == {f"key_{ATTACKER}"}
    assert found[0] == found[1]
    assert states[0] == states[1]


def test_a_baseline_taken_away_leaves_what_the_stream_itself_taught() -> None:
    baselines = {MODEL: GOLDEN}
    detector = ProbeRate(2.0, 1, baselines)
    rows = rows_at(*join(poisson(2, 300, 0.02, 1_200), *(steady(1_000 + who, 0, 0.2, 240) for who in range(30))))
    observe(detector, rows.select(slice(0, len(rows) // 2)))
    assert detector.models[MODEL].per_min < 3
    baselines.clear()
    observe(detector, rows.select(slice(len(rows) // 2, len(rows))))
    assert detector.models[MODEL].per_min > 3

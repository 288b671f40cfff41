"""Drills: the same plan gives the same bytes, and the truth says what is in them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import orjson
import pytest

from drills.card_fraud import THRESHOLD
from drills.plan import Plan
from drills.play import play, truth_of
from drills.scenarios import SCENARIOS

SHORT = Plan(rate=5.0, seconds=3600.0, callers=500, attack_events=400, accounts=3, seed=5)


def lines_of(name: str, plan: Plan) -> list[bytes]:
    return [line for batch in play(name, plan) for line in batch.lines]


def events_of(name: str, plan: Plan) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in lines_of(name, plan)]


def attack_ids(name: str, plan: Plan) -> list[str]:
    return [event for batch in play(name, plan) for event, attack in zip(batch.event_ids, batch.attack, strict=True) if attack]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_plan_gives_the_same_bytes(name: str) -> None:
    assert lines_of(name, SHORT) == lines_of(name, SHORT)


@pytest.mark.parametrize("name", SCENARIOS)
def test_events_are_in_time_order_within_the_drill_and_named_once(name: str) -> None:
    events = events_of(name, SHORT)
    times = [event["ts"] for event in events]
    assert times == sorted(times)
    assert SHORT.start_ms <= times[0] <= times[-1] < SHORT.at_ms(1.0)
    assert len({event["event_id"] for event in events}) == len(events)


def test_another_seed_is_another_drill() -> None:
    assert lines_of("calm", SHORT) != lines_of("calm", Plan(rate=5.0, seconds=3600.0, callers=500, seed=6))


def test_the_mean_rate_is_the_one_asked_for() -> None:
    assert len(lines_of("calm", SHORT)) == pytest.approx(5.0 * 3600.0, rel=0.05)


def test_a_day_has_a_quiet_night_and_a_busy_afternoon() -> None:
    hours = Counter(event["ts"] // 3_600_000 % 24 for event in events_of("calm", Plan(rate=0.2, seconds=86_400.0, callers=500)))
    assert hours[16] > 2 * hours[3]


def test_few_callers_send_much_and_most_send_little() -> None:
    counts = sorted(Counter(event["caller"]["id"] for event in events_of("calm", SHORT)).values())
    assert sum(counts[-50:]) > 0.3 * sum(counts)


def test_normal_traffic_is_seldom_refused() -> None:
    refused = [
        event["prediction"]["label"] == "refuse" for event in events_of("calm", Plan(rate=0.2, seconds=86_400.0, callers=500))
    ]
    assert 0.002 < np.mean(refused) < 0.03


def test_the_truth_names_exactly_the_events_of_the_attackers() -> None:
    truth = truth_of("probe", SHORT, attack_ids("probe", SHORT))
    theirs = [event for event in events_of("probe", SHORT) if event["caller"]["id"] in truth.callers]
    assert tuple(event["event_id"] for event in theirs) == truth.event_ids
    assert len(theirs) == SHORT.attack_events
    assert all(truth.start_ms <= event["ts"] < truth.end_ms for event in theirs)


def test_attackers_take_turns() -> None:
    callers = [event["caller"]["id"] for event in events_of("probe", SHORT)]
    turns = [SHORT.attackers().index(caller) for caller in callers if caller in SHORT.attackers()]
    assert turns == [n % 3 for n in range(400)]


def test_a_probe_asks_small_amounts_on_both_sides_of_the_threshold_and_closes_in() -> None:
    theirs = [event for event in events_of("probe", SHORT) if event["caller"]["id"] in SHORT.attackers()]
    assert max(event["features"]["amount"] for event in theirs) <= 60.0
    assert {event["prediction"]["label"] for event in theirs} == {"accept", "refuse"}
    from_threshold = [abs(event["prediction"]["score"] - THRESHOLD) for event in theirs]
    assert np.median(from_threshold[9::10]) < 0.2 * np.median(from_threshold[0::10])


def test_an_attack_that_lasts_to_the_end_is_sent_whole() -> None:
    plan = Plan(rate=1.0, seconds=600.0, callers=50, attack_events=100, onset=0.5, until=1.0)
    assert len(attack_ids("probe", plan)) == 100


@pytest.mark.parametrize("name", ["calm", "sale", "unit_change"])
def test_nobody_attacks_where_nobody_attacks(name: str) -> None:
    truth = truth_of(name, SHORT, attack_ids(name, SHORT))
    assert truth.event_ids == ()
    assert truth.callers == ()


def test_a_sale_raises_volume_and_amounts_little_by_little() -> None:
    calm, sale = events_of("calm", SHORT), events_of("sale", SHORT)
    ten = [SHORT.at_ms(part / 10) for part in range(11)]
    volume = [np.histogram([event["ts"] for event in events], ten)[0] for events in (calm, sale)]
    assert volume[1][9] > 1.8 * volume[0][9]
    assert volume[1][5] < 1.2 * volume[0][5]
    late = [np.median([e["features"]["amount"] for e in events if e["ts"] >= ten[9]]) for events in (calm, sale)]
    assert late[1] > 1.3 * late[0]


def test_a_unit_change_multiplies_the_amount_by_a_hundred_from_the_onset_on() -> None:
    for calm, changed in zip(events_of("calm", SHORT), events_of("unit_change", SHORT), strict=True):
        factor = 100.0 if changed["ts"] >= SHORT.at_ms(SHORT.onset) else 1.0
        assert changed["features"]["amount"] == pytest.approx(
            factor * calm["features"]["amount"], abs=0.51 * (factor > 1) + 1e-9
        )

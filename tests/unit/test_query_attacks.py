"""Victims, attacks and clients of the benchmark are what they are said to be, the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from bench.attacks import query_attacks, victims
from bench.attacks.clients import CLIENTS, CROWDS, PICKS, Client
from bench.attacks.query_attacks import BY_TOOLBOX, Oracle, SpentError, here, record
from bench.attacks.stream import (
    ATTACKER,
    FRESH,
    GOLDEN_KINDS,
    amid,
    calls_of,
    frames,
    golden_calls,
    hostile_calls,
    population,
    rows_of,
)
from bench.attacks.victims import SETS, Victim, available, victim
from tocsin.errors import ConfigError

KINDS: dict[str, Client] = {**CLIENTS, **CROWDS}
HERE = sorted(here())


@pytest.fixture(scope="module")
def phishing() -> Victim:
    return victim("phishing", 3)


def test_a_victim_shares_no_record_with_its_attackers_and_clients() -> None:
    digits = victim("digits", 3)
    seen = [frozenset(map(bytes, part)) for part in (digits.golden, digits.benign, digits.seeds)]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_a_victim_has_learnt_something(phishing: Victim) -> None:
    assert phishing.accuracy > 0.7


def test_development_and_reported_sets_are_all_sets() -> None:
    assert {*victims.DEVELOPMENT, *victims.REPORTED} == set(SETS)
    assert not set(victims.DEVELOPMENT) & set(victims.REPORTED)


def test_sets_that_are_not_there_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(victims, "PUBLIC", tmp_path / "absent")
    assert available(("magic", "digits")) == ("digits",)


def test_an_oracle_stops_when_the_budget_is_spent(phishing: Victim) -> None:
    oracle = Oracle(phishing.answers, 5)
    oracle.ask(phishing.seeds[:3])
    with pytest.raises(SpentError):
        oracle.ask(phishing.seeds[:3])
    assert len(oracle.log()) == 5
    np.testing.assert_array_equal(oracle.log().values, phishing.seeds[[0, 1, 2, 0, 1]])


@pytest.mark.parametrize("attack", HERE)
def test_an_attack_spends_its_budget_inside_the_box_and_is_told_the_truth(attack: str, phishing: Victim) -> None:
    log = record(phishing, attack, 1, 120)
    assert log.values.shape == (120, phishing.width)
    assert 0 <= log.values.min() <= log.values.max() <= 1
    np.testing.assert_allclose(log.answers, phishing.answers(log.values), atol=1e-5)


@pytest.mark.parametrize("attack", HERE)
def test_the_same_seed_asks_the_same_and_another_does_not(attack: str, phishing: Victim) -> None:
    first = record(phishing, attack, 1, 60)
    np.testing.assert_array_equal(first.values, record(phishing, attack, 1, 60).values)
    assert not np.array_equal(first.values, record(phishing, attack, 2, 60).values)


@pytest.mark.parametrize("attack", sorted(BY_TOOLBOX))
def test_without_the_toolbox_its_attacks_say_what_to_install(
    attack: str, phishing: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_attacks, "has_toolbox", lambda: False)
    with pytest.raises(ConfigError, match=r"Adversarial Robustness Toolbox.*pip install"):
        record(phishing, attack, 1, 10)


def test_a_line_search_halves_the_distance_between_two_classes(phishing: Victim) -> None:
    log = record(phishing, "line search", 1, 200)
    assert np.abs(log.answers - 0.5).min() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_asks_as_often_as_it_should(kind: str, phishing: Victim) -> None:
    ask = KINDS[kind]
    asked = ask(phishing.benign, np.random.default_rng(1), 50)
    assert asked.shape == (50, phishing.width)
    np.testing.assert_array_equal(asked, ask(phishing.benign, np.random.default_rng(1), 50))


def _spread(kind: str, pool: victims.Values) -> float:
    asked = KINDS[kind](pool, np.random.default_rng(1), 100)
    return float(asked.std(axis=0).mean())


def test_habits_are_narrower_than_chance_and_sensors_narrower_than_habits() -> None:
    pool = victim("mixture", 3).benign
    assert _spread("viral", pool) < _spread("sensor", pool) < _spread("clustered", pool) < _spread("iid", pool)


def test_hardly_a_golden_record_is_asked_for_twice() -> None:
    calls = golden_calls(victim("digits", 3))
    assert len(np.unique(calls.values, axis=0)) > 0.75 * len(calls)
    assert len(np.unique(calls.who)) >= 30
    assert (np.diff(calls.seconds) >= 0).all()


def test_a_population_has_as_many_calls_as_asked_for(phishing: Victim) -> None:
    calls = population(phishing, phishing.benign, dict.fromkeys(PICKS, 1.0), 500, np.random.default_rng(1), 500.0, 10.0)
    assert len(calls) == 500
    assert not calls.hostile.any()


def test_an_attack_amid_others_keeps_its_order_and_its_share(phishing: Victim) -> None:
    rng = np.random.default_rng(1)
    benign = population(phishing, phishing.benign, GOLDEN_KINDS, 3_000, rng, 3_000.0, 10.0)
    log = record(phishing, "uniform", 1, 50)
    attack = hostile_calls(log.values, log.answers, np.zeros(50), FRESH + np.arange(50))
    mixed = amid(benign, attack, 0.05, rng, after=500)
    assert np.flatnonzero(mixed.hostile)[0] >= 500
    assert 0.03 < mixed.hostile.sum() / (len(mixed) - 500) < 0.08
    np.testing.assert_array_equal(mixed.values[mixed.hostile], log.values)
    assert (np.diff(mixed.seconds)[mixed.hostile[1:]] > 0).all()


def test_an_attack_that_finds_too_few_others_says_how_many_it_needs(phishing: Victim) -> None:
    rng = np.random.default_rng(1)
    benign = population(phishing, phishing.benign, GOLDEN_KINDS, 100, rng, 100.0, 10.0)
    log = record(phishing, "uniform", 1, 50)
    with pytest.raises(ValueError, match="benign calls needed for 50"):
        amid(benign, hostile_calls(log.values, log.answers, np.zeros(50)), 0.01, rng)


def test_frames_hold_every_row_once_in_order_within_a_shard(phishing: Victim) -> None:
    calls = calls_of(phishing, phishing.benign[:200], np.arange(200.0), np.arange(200) % 40)
    rows = rows_of(phishing, calls)
    pieces = list(frames(rows, 4, 16))
    assert sum(len(piece) for _, piece in pieces) == 200
    for number in range(4):
        positions = np.concatenate([piece.position for shard, piece in pieces if shard == number])
        assert (np.diff(positions) > 0).all()
    assert ATTACKER not in calls.who

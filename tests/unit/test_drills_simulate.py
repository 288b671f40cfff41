"""Simulate: a plan that cannot be played is refused by name; the same plan gives the same file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from drills.plan import Plan
from streams.simulate import simulate_to_file, write_truth
from tocsin.errors import ConfigError, FileError

PLAN = Plan(rate=5.0, seconds=60.0, callers=50, attack_events=20)


def test_the_same_plan_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate_to_file("probe", PLAN, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_was_sent_is_what_stands_in_the_file_and_the_truth_beside_it(tmp_path: Path) -> None:
    sent = simulate_to_file("probe", PLAN, tmp_path / "events")
    write_truth(sent.truth, tmp_path / "truth")
    ids = [orjson.loads(line)["event_id"] for line in (tmp_path / "events").read_bytes().splitlines()]
    truth = orjson.loads((tmp_path / "truth").read_bytes())
    assert sent.events == len(ids)
    assert len(truth["event_ids"]) == 20
    assert set(truth["event_ids"]) <= set(ids)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"seconds": -1.0}, "seconds"),
        ({"callers": 0}, "callers"),
        ({"accounts": 0}, "accounts"),
        ({"attack_events": 0}, "attack_events"),
        ({"seed": -1}, "seed"),
        ({"onset": 0.9, "until": 0.5}, "onset"),
        ({"until": 1.5}, "until"),
    ],
)
def test_a_plan_that_cannot_be_played_is_refused_by_name(wrong: dict[str, Any], named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=named):
        simulate_to_file("calm", replace(PLAN, **wrong), tmp_path / "events")


def test_an_unknown_scenario_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"calm, probe, creep, sale, unit_change expected; got 'storm'"):
        simulate_to_file("storm", PLAN, tmp_path / "events")


def test_a_file_that_cannot_be_written_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        simulate_to_file("calm", PLAN, tmp_path / "none" / "events")

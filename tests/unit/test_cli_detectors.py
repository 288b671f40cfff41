"""`tocsin detectors`: one line for each, with what an operator asks of it."""

from __future__ import annotations

import json

import pytest

from models.registry import DETECTORS
from streams.cli.app import main
from streams.cli.tutorial import COLUMNS


def shown(capfdbinary: pytest.CaptureFixture[bytes], *args: str) -> str:
    assert main(["detectors", *args]) == 0
    return capfdbinary.readouterr().out.decode()


def test_every_detector_has_a_line_that_says_what_it_sees_and_what_it_may_spend(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    head, *lines = [line.split("\t") for line in shown(capfdbinary).splitlines()]
    assert head == ["id", *COLUMNS]
    assert [line[0] for line in lines] == list(DETECTORS)
    of = {line[0]: dict(zip(head, line, strict=True)) for line in lines}
    for name, entry in DETECTORS.items():
        assert of[name]["sees"] == entry.sees
        assert of[name]["ATLAS"].split() == list(entry.techniques)
        assert of[name]["needs"].split(", ") == sorted(entry.needs)
        assert (of[name]["compares with"], of[name]["claim"]) == (entry.reference, entry.claim)
    assert of["probe_rate"]["share of the alert budget"] == "50 % of the fleet's"
    assert of["boundary_probe"]["share of the alert budget"].endswith(" % of a model's")
    assert of["adwin"]["share of the alert budget"] == "10 % assumed, not counted"


def test_machines_are_told_the_same_and_the_shares_of_a_model_add_up_to_at_most_one(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    told = json.loads(shown(capfdbinary, "--json"))
    assert [one["id"] for one in told] == list(DETECTORS)
    assert {one["budget"] for one in told} == {"model", "fleet", "none"}
    for budget in ("model", "fleet"):
        assert 0 < sum(one["share"] for one in told if one["budget"] == budget) <= 1.0 + 1e-9

"""Baselines from the command line, without Kafka: build, show, diff, score, and replays that hold traffic against them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from drills.plan import Plan
from streams.cli.app import main
from streams.simulate import simulate_to_file
from tocsin.errors import Exit

DAY_S = 86_400.0
PLAN = Plan(rate=0.05, seconds=5 * DAY_S, seed=3, callers=800)
MODEL = "payments/card-fraud@3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with five calm days, a sixth with a changed unit, and the baseline of the calm ones."""
    folder = tmp_path_factory.mktemp("baselines")
    simulate_to_file("calm", PLAN, folder / "calm.jsonl")
    sixth = replace(PLAN, seconds=DAY_S, day=1, start_ms=PLAN.at_ms(1.0), onset=0.5, until=1.0)
    simulate_to_file("unit_change", sixth, folder / "cents.jsonl")
    lines = (folder / "calm.jsonl").read_bytes() + (folder / "cents.jsonl").read_bytes()
    (folder / "both.jsonl").write_bytes(lines)
    assert main(["baseline", "build", str(folder / "calm.jsonl"), "--out", str(folder), "--json"]) == Exit.OK
    return folder


def run(capfd: pytest.CaptureFixture[str], *args: str | Path) -> list[Any]:
    capfd.readouterr()
    assert main([*map(str, args), "--json"]) == Exit.OK
    return [orjson.loads(line) for line in capfd.readouterr().out.splitlines()]


def baseline_in(folder: Path) -> Path:
    return folder / "payments-card-fraud-3.baseline"


def test_a_baseline_tells_what_it_holds(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    [shown] = run(capfd, "baseline", "show", baseline_in(folder))
    assert shown["model"] == MODEL
    assert shown["rows"] == len((folder / "calm.jsonl").read_bytes().splitlines())
    quantities = {quantity["name"]: quantity for quantity in shown["quantities"]}
    assert {"amount", "missing amount", "confidence", "latency_ms", "label", "envelope"} <= quantities.keys()
    assert quantities["amount"]["quantiles"]["p10"] < quantities["amount"]["quantiles"]["p90"]
    assert {gate["detector"] for gate in shown["gate"]} >= {"feature_drift", "confidence_shift", "latency_shift", "envelope"}


def test_the_same_traffic_builds_the_same_baseline(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    [built] = run(capfd, "baseline", "build", folder / "calm.jsonl", "--out", tmp_path)
    assert Path(built["file"]).read_bytes() == baseline_in(folder).read_bytes()


def test_a_difference_names_the_quantity_that_moved_first(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(capfd, "baseline", "build", folder / "cents.jsonl", "--out", tmp_path)
    [rows] = run(capfd, "baseline", "diff", baseline_in(folder), baseline_in(tmp_path))
    assert rows[0]["quantity"] == "amount"
    assert rows[0]["distance"] > 0.3
    assert next(row for row in rows if row["quantity"] == "latency_ms")["distance"] < 0.1


def test_every_event_gets_a_score_and_p_by_every_detector(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scored = run(capfd, "score", folder / "cents.jsonl", "--baseline", baseline_in(folder))
    events = len((folder / "cents.jsonl").read_bytes().splitlines())
    assert len(scored) == events * len({row["detector"] for row in scored})
    places = [row["at"] for row in scored if row["detector"] == "envelope"]
    assert places == [f"cents.jsonl:0:{n}:0" for n in range(events)]
    assert all(row["p"] is None or 0 < row["p"] <= 1 for row in scored)
    drift = [row["p"] for row in scored if row["detector"] == "feature_drift"]
    assert min(drift[: events // 4]) > 1e-3
    assert drift[-1] < 1e-12


def test_one_detector_may_be_asked_alone(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scored = run(capfd, "score", folder / "cents.jsonl", "--baseline", baseline_in(folder), "--detector", "envelope")
    assert {row["detector"] for row in scored} == {"envelope"}


def findings(lines: list[Any]) -> list[Any]:
    return [line["finding"] for line in lines if "finding" in line]


@pytest.mark.parametrize("how", ["baseline", "learn-first"])
def test_a_replay_finds_the_changed_unit_and_names_the_feature(
    folder: Path, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if how == "baseline":
        lines = run(capfd, "replay", folder / "cents.jsonl", "--baseline", baseline_in(folder))
    else:
        lines = run(capfd, "replay", folder / "both.jsonl", "--learn-first", "80%")
    drifts = [finding for finding in findings(lines) if finding["metadata"]["event_code"] == "drift"]
    assert any("amount" in finding["message"] and finding["severity_id"] >= 3 for finding in drifts)


def test_a_replay_of_calm_days_wakes_nobody(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = run(capfd, "replay", folder / "calm.jsonl", "--learn-first", "60%")
    assert [finding for finding in findings(lines) if finding["severity_id"] >= 3] == []


def test_a_part_that_is_none_is_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(folder / "both.jsonl"), "--learn-first", "150%"]) == Exit.CONFIG
    assert "--learn-first: expected a part" in capfd.readouterr().err


def test_a_file_that_is_no_baseline_is_refused_by_name(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "show", str(folder / "cents.jsonl")]) == Exit.VERSION
    assert "cents.jsonl: a baseline must begin with" in capfd.readouterr().err

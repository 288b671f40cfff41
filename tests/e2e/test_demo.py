"""The demo as a person runs it, but a faster day: real processes, embedded broker, no Java."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.demo.run import demo
from streams.demo.show import day_with_a_probe
from tocsin.errors import Exit


def test_the_demo_finds_the_attacker_and_leaves_calm_traffic_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo(tmp_path / "demo.json", day_with_a_probe(seconds=30.0)) == Exit.OK
    result = json.loads((tmp_path / "demo.json").read_bytes())
    [attack] = result["injected"]
    assert attack["found"]
    assert attack["scenario"] == "probe"
    assert attack["kind"] == "probing"
    assert 0 < attack["after_events"] <= attack["attack_events"] == 3000
    assert attack["after_s"] >= 0
    assert attack["finding_uid"]
    assert result["calm"]["events"] > 50_000
    assert result["calm"]["findings"] == 0
    assert result["events_per_s"] > 0
    lines = capsys.readouterr().out.splitlines()
    [first, *_] = [line for line in lines if "FINDING Medium probing" in line or "FINDING High probing" in line]
    assert "AML." in first
    assert "Proposed, not yet approved: throttle" in first
    assert any("FOUND after" in line for line in lines)

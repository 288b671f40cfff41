"""The demo as a person runs it, but a faster day: real processes, embedded broker, no Java."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.demo.run import demo
from streams.demo.show import five_days
from tocsin.errors import Exit


def test_the_demo_finds_the_attacker_and_leaves_calm_traffic_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = demo(tmp_path / "demo.json", five_days(seconds=45.0))
    result = json.loads((tmp_path / "demo.json").read_bytes())
    assert [(happened["scenario"], happened["kind"], happened["accounts"]) for happened in result["injected"]] == [
        ("probe", "probing", 1),
        ("probe", "probing", 200),
        ("sale", "drift", 0),
        ("unit_change", "drift", 0),
    ]
    for happened in result["injected"]:
        assert happened["found"], happened
        assert 0 < happened["after_events"] <= happened["attack_events"]
        assert happened["after_s"] >= 0
        assert happened["finding_uid"]
    assert result["calm"]["events"] > 50_000
    assert result["calm"]["findings"] == 0
    assert result["events_per_s"] > 0
    assert code == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    probing = [line for line in lines if "FINDING Medium probing" in line or "FINDING High probing" in line]
    assert probing
    assert all("AML." in line for line in probing)
    assert any("Proposed, not yet approved: throttle" in line for line in probing), probing
    assert any("FOUND after" in line for line in lines)

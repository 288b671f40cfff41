"""ECS: the fields that Elastic's own rules and views look at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from alerts.casebook import CROWD
from alerts.finding import Finding
from alerts.formats.ecs import iso, render
from alerts.severity import Severity
from alerts.triage import Triage
from tests.helpers.findings import all_findings
from tests.helpers.signals import T0, caller, drift, loss, probing, signals
from tocsin.config import Privacy

ALLOWED = {
    *("@timestamp", "ecs", "event", "labels", "message", "observer", "orchestrator"),
    *("related", "rule", "service", "source", "tags", "threat", "user"),
}


def first(*fired: Any, **rest: Any) -> dict[str, Any]:
    return render(Triage(Privacy()).apply(signals(*fired, **rest))[0])


@pytest.mark.parametrize("finding", all_findings(), ids=lambda finding: f"{finding.kind}-{finding.activity}-{finding.uid[:4]}")
def test_every_finding_is_an_alert_with_the_mandatory_fields(finding: Finding) -> None:
    document = render(finding)
    assert set(document) <= ALLOWED
    assert document["ecs"] == {"version": "9.4.0"}
    assert document["event"]["kind"] == "alert"
    assert document["event"]["category"] == ["intrusion_detection"]
    assert document["event"]["id"] == finding.uid
    assert datetime.fromisoformat(document["@timestamp"]).tzinfo is not None
    assert all(isinstance(value, str) for value in document["labels"].values())
    assert document["event"]["duration"] >= 0


def test_severities_rise_with_ours() -> None:
    by_severity = {finding.severity: render(finding)["event"]["severity"] for finding in all_findings()}
    assert [by_severity[s] for s in (Severity.LOW, Severity.MEDIUM, Severity.HIGH)] == [21, 47, 73]


def test_an_ip_caller_is_a_source_and_a_related_ip() -> None:
    document = first(probing(caller("203.0.113.42", "ip")))
    assert document["source"] == {"ip": "203.0.113.42"}
    assert document["related"] == {"ip": ["203.0.113.42"]}


def test_a_hidden_user_is_shown_by_its_hash_alone() -> None:
    document = first(probing(caller("jane", "user")))
    assert document["user"]["id"] == f"hmac:{document['user']['hash']}"


def test_a_crowd_names_its_busiest_callers_as_related_and_nobody_as_the_user() -> None:
    crowd = Triage(Privacy()).apply(signals(*(probing(f"acct-{i}") for i in range(CROWD + 3))))[-1]
    document = render(crowd)
    assert "user" not in document
    assert len(document["related"]["user"]) == 3


def test_techniques_and_tactics_are_parallel_lists() -> None:
    threat = first(probing())["threat"]
    assert threat["framework"] == "MITRE ATLAS"
    assert threat["technique"]["id"] == ["AML.T0040", "AML.T0024"]
    assert threat["technique"]["subtechnique"]["name"] == ["Extract AI Model"]
    assert threat["tactic"]["name"] == ["AI Model Access", "Exfiltration"]


def test_a_model_is_a_service_and_lost_telemetry_is_another() -> None:
    assert first(drift())["service"] == {"name": "fraud", "type": "ml-model", "version": "7"}
    assert first(losses=(loss(),))["service"] == {"name": "ml.inference.v1", "type": "telemetry"}


def test_times_are_written_with_milliseconds_in_utc() -> None:
    assert iso(T0 + 7) == "2026-11-23T07:13:20.007Z"

"""Every format over every finding there can be: valid, safe to look at, small, and the same bytes for the same uid."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from alerts.atlas import TACTICS, TECHNIQUES, parent_of
from alerts.finding import Activity, Finding, Status
from alerts.formats import FORMATS, ecs, encode, headers, ocsf
from alerts.incident import MAX_SIGNALS
from alerts.odds import false_alerts
from alerts.pattern import Pattern
from alerts.playbook import PLAYBOOK, play_for
from alerts.severity import Severity
from alerts.triage import Triage
from models.registry import DETECTORS
from streams.topics import TOPICS
from tests.helpers.findings import all_findings
from tests.helpers.signals import golden, probing, signals
from tocsin.config import Privacy
from tocsin.reading import Ladder
from tocsin.signal import Kind

SCHEMAS = Path(__file__).parents[3] / "shared" / "schemas"
FINDINGS = all_findings()
MAX_BYTES = 10_000


@cache
def rendered(name: str) -> tuple[bytes, ...]:
    return tuple(encode(name, finding) for finding in FINDINGS)


def test_the_findings_under_test_cover_every_kind_activity_and_status() -> None:
    assert {finding.kind for finding in FINDINGS} == set(Kind)
    assert {finding.activity for finding in FINDINGS} == set(get_args(Activity))
    assert {finding.status for finding in FINDINGS} == set(get_args(Status))
    assert {finding.severity for finding in FINDINGS} >= set(Severity) - {Severity.CRITICAL}
    assert {finding.pattern for finding in FINDINGS} == set(Pattern)
    assert {(finding.kind, finding.lead.ladder) for finding in FINDINGS} >= {
        (kind, ladder) for kind in (Kind.PROBING, Kind.DRIFT, Kind.FAULT) for ladder in ("armed", "provisional")
    }
    assert {play_for(finding.kind, finding.pattern, finding.severity) for finding in FINDINGS} == set(PLAYBOOK)
    closes = {(finding.kind, finding.activity) for finding in FINDINGS}
    assert {(kind, "close") for kind in Kind} <= closes
    assert any(finding.is_group for finding in FINDINGS)
    assert {finding.verdict for finding in FINDINGS} == {"", "false-positive", "expected", "true-positive"}


@cache
def validator() -> Any:
    schema = SCHEMAS / "detection_finding.schema.json"
    if not schema.exists():
        pytest.skip("the OCSF 1.8.0 schema is not beside this checkout (../shared/schemas)")
    validator_for = pytest.importorskip("jsonschema_rs", reason="jsonschema-rs is not installed").validator_for
    return validator_for(json.loads(schema.read_text()))


def test_every_ocsf_finding_is_valid_against_the_published_schema() -> None:
    errors = [
        f"{error.instance_path}: {error.message}"
        for value in rendered("ocsf")
        for error in validator().iter_errors(json.loads(value))
    ]
    assert errors == []


@pytest.mark.parametrize("name", DETECTORS)
def test_a_finding_of_every_detector_on_every_rung_is_valid_and_told_whole(name: str) -> None:
    entry = DETECTORS[name]
    for ladder in get_args(Ladder):
        for caller in (None, probing().caller) if entry.kind is Kind.PROBING else (None,):
            signal = replace(
                golden(),
                detector=name,
                kind=entry.kind,
                reference=entry.reference,
                claim=entry.claim,
                techniques=entry.techniques,
                ladder=ladder,
                caller=caller,
            )
            (finding,) = Triage(Privacy()).apply(signals(signal))
            found = json.loads(encode("ocsf", finding))
            assert [error.message for error in validator().iter_errors(found)] == []
            assert found["message"].startswith("Expected false alerts of ")
            assert "3fa2c1d4e5f6" in encode("ecs", finding).decode()
            assert (finding.proposal is not None) is (finding.severity >= Severity.MEDIUM and entry.kind is Kind.PROBING)


def test_the_schema_check_would_notice_a_broken_finding() -> None:
    good = json.loads(rendered("ocsf")[0])
    broken: list[dict[str, Any]] = [
        {**good, "severity_id": 42},
        {**good, "surprise": 1},
        {k: v for k, v in good.items() if k != "metadata"},
    ]
    assert validator().is_valid(good)
    assert not any(validator().is_valid(finding) for finding in broken)


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_is_one_small_json_object_without_unprintable_text(name: str) -> None:
    for value in rendered(name):
        text = value.decode()
        assert isinstance(json.loads(text), dict)
        assert text.isprintable()
        assert all(part.isprintable() for part in texts(json.loads(text)))
        assert len(value) <= MAX_BYTES


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", FORMATS)
def test_equal_uids_are_equal_bytes_and_no_two_findings_share_one(name: str) -> None:
    again = [encode(name, finding) for finding in all_findings()]
    assert list(rendered(name)) == again
    assert len({finding.uid for finding in FINDINGS}) == len(FINDINGS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_writes_to_a_topic_we_own(name: str) -> None:
    assert FORMATS[name].topic in TOPICS
    assert "siem" in TOPICS[FORMATS[name].topic].readers


@pytest.mark.parametrize("name", FORMATS)
def test_headers_are_cloudevents_and_route_a_siem(name: str) -> None:
    for finding in FINDINGS:
        found = dict(headers(name, finding, "tocsin"))
        assert set(found) == {
            *("ce_id", "ce_source", "ce_specversion", "ce_subject", "ce_time", "ce_type"),
            *("content-type", "host", "index", "source", "sourcetype"),
        }
        assert found["ce_specversion"] == b"1.0"
        assert found["ce_id"].decode() == finding.uid
        assert found["ce_time"].endswith(b"Z")
        assert all(value.decode().isprintable() and value for value in found.values())


def test_the_ids_are_where_a_siem_looks_for_them() -> None:
    for finding, value in zip(FINDINGS, rendered("ocsf"), strict=True):
        found = json.loads(value)
        assert (found["metadata"]["uid"], found["finding_info"]["uid"]) == (finding.uid, finding.incident)
        assert found["type_uid"] == 200400 + found["activity_id"]
        assert found["unmapped"]["tocsin"]["suppressed_total"] == finding.suppressed_total


def test_only_urgent_findings_that_nobody_silenced_are_alerts() -> None:
    for finding, value in zip(FINDINGS, rendered("ocsf"), strict=True):
        urgent = finding.severity >= Severity.MEDIUM and finding.status in ("new", "in progress")
        assert json.loads(value)["is_alert"] is urgent


def test_only_findings_of_armed_baselines_are_alerts_or_confident() -> None:
    for finding in FINDINGS:
        found = ocsf.render(finding)
        assert found["unmapped"]["tocsin"]["ladder"] == finding.lead.ladder
        if finding.lead.ladder != "armed":
            assert (found["severity"], found["is_alert"], found["confidence"]) == ("Informational", False, "Low")


def test_the_false_alerts_to_expect_are_said_before_anything_else_in_every_format() -> None:
    for finding in FINDINGS:
        odds = false_alerts(finding.lead)
        found, elastic = ocsf.render(finding), ecs.render(finding)
        assert found["unmapped"]["tocsin"]["false_alerts"] == elastic["labels"]["false_alerts"] == odds
        for text in (
            found["message"],
            found["finding_info"]["desc"],
            found["finding_info"]["analytic"]["desc"],
            elastic["message"],
            elastic["rule"]["description"],
        ):
            assert text.startswith(odds)


def test_every_detector_of_an_incident_is_named_in_its_evidence_whatever_it_compares_with() -> None:
    wide = [finding for finding in FINDINGS if finding.model == "prod/wide@1"][-1]
    detectors = ocsf.render(wide)["evidences"][0]["data"]["detectors"]
    assert {(one["detector"], one["reference"]) for one in detectors} == {("feature_drift", "frozen"), ("adwin", "moving")}
    assert len(detectors) == MAX_SIGNALS


def atlas() -> dict[str, dict[str, str]]:
    path = SCHEMAS / "atlas.csv"
    if not path.exists():
        pytest.skip("the ATLAS table is not beside this checkout (../shared/schemas)")
    with path.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_the_atlas_names_and_tactics_are_those_of_the_published_table() -> None:
    table = atlas()
    for uid, technique in TECHNIQUES.items():
        assert table[uid]["name"] == technique.name
        assert table[uid]["parent"] in ("", parent_of(uid))
        assert technique.tactic in table[parent_of(uid)]["tactics"].split()
    for uid, name in TACTICS.items():
        assert (table[uid]["name"], table[uid]["kind"]) == (name, "tactic")


def test_every_technique_a_detector_names_is_known_and_every_known_one_is_named() -> None:
    named = {uid for entry in DETECTORS.values() for uid in entry.techniques}
    assert named <= set(TECHNIQUES)
    assert set(TECHNIQUES) <= named | {parent_of(uid) for uid in named}
    assert {technique.tactic for technique in TECHNIQUES.values()} == set(TACTICS)


def test_a_technique_we_have_no_name_for_is_still_reported() -> None:
    odd = next(finding for finding in FINDINGS if "AML.T9999" in finding.lead.techniques)
    attacks = ocsf.render(odd)["finding_info"]["attacks"]
    assert [attack["technique"]["uid"] for attack in attacks] == ["AML.T9999", "AML.T0024"]
    assert attacks[1]["sub_technique"]["uid"] == "AML.T0024.999"


@pytest.mark.parametrize("name", FORMATS)
def test_ids_that_privacy_hides_appear_nowhere(name: str) -> None:
    hidden = Privacy(api_key_hash="hmac", service="hmac", ip="hmac", user="hmac", unknown="hmac")
    secrets = ("api_key_hash-1", "user-1", "service-1", "unknown-1", "203.0.113.42", "8841", "crowd-1", "no-techniques")
    everything = b"".join(encode(name, finding) for finding in all_findings(hidden)).decode()
    assert [secret for secret in secrets if secret in everything] == []


def by_kind(kind: Kind) -> Finding:
    return next(finding for finding in FINDINGS if finding.kind is kind)


@pytest.mark.parametrize("kind", Kind)
def test_a_finding_carries_what_an_analyst_needs(kind: Kind) -> None:
    found = ocsf.render(by_kind(kind))
    info, data = found["finding_info"], found["evidences"][0]["data"]
    assert info["analytic"]["name"]
    assert info["analytic"]["version"]
    assert found["unmapped"]["tocsin"]["false_alerts"]
    assert found["start_time"] <= found["end_time"]
    assert info["related_events"]
    assert data["examples"]
    assert found["resources"][0]["uid"]
    assert found["remediation"]["desc"]

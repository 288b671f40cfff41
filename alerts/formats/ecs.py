"""ECS 9.4.0: the same finding for Elastic. Fields: https://www.elastic.co/docs/reference/ecs."""

from __future__ import annotations

from typing import Any, Final

from alerts.atlas import TACTICS, TECHNIQUES, link, parent_of
from alerts.finding import Finding
from alerts.odds import false_alerts
from alerts.pattern import Pattern
from alerts.severity import Severity
from alerts.story import title
from alerts.wording import message
from alerts.words import moment
from tocsin import __version__

ECS: Final = "9.4.0"
SEVERITIES: Final = {
    Severity.INFORMATIONAL: 21,
    Severity.LOW: 21,
    Severity.MEDIUM: 47,
    Severity.HIGH: 73,
    Severity.CRITICAL: 99,
}
"""The numbers of the receiver's own detection engine."""


def render(finding: Finding) -> dict[str, Any]:
    """Returns the finding as one ECS document."""
    lead = finding.lead
    document: dict[str, Any] = {
        "@timestamp": iso(finding.time),
        "ecs": {"version": ECS},
        "event": _event(finding),
        "labels": _labels(finding),
        "message": message(finding),
        "observer": {"product": "Tocsin", "type": "ml-detection", "vendor": "Tocsin", "version": __version__},
        "related": _related(finding),
        "rule": {
            "description": f"{false_alerts(lead)} Watches {lead.watches}.",
            "id": f"tocsin.{lead.detector}",
            "name": lead.detector,
            "ruleset": "tocsin",
            "version": str(lead.version),
        },
        "tags": ["tocsin", str(finding.kind), finding.severity.name.lower()],
    }
    return document | _service(finding) | _who(finding) | _threat(finding)


def iso(ms: int) -> str:
    """Returns RFC 3339 in UTC with milliseconds."""
    return moment(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event(finding: Finding) -> dict[str, Any]:
    return {
        "action": f"{finding.kind}-{finding.activity}",
        "category": ["intrusion_detection"],
        "code": str(finding.kind),
        "dataset": "tocsin.alerts",
        "duration": max(finding.end - finding.start, 0) * 1_000_000,
        "end": iso(finding.end),
        "id": finding.uid,
        "kind": "alert",
        "module": "tocsin",
        "provider": "tocsin",
        "reason": finding.because,
        "sequence": finding.sequence,
        "severity": SEVERITIES[finding.severity],
        "start": iso(finding.start),
        "type": ["info"],
    }


def _labels(finding: Finding) -> dict[str, str]:
    """Returns what ECS has no field for; labels are flat and textual."""
    owners = finding.owners
    labels = {
        "accountable": owners.accountable.who or owners.accountable.role,
        "activity": finding.activity,
        "actors_total": str(finding.actors_total),
        "claim": finding.lead.claim,
        "count": str(finding.fired),
        "false_alerts": false_alerts(finding.lead),
        "incident": finding.incident,
        "ladder": finding.lead.ladder,
        "responsible": ", ".join(owner.who or owner.role for owner in owners.responsible),
        "severity": finding.severity.name.lower(),
        "status": finding.status,
        "suppressed": str(finding.suppressed),
        "suppressed_total": str(finding.suppressed_total),
        "title": title(finding),
    }
    optional = {
        "acknowledged": finding.acknowledged,
        "baseline": str(finding.lead.evidence.get("baseline", "")),
        "pattern": "" if finding.pattern is Pattern.PLAIN else finding.pattern.name.lower(),
        "proposal": finding.proposal_id,
        "verdict": finding.verdict,
    }
    return labels | {key: value for key, value in optional.items() if value}


def _related(finding: Finding) -> dict[str, list[str]]:
    related = {
        "ip": [actor.address for actor in finding.actors if actor.address],
        "user": [actor.name for actor in finding.actors if not actor.address],
    }
    return {key: values for key, values in related.items() if values}


def _service(finding: Finding) -> dict[str, Any]:
    if not finding.model:
        return {"service": {"name": finding.subject, "type": "telemetry"}}
    path, _, version = finding.model.rpartition("@")
    namespace, _, name = path.rpartition("/")
    return {
        "orchestrator": {"namespace": namespace},
        "service": {"name": name, "type": "ml-model", "version": version},
    }


def _who(finding: Finding) -> dict[str, Any]:
    if not finding.actors or finding.is_group:
        return {}
    actor = finding.actors[0]
    address = {"source": {"ip": actor.address}} if actor.address else {}
    return {"user": {"hash": actor.hash, "id": actor.name}} | address


def _threat(finding: Finding) -> dict[str, Any]:
    techniques = finding.lead.techniques
    if not techniques:
        return {}
    parents = [uid for uid in dict.fromkeys(parent_of(uid) for uid in techniques) if uid in TECHNIQUES]
    tactics = list(dict.fromkeys(TECHNIQUES[uid].tactic for uid in parents))
    below = [uid for uid in techniques if uid != parent_of(uid) and uid in TECHNIQUES]
    technique = _named(parents, {uid: TECHNIQUES[uid].name for uid in parents})
    if below:
        technique["subtechnique"] = _named(below, {uid: TECHNIQUES[uid].name for uid in below})
    return {"threat": {"framework": "MITRE ATLAS", "tactic": _named(tactics, TACTICS), "technique": technique}}


def _named(uids: list[str], names: dict[str, str]) -> dict[str, Any]:
    return {"id": uids, "name": [names[uid] for uid in uids], "reference": [link(uid) for uid in uids]}

"""OCSF 1.8.0 Detection Finding, class 2004: the format every other one can be derived from.

Schema: https://schema.ocsf.io/1.8.0/classes/detection_finding. Objects are closed there, so what it has no place for goes
into `unmapped.tocsin`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from alerts.atlas import TACTICS, TECHNIQUES, VERSION, link, parent_of
from alerts.finding import Actor, Finding
from alerts.odds import false_alerts
from alerts.pattern import Pattern
from alerts.severity import Severity, cap_of
from alerts.story import title, what_happened
from alerts.wording import message, proposed
from tocsin import __version__
from tocsin.reading import Evidence
from tocsin.signal import Kind, Signal

OCSF: Final = "1.8.0"
ACTIVITIES: Final = {"create": (1, "Create"), "update": (2, "Update"), "close": (3, "Close")}
STATUSES: Final = {
    "new": (1, "New"),
    "in progress": (2, "In Progress"),
    "suppressed": (3, "Suppressed"),
    "resolved": (4, "Resolved"),
}
CONFIDENCES: Final = {"bound": (3, "High"), "calibrated": (2, "Medium"), "advisory": (1, "Low")}
ANALYTIC_TYPES: Final = {"own past": (2, "Behavioral"), "frozen": (3, "Statistical"), "moving": (4, "Learning (ML/DL)")}
VERDICTS: Final = {"false-positive": (1, "False Positive"), "true-positive": (2, "True Positive"), "expected": (5, "Benign")}
IP_ADDRESS: Final = (2, "IP Address")
RESOURCE_UID: Final = (10, "Resource UID")
USER_UID: Final = (31, "User: uid")
TYPES: Final = {
    Kind.PROBING: "Suspicious Activity",
    Kind.DRIFT: "Anomaly",
    Kind.FAULT: "Anomaly",
    Kind.BLIND: "Telemetry Loss",
}


def render(finding: Finding) -> dict[str, Any]:
    """Returns the finding as one OCSF object."""
    activity_id, activity = ACTIVITIES[finding.activity]
    status_id, status = STATUSES[finding.status]
    weak = finding.lead.ladder != "armed" or cap_of(finding.lead) is Severity.LOW
    confidence_id, confidence = CONFIDENCES["advisory" if weak else finding.lead.claim]
    remedy = " ".join(text for text in (proposed(finding), finding.advice) if text)
    return {
        "activity_id": activity_id,
        "activity_name": activity,
        "anomaly_analyses": _analyses(finding.signals),
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Detection Finding",
        "class_uid": 2004,
        "confidence": confidence,
        "confidence_id": confidence_id,
        "count": finding.fired,
        "end_time": finding.end,
        "evidences": _evidences(finding),
        "finding_info": _info(finding),
        "is_alert": finding.severity >= Severity.MEDIUM and finding.status in ("new", "in progress"),
        "message": message(finding),
        "metadata": _metadata(finding),
        "observables": _observables(finding),
        "remediation": {"desc": remedy},
        "resources": [_resource(finding)],
        "severity": finding.severity.name.capitalize(),
        "severity_id": int(finding.severity),
        "start_time": finding.start,
        "status": status,
        "status_detail": finding.because,
        "status_id": status_id,
        "time": finding.time,
        "type_name": f"Detection Finding: {activity}",
        "type_uid": 200400 + activity_id,
        "unmapped": {"tocsin": _unmapped(finding)},
    }


def _metadata(finding: Finding) -> dict[str, Any]:
    return {
        "correlation_uid": finding.incident,
        "event_code": str(finding.kind),
        "product": {"name": "Tocsin", "uid": "tocsin", "vendor_name": "Tocsin", "version": __version__},
        "sequence": finding.sequence,
        "uid": finding.uid,
        "version": OCSF,
    }


def _info(finding: Finding) -> dict[str, Any]:
    info: dict[str, Any] = {
        "analytic": _analytic(finding.lead),
        "created_time": finding.opened,
        "desc": f"{false_alerts(finding.lead)} {what_happened(finding)}",
        "data_sources": sorted({example.rsplit(":", 3)[0] for example in finding.examples}),
        "first_seen_time": finding.start,
        "last_seen_time": finding.end,
        "modified_time": finding.time,
        "related_events": [{"uid": f"kafka:{example}"} for example in finding.examples],
        "title": title(finding),
        "types": [TYPES[finding.kind]],
        "uid": finding.incident,
    }
    attacks = [_attack(technique) for technique in finding.lead.techniques]
    if attacks:
        info["attacks"] = attacks
    others = {signal.detector: signal for signal in finding.signals if signal.detector != finding.lead.detector}
    if others:
        info["related_analytics"] = [_analytic(signal) for signal in others.values()]
    return info


def _analytic(signal: Signal) -> dict[str, Any]:
    type_id, kind = ANALYTIC_TYPES[signal.reference] if signal.kind is not Kind.BLIND else (1, "Rule")
    return {
        "desc": f"{false_alerts(signal)} Watches {signal.watches}.",
        "name": signal.detector,
        "type": kind,
        "type_id": type_id,
        "uid": f"tocsin.{signal.detector}",
        "version": str(signal.version),
    }


def _attack(uid: str) -> dict[str, Any]:
    parent = parent_of(uid)
    attack: dict[str, Any] = {"technique": _named(parent), "version": VERSION}
    if parent in TECHNIQUES:
        tactic = TECHNIQUES[parent].tactic
        attack["tactic"] = {"name": TACTICS[tactic], "src_url": link(tactic), "uid": tactic}
    if uid != parent:
        attack["sub_technique"] = _named(uid)
    return attack


def _named(uid: str) -> dict[str, Any]:
    name = {"name": TECHNIQUES[uid].name} if uid in TECHNIQUES else {}
    return {**name, "src_url": link(uid), "uid": uid}


def _analyses(signals: tuple[Signal, ...]) -> list[dict[str, Any]]:
    """Returns one analysis per signal; the evidence only of the first of each detector, so that a record stays small."""
    first = {signal.detector: signal.uid for signal in reversed(signals)}
    return [_analysis(signal, signal.evidence if first[signal.detector] == signal.uid else {}) for signal in signals]


def _analysis(signal: Signal, evidence: Evidence) -> dict[str, Any]:
    def seen(parameter: str, value: float | int | str) -> dict[str, Any]:
        return {"observation_parameter": parameter, "observations": [{"value": str(value)}]}

    span = {"start_time": signal.onset_ts, "end_time": max(signal.ts, signal.onset_ts)}
    statistic = {
        "observation_parameter": f"{signal.detector} statistic",
        "observations": [{"count": signal.count, "timespan": span, "value": str(signal.statistic)}],
    }
    return {
        "analysis_targets": [{"name": signal.watches, "type": signal.model or signal.kind}],
        "anomalies": [statistic, *(seen(key, value) for key, value in sorted(evidence.items()))],
        "baselines": [seen("threshold", signal.threshold)],
    }


def _evidences(finding: Finding) -> list[dict[str, Any]]:
    """Returns one evidence per caller shown, or one about the model."""
    lead = finding.lead
    common: dict[str, Any] = {
        "detector": lead.detector,
        "detectors": [_supports(signal) for signal in finding.signals],
        "examples": list(finding.examples),
        "statistic": lead.statistic,
        "threshold": lead.threshold,
        "values": lead.evidence,
    }
    verdict: dict[str, Any] = {}
    if finding.verdict:
        verdict_id, words = VERDICTS[finding.verdict]
        verdict = {"verdict": words, "verdict_id": verdict_id}
    if not finding.actors:
        return [{"data": common, **verdict}]
    first, *others = [_evidence(actor) for actor in finding.actors]
    return [{**first, "data": {**common, **first["data"]}, **verdict}, *others]


def _supports(signal: Signal) -> dict[str, Any]:
    return {
        "detector": signal.detector,
        "ladder": signal.ladder,
        "reference": signal.reference,
        "watches": signal.watches,
    }


def _evidence(actor: Actor) -> dict[str, Any]:
    user = {"type": actor.id_kind, "type_id": 99, "uid": actor.name, "uid_alt": actor.hash}
    evidence: dict[str, Any] = {
        "actor": {"user": user},
        "api": {"operation": "infer"},
        "data": {"count": actor.count, "share": actor.share},
    }
    if actor.address:
        evidence["src_endpoint"] = {"ip": actor.address, "uid": actor.name}
    return evidence


def _observables(finding: Finding) -> list[dict[str, Any]]:
    def one(name: str, value: str, kind: tuple[int, str]) -> dict[str, Any]:
        return {"name": name, "type": kind[1], "type_id": kind[0], "value": value}

    callers = [
        one("evidences[].src_endpoint.ip", actor.address, IP_ADDRESS)
        if actor.address
        else one("evidences[].actor.user.uid", actor.name, USER_UID)
        for actor in finding.actors
    ]
    return [one("resources[].uid", finding.subject, RESOURCE_UID), *callers]


def _resource(finding: Finding) -> dict[str, Any]:
    if not finding.model:
        return {"name": finding.subject, "role": "Affected", "role_id": 3, "type": "Telemetry", "uid": finding.subject}
    path, _, version = finding.model.rpartition("@")
    namespace, _, name = path.rpartition("/")
    return {
        "name": name,
        "namespace": namespace,
        "role": "Affected",
        "role_id": 3,
        "type": "AI Model",
        "uid": finding.model,
        "version": version,
    }


def _unmapped(finding: Finding) -> dict[str, Any]:
    lead = finding.lead
    silence = finding.silence
    return {
        "accountable": msgspec.to_builtins(finding.owners.accountable),
        "acknowledged": finding.acknowledged or None,
        "actors_total": finding.actors_total,
        "baseline": lead.evidence.get("baseline"),
        "claim": lead.claim,
        "false_alerts": false_alerts(lead),
        "false_alerts_per_month": lead.false_alerts_per_month,
        "ladder": lead.ladder,
        "on_call": finding.owners.on_call or None,
        "pattern": None if finding.pattern is Pattern.PLAIN else finding.pattern.name.lower(),
        "proposal": finding.proposal_id or None,
        "responsible": msgspec.to_builtins(finding.owners.responsible),
        "silence": silence and {"author": silence.author, "id": silence.id, "reason": silence.reason, "until": silence.until},
        "suppressed": finding.suppressed,
        "suppressed_total": finding.suppressed_total,
        "verdict": finding.verdict or None,
    }

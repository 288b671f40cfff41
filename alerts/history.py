"""History: findings read back from the alerts topic, as lines and labels for people. Pure formatting of OCSF objects.

What is read may have been written by another version, so nothing here insists on a field.
"""

from __future__ import annotations

from typing import Any

from alerts.escape import printable
from alerts.wording import SCIENCE
from alerts.words import moment, number, percent


def dig(value: Any, *path: str | int) -> Any:
    """Returns what lies at a path of keys and positions in a JSON value, or None."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and len(value) > step:
            value = value[step]
        else:
            return None
    return value


def _when(value: Any) -> str:
    return f"{moment(value):%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, int) else "?"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, int | float) else printable(str(value))


def first_sentence(finding: dict[str, Any]) -> str:
    """Returns the analyst's part of the message, without the false alerts to expect, which come before it."""
    odds = _text(dig(finding, "unmapped", "tocsin", "false_alerts"))
    return _text(dig(finding, "message")).partition(SCIENCE)[0].removeprefix(odds).lstrip()


def one_line(finding: dict[str, Any]) -> str:
    """Returns `time  SEVERITY  activity  incident  sentence`."""
    severity = _text(dig(finding, "severity")).upper() or "?"
    status = _text(dig(finding, "status")).lower()
    incident = _text(dig(finding, "finding_info", "uid"))
    return f"{_when(dig(finding, 'time'))}  {severity:<13}  {status:<11}  {incident}  {first_sentence(finding)}"


def describe(finding: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns (label, text) pairs that tell the whole finding, most important first; empty texts are left out."""
    ours = dig(finding, "unmapped", "tocsin")
    pairs = [
        ("False alerts", _text(dig(ours, "false_alerts"))),
        ("What", first_sentence(finding)),
        ("Advice", _text(dig(finding, "remediation", "desc"))),
        ("Severity", _text(dig(finding, "severity"))),
        ("Status", " — ".join(filter(None, (_text(dig(finding, "status")), _text(dig(finding, "status_detail")))))),
        ("Incident", _text(dig(finding, "finding_info", "uid"))),
        ("Model", _text(dig(finding, "resources", 0, "uid"))),
        ("Callers", "; ".join(_callers(finding))),
        ("Onset", _when(dig(finding, "start_time"))),
        ("Latest", _when(dig(finding, "end_time"))),
        ("Signals", _counts(finding)),
        ("ATLAS", "; ".join(_attacks(finding))),
        ("Detector", _detector(finding)),
        ("Baseline", " — ".join(filter(None, (_text(dig(ours, "baseline")), _text(dig(ours, "ladder")))))),
        ("Evidence", _evidence(finding)),
        ("Examples", ", ".join(_text(dig(event, "uid")) for event in dig(finding, "finding_info", "related_events") or [])),
        ("Proposal", _text(dig(ours, "proposal"))),
        ("Silence", _silence(dig(ours, "silence"))),
        ("Verdict", _text(dig(ours, "verdict"))),
        ("Record", _text(dig(finding, "metadata", "uid"))),
    ]
    return [(label, text) for label, text in pairs if text]


def _callers(finding: dict[str, Any]) -> list[str]:
    lines = []
    for evidence in dig(finding, "evidences") or []:
        name, count, share = (dig(evidence, *path) for path in (("actor", "user", "uid"), ("data", "count"), ("data", "share")))
        if name is not None:
            events = f", {number(count)} events" if isinstance(count, int | float) else ""
            part = f", {percent(share)} of the traffic" if isinstance(share, int | float) else ""
            lines.append(f"{_text(name)} ({_text(dig(evidence, 'actor', 'user', 'type'))}{events}{part})")
    total = dig(finding, "unmapped", "tocsin", "actors_total")
    if isinstance(total, int) and total > len(lines):
        lines.append(f"and {number(total - len(lines))} more")
    return lines


def _counts(finding: dict[str, Any]) -> str:
    fired, quiet = dig(finding, "count"), dig(finding, "unmapped", "tocsin", "suppressed_total")
    return f"{_text(fired)} fired, {_text(quiet)} of them counted without a finding of their own" if fired is not None else ""


def _attacks(finding: dict[str, Any]) -> list[str]:
    attacks = dig(finding, "finding_info", "attacks") or []
    best = [dig(attack, "sub_technique") or dig(attack, "technique") for attack in attacks]
    return [f"{_text(dig(one, 'uid'))} {_text(dig(one, 'name'))}".strip() for one in best]


def _detector(finding: dict[str, Any]) -> str:
    name, version = (dig(finding, "finding_info", "analytic", key) for key in ("name", "version"))
    return f"{_text(name)} v{_text(version)}" if name is not None else ""


def _evidence(finding: dict[str, Any]) -> str:
    data = dig(finding, "evidences", 0, "data")
    values = dig(data, "values")
    facts = [f"{_text(key)} {_text(value)}" for key, value in sorted(values.items())] if isinstance(values, dict) else []
    numbers = [f"{key} {_text(dig(data, key))}" for key in ("statistic", "threshold") if dig(data, key) is not None]
    return ", ".join(numbers + facts)


def _silence(silence: Any) -> str:
    if not isinstance(silence, dict):
        return ""
    return f"{_text(silence.get('id'))} by {_text(silence.get('author'))} until {_when(silence.get('until'))}: " + _text(
        silence.get("reason")
    )

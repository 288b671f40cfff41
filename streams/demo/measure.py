"""Measure: was the attack found, how soon, and was calm traffic left in peace? Pure: findings and truth in, numbers out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

MEDIUM: Final = 3
"""OCSF severity_id from which on a finding wakes somebody."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One finding record as its reader sees it.

    Attributes:
        uid: of the incident.
        kind: what happened.
        severity_id: OCSF, 1 informational to 5 critical.
        severity: the same in a word.
        model: the model, or what else it is about.
        callers: who, as shown.
        start: onset, event time, Unix milliseconds.
        end: the latest signal, event time, Unix milliseconds.
        time: when it was said, ledger time, Unix milliseconds; a coarse clock, for ticks come once a second of wall time.
        message: for people.
        status: New, In Progress, Suppressed, Resolved.
        techniques: ATLAS ids.
        advice: what is proposed and what to do.
    """

    uid: str
    kind: str
    severity_id: int
    severity: str
    model: str
    callers: tuple[str, ...]
    start: int
    end: int
    time: int
    message: str
    status: str
    techniques: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Attack:
    """What was played.

    Attributes:
        scenario: its name.
        kind: of the finding it deserves.
        callers: who did it.
        ts: event times of its events, in order, Unix milliseconds; not empty.
    """

    scenario: str
    kind: str
    callers: frozenset[str]
    ts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Injected:
    """One attack and what became of it; None where nothing was found.

    Attributes:
        scenario: its name.
        kind: of the finding it deserves.
        attack_events: how many events it had.
        found: whether a finding of medium or above names one of its callers.
        after_events: events of the attack up to the one that triggered it.
        after_s: event time from the attack's first event to that one, seconds.
        finding_uid: OCSF `finding_info.uid`.
    """

    scenario: str
    kind: str
    attack_events: int
    found: bool
    after_events: int | None
    after_s: float | None
    finding_uid: str | None


@dataclass(frozen=True, slots=True)
class Calm:
    """What was said about traffic in which nothing happened: events, incidents of medium and above, and the rest."""

    events: int
    findings: int
    low: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The demo's result.

    Attributes:
        injected: one per attack.
        calm: the rest.
        events_per_s: events that passed through all stages, per second of wall time while playing.
    """

    injected: tuple[Injected, ...]
    calm: Calm
    events_per_s: float

    @property
    def ok(self) -> bool:
        """Whether every attack was found and nobody was woken for nothing."""
        return all(attack.found for attack in self.injected) and self.calm.findings == 0

    def to_json(self) -> dict[str, Any]:
        """Returns it as one JSON object."""
        return asdict(self)


def seen_of(finding: bytes) -> Seen:
    """Returns what a reader sees in one OCSF record."""
    record = orjson.loads(finding)
    info = record["finding_info"]
    users = [evidence["actor"]["user"]["uid"] for evidence in record["evidences"] if "actor" in evidence]
    attacks = [attack.get("sub_technique", attack["technique"])["uid"] for attack in info.get("attacks", ())]
    return Seen(
        uid=info["uid"],
        kind=record["metadata"]["event_code"],
        severity_id=record["severity_id"],
        severity=record["severity"],
        model=record["resources"][0]["uid"],
        callers=tuple(users),
        start=record["start_time"],
        end=record["end_time"],
        time=record["time"],
        message=record["message"],
        status=record["status"],
        techniques=tuple(attacks),
        advice=record["remediation"]["desc"],
    )


def summarize(attacks: Sequence[Attack], findings: Sequence[Seen], calm_events: int, events_per_s: float) -> Summary:
    """Returns the result.

    Args:
        attacks: what was played.
        findings: every finding record, in the order in which they came.
        calm_events: events before the first attack.
        events_per_s: measured.
    """
    injected = tuple(_injected(attack, findings) for attack in attacks)
    first = min((attack.ts[0] for attack in attacks), default=None)
    attackers = frozenset(caller for attack in attacks for caller in attack.callers)
    worst: dict[str, int] = {}
    for finding in findings:
        if _is_about_calm(finding, first, attackers):
            worst[finding.uid] = max(worst.get(finding.uid, 0), finding.severity_id)
    woken = sum(severity >= MEDIUM for severity in worst.values())
    return Summary(injected, Calm(calm_events, woken, len(worst) - woken), round(events_per_s, 1))


def _injected(attack: Attack, findings: Iterable[Seen]) -> Injected:
    for finding in findings:
        if finding.kind == attack.kind and finding.severity_id >= MEDIUM and attack.callers & set(finding.callers):
            after = bisect_right(attack.ts, finding.end)
            seconds = (finding.end - attack.ts[0]) / 1000
            return Injected(attack.scenario, attack.kind, len(attack.ts), True, after, seconds, finding.uid)
    return Injected(attack.scenario, attack.kind, len(attack.ts), False, None, None, None)


def _is_about_calm(finding: Seen, first_attack: int | None, attackers: frozenset[str]) -> bool:
    """Returns whether nothing had happened yet, or it names nobody but innocents."""
    if first_attack is None or finding.end < first_attack:
        return True
    return bool(finding.callers) and not attackers & set(finding.callers)

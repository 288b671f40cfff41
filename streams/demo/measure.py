"""Measure: was the attack found, how soon, and was calm traffic left in peace? Pure: findings and truth in, numbers out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from alerts.history import first_sentence

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
        gist: its first sentence about what happened.
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
    gist: str
    status: str
    techniques: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that was played.

    Attributes:
        scenario: its name.
        kind: of the finding it deserves.
        callers: who did it; empty when nobody in particular.
        ts: event times of its events, in order, Unix milliseconds; not empty.
        end_ms: event time at which it was over.
        names: what the finding must name, "" for nothing in particular.
    """

    scenario: str
    kind: str
    callers: frozenset[str]
    ts: Sequence[int]
    end_ms: int
    names: str = ""


@dataclass(frozen=True, slots=True)
class Injected:
    """One episode and what became of it; None where nothing was found.

    Attributes:
        scenario: its name.
        kind: of the finding it deserves.
        accounts: how many attacked; 0 when nobody did.
        attack_events: how many events it had.
        found: whether a finding of medium or above is about it and wrongs nobody.
        after_events: events of the episode up to the one that triggered it.
        after_s: event time from the episode's first event to that one, seconds.
        finding_uid: OCSF `finding_info.uid`.
    """

    scenario: str
    kind: str
    accounts: int
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
        """Whether everything was found and nobody was woken for nothing."""
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
        gist=first_sentence(record),
        status=record["status"],
        techniques=tuple(attacks),
        advice=record["remediation"]["desc"],
    )


def summarize(episodes: Sequence[Episode], findings: Sequence[Seen], calm_events: int, events_per_s: float) -> Summary:
    """Returns the result.

    Args:
        episodes: what was played, in order.
        findings: every finding record, in the order in which they came.
        calm_events: events outside all episodes.
        events_per_s: measured.
    """
    attackers = frozenset(caller for episode in episodes for caller in episode.callers)
    worst: dict[str, int] = {}
    for finding in findings:
        if _is_about_calm(finding, episodes, attackers):
            worst[finding.uid] = max(worst.get(finding.uid, 0), finding.severity_id)
    woken = sum(severity >= MEDIUM for severity in worst.values())
    injected = tuple(_injected(episode, findings) for episode in episodes)
    return Summary(injected, Calm(calm_events, woken, len(worst) - woken), round(events_per_s, 1))


def _injected(episode: Episode, findings: Iterable[Seen]) -> Injected:
    who = len(episode.callers)
    for finding in findings:
        if finding.severity_id >= MEDIUM and _is_about(finding, episode):
            after = bisect_right(episode.ts, finding.end)
            seconds = (finding.end - episode.ts[0]) / 1000
            return Injected(episode.scenario, episode.kind, who, len(episode.ts), True, after, seconds, finding.uid)
    return Injected(episode.scenario, episode.kind, who, len(episode.ts), False, None, None, None)


def _is_about(finding: Seen, episode: Episode) -> bool:
    """Returns whether a finding fits; it must accuse one of those who did it, or nobody where no single account stands out."""
    accused = set(finding.callers)
    return (
        finding.kind == episode.kind
        and episode.ts[0] <= finding.end <= episode.end_ms
        and episode.names in finding.message
        and (bool(accused & episode.callers) or (not accused and len(episode.callers) != 1))
    )


def _is_about_calm(finding: Seen, episodes: Sequence[Episode], attackers: frozenset[str]) -> bool:
    """Returns whether nothing was going on from its onset to its latest signal, or it names nobody but innocents."""
    innocent = bool(finding.callers) and not attackers & set(finding.callers)
    return innocent or not any(finding.start <= episode.end_ms and finding.end >= episode.ts[0] for episode in episodes)

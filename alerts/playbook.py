"""Playbook: what Tocsin proposes to do about it. One literal table; the first row that fits is the answer."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from alerts.severity import Severity
from tocsin.signal import Kind

Action = Literal["throttle", "annotate"]
"""`throttle` asks a gateway to slow callers down; `annotate` asks nobody to do anything: the finding is the response."""

HOUR_S: Final = 3_600


class Play(NamedTuple):
    """One row of `PLAYBOOK`.

    Attributes:
        kind: of the incident.
        at_least: lowest severity.
        action: what to propose.
        ttl_s: how long it should hold; 0 for `annotate`.
        advice: what a person should do, one sentence.
    """

    kind: Kind
    at_least: Severity
    action: Action
    ttl_s: int
    advice: str


PLAYBOOK: Final[tuple[Play, ...]] = (
    Play(
        Kind.PROBING, Severity.HIGH, "throttle", 4 * HOUR_S,
        "Find out who owns the caller; if nobody expects this traffic, approve the throttle and revoke the credentials.",
    ),
    Play(
        Kind.PROBING, Severity.MEDIUM, "throttle", HOUR_S,
        "Find out who owns the caller; if nobody expects this traffic, approve the throttle.",
    ),
    Play(
        Kind.PROBING, Severity.INFORMATIONAL, "annotate", 0,
        "Watch whether it goes on; nothing needs doing yet.",
    ),
    Play(
        Kind.DRIFT, Severity.INFORMATIONAL, "annotate", 0,
        "Ask the model's owner whether a release, a campaign or an upstream change explains it.",
    ),
    Play(
        Kind.FAULT, Severity.INFORMATIONAL, "annotate", 0,
        "Ask the on-call of the serving platform; this is more likely a fault than an attack.",
    ),
    Play(
        Kind.BLIND, Severity.INFORMATIONAL, "annotate", 0,
        "Ask the operators of Tocsin; until it is repaired, no finding about this does not mean that nothing happened.",
    ),
)  # fmt: skip


def play_for(kind: Kind, severity: Severity) -> Play:
    """Returns the row for an incident; every kind ends with one for any severity."""
    return next(play for play in PLAYBOOK if play.kind is kind and severity >= play.at_least)

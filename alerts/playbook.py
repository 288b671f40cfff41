"""Playbook: what Tocsin proposes to do about it. One literal table; the first row that fits is the answer."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from alerts.pattern import Pattern
from alerts.severity import Severity
from tocsin.signal import Kind

Action = Literal["throttle", "throttle_model", "annotate"]
"""`throttle` asks a gateway to slow callers down, `throttle_model` asks people to slow a whole model down or to raise friction
for newcomers; `annotate` asks nobody to do anything: the finding is the response."""

HOUR_S: Final = 3_600


class Play(NamedTuple):
    """One row of `PLAYBOOK`.

    Attributes:
        kind: of the incident.
        pattern: what it must look like, None for whatever it looks like.
        at_least: lowest severity.
        action: what to propose.
        ttl_s: how long it should hold; 0 for `annotate`.
        advice: what a person should do, one sentence.
    """

    kind: Kind
    pattern: Pattern | None
    at_least: Severity
    action: Action
    ttl_s: int
    advice: str


PLAYBOOK: Final[tuple[Play, ...]] = (
    Play(
        Kind.PROBING, Pattern.SPREAD, Severity.HIGH, "throttle_model", 4 * HOUR_S,
        "Block nobody by name unless another finding names a caller: find out what the accounts that ask near the threshold "
        "have in common; then approve the throttle of the whole model, or raise friction for newcomers (identity, quotas).",
    ),
    Play(
        Kind.PROBING, Pattern.SPREAD, Severity.MEDIUM, "throttle_model", HOUR_S,
        "Block nobody by name unless another finding names a caller: find out what the accounts that ask near the threshold "
        "have in common; then approve the throttle of the whole model, or raise friction for newcomers (identity, quotas).",
    ),
    Play(
        Kind.PROBING, None, Severity.HIGH, "throttle", 4 * HOUR_S,
        "Find out who owns the caller; if nobody expects this traffic, approve the throttle and revoke the credentials.",
    ),
    Play(
        Kind.PROBING, None, Severity.MEDIUM, "throttle", HOUR_S,
        "Find out who owns the caller; if nobody expects this traffic, approve the throttle.",
    ),
    Play(
        Kind.PROBING, None, Severity.INFORMATIONAL, "annotate", 0,
        "Watch whether it goes on; nothing needs doing yet.",
    ),
    Play(
        Kind.DRIFT, Pattern.UNIT, Severity.INFORMATIONAL, "annotate", 0,
        "Ask whoever produces this input what they changed, and do not trust the model's answers until it is put right; if a "
        "few callers send nearly all of the traffic, look at them first.",
    ),
    Play(
        Kind.DRIFT, Pattern.GAP, Severity.INFORMATIONAL, "annotate", 0,
        "Ask whoever produces this input why it is missing; if only a few callers leave it out, look at them first.",
    ),
    Play(
        Kind.DRIFT, Pattern.PUSH, Severity.INFORMATIONAL, "annotate", 0,
        "Stop retraining on recent traffic until the model's owner knows who contributed the change: this is how slow "
        "poisoning looks.",
    ),
    Play(
        Kind.DRIFT, None, Severity.INFORMATIONAL, "annotate", 0,
        "Ask the model's owner whether a release, a campaign or an upstream change explains it; contain nobody for it.",
    ),
    Play(
        Kind.FAULT, Pattern.SLOW, Severity.INFORMATIONAL, "annotate", 0,
        "Ask the owner of the service that serves the model; this is more likely a fault or a lack of capacity than an attack.",
    ),
    Play(
        Kind.FAULT, None, Severity.INFORMATIONAL, "annotate", 0,
        "Ask the on-call of the serving platform; this is more likely a fault than an attack.",
    ),
    Play(
        Kind.BLIND, None, Severity.INFORMATIONAL, "annotate", 0,
        "Ask the operators of Tocsin; until it is repaired, no finding about this does not mean that nothing happened.",
    ),
)  # fmt: skip


def play_for(kind: Kind, pattern: Pattern, severity: Severity) -> Play:
    """Returns the row for an incident; every kind ends with one for any pattern and severity."""
    fit = (play for play in PLAYBOOK if play.kind is kind and play.pattern in (None, pattern) and severity >= play.at_least)
    return next(fit)

"""Playbook: what Tocsin proposes to do about it. One literal table; the first row that fits is the answer."""

from __future__ import annotations

from typing import Final, NamedTuple

from alerts.ladder import ORDER, Measure
from alerts.pattern import Pattern
from alerts.severity import Severity
from tocsin.signal import Kind

CEILINGS: Final[dict[Pattern, Measure]] = {
    Pattern.VARIATIONS: "throttle",
    Pattern.TOGETHER: "throttle_model",
    Pattern.SPREAD: "throttle_model",
    Pattern.NEWCOMERS: "newcomer_quota",
    Pattern.MEMBERS: "annotate",
    Pattern.TEMPLATE: "annotate",
}
"""The strongest play that may answer a pattern, however severe, where the innocent look the same: a sensor's readings vary as
slowly as a search, a record that goes round is sent by many, nobody in particular cannot be named. Patterns that are not here
may be answered by whatever a row offers."""

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
    action: Measure
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
        Kind.PROBING, Pattern.TOGETHER, Severity.MEDIUM, "throttle_model", HOUR_S,
        "Look at the members that the evidence names first: block none of them by this finding alone, but find out what they "
        "have in common; then approve the throttle of the whole model, or raise friction for newcomers (identity, quotas).",
    ),
    Play(
        Kind.PROBING, Pattern.NEWCOMERS, Severity.MEDIUM, "newcomer_quota", 24 * HOUR_S,
        "Open a ticket and approve a quota for accounts of the last days, then find out who opened them; block nobody, for "
        "no single account has done anything that a customer might not do.",
    ),
    Play(
        Kind.PROBING, Pattern.NEWCOMERS, Severity.INFORMATIONAL, "annotate", 0,
        "Open a ticket to find out who opened these accounts; block nobody, for no single account has done anything that a "
        "customer might not do.",
    ),
    Play(
        Kind.PROBING, Pattern.TEMPLATE, Severity.INFORMATIONAL, "annotate", 0,
        "Look at one of these requests: a link, a form or a test record that went round looks like this; contain nobody for "
        "it.",
    ),
    Play(
        Kind.PROBING, Pattern.MEMBERS, Severity.INFORMATIONAL, "annotate", 0,
        "Ask who owns the caller and why it sends training rows, for a test suite or a backfill does so too; this counts only "
        "together with another finding about the same caller.",
    ),
    Play(
        Kind.PROBING, Pattern.SEARCH, Severity.HIGH, "throttle", 4 * HOUR_S,
        "Find out who owns the caller; approve the throttle, treat the answers it was given since the onset as learned, and "
        "revoke the credentials if nobody expects this.",
    ),
    Play(
        Kind.PROBING, Pattern.SEARCH, Severity.MEDIUM, "throttle", HOUR_S,
        "Find out who owns the caller and what its last question achieved; if nobody expects this, approve the throttle.",
    ),
    Play(
        Kind.PROBING, Pattern.VARIATIONS, Severity.MEDIUM, "throttle", HOUR_S,
        "Find out who owns the caller: a sensor or a form that sends every keystroke looks the same, so do no more than "
        "throttle it unless the evidence names another signal or another finding agrees; silence it if it is one.",
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
        Kind.DRIFT, Pattern.APART, Severity.INFORMATIONAL, "annotate", 0,
        "Ask whoever joins these inputs whether rows are still matched as they were, and the model's owner whether a new kind "
        "of customer explains it; contain nobody for it.",
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
    """Returns the row for an incident; every kind ends with one for any pattern and severity that does nothing."""
    most = ORDER.index(CEILINGS.get(pattern, ORDER[-1]))
    fit = (play for play in PLAYBOOK if play.kind is kind and play.pattern in (None, pattern) and severity >= play.at_least)
    return next(play for play in fit if ORDER.index(play.action) <= most)

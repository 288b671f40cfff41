"""Wording: what a finding's message says, in this order.

1. How many false alerts to expect, for that decides how the rest is read (`odds.py`).
2. What happened and to whom, for an analyst, no statistics (`story.py`).
3. The detector, its claim and its numbers, for whoever must decide whether to believe it.
"""

from __future__ import annotations

from typing import Final

from alerts.finding import Finding
from alerts.odds import false_alerts
from alerts.pattern import Pattern
from alerts.story import what_happened
from alerts.words import clock_time, lasting, moment, number
from tocsin.control import Acknowledge, CloseFinding
from tocsin.signal import Kind, Signal

SCIENCE: Final = " For data scientists: "
"""Where the analyst may stop reading."""

TOLD: Final = ("baseline", "direction", "log10_statistic", "log10_threshold", "events_since_onset")
"""Evidence that the sentence says in its own words, so it is not listed again."""


ASKED: Final[dict[str, str]] = {
    "newcomer_quota": "a quota for newcomers of {model}",
    "throttle_model": "slow the whole of {model} down, or its newcomers,",
}
"""What a proposal without targets asks for."""


def because_quiet(quiet_ms: int) -> str:
    """Returns why an incident closes by itself."""
    return f"no new signal for {lasting(quiet_ms)}"


def because_after(after_ms: int) -> str:
    """Returns why an incident speaks again by itself."""
    return f"more of the same {lasting(after_ms)} after opening"


def because_escalated(after_ms: int, to: str) -> str:
    """Returns that nobody took it on for so long, and to whom it goes now."""
    return f"not acknowledged for {lasting(after_ms)}: escalated to {to}"


def because_acknowledged_by(order: Acknowledge) -> str:
    """Returns who took it on."""
    return f"acknowledged by {order.author}"


def because_closed_by(order: CloseFinding) -> str:
    """Returns why an incident closes by an analyst's word."""
    return f"closed as {order.verdict} by {order.author}" + (f": {order.reason}" if order.reason else "")


def because_crowded_out(most: int) -> str:
    """Returns why an incident closes for others' sake."""
    return f"closed to make room: {number(most)} incidents are open"


def because_looks_like(pattern: Pattern) -> str:
    """Returns why an incident speaks again when the evidence has become clearer."""
    return f"it now looks like {pattern}"


def message(finding: Finding) -> str:
    """Returns the odds, the analyst's sentence, what the verdict leads to, and the data scientist's sentence."""
    parts = (false_alerts(finding.lead), what_happened(finding), what_next(finding))
    return " ".join(filter(None, parts)) + SCIENCE + how_it_is_known(finding)


def what_next(finding: Finding) -> str:
    """Returns how to make an expected change the new normal, or "" when there is nothing to make."""
    if finding.verdict != "expected" or finding.kind not in (Kind.DRIFT, Kind.FAULT):
        return ""
    return (
        f"If it stays like this, run `tocsin baseline accept {finding.incident}`: what came since then makes the next "
        "baseline, provisional until somebody promotes it."
    )


def how_it_is_known(finding: Finding) -> str:
    """Returns the sentence for a data scientist: detector, quantity, direction, statistic, onset, reference, evidence."""
    lead = finding.lead
    facts = [f"{key}: {_fact(value)}" for key, value in sorted(lead.evidence.items()) if key not in TOLD]
    if finding.kind is Kind.BLIND:
        return f"no statistic but a fact about {lead.watches} ({', '.join(facts)})."
    direction = lead.evidence.get("direction")
    against = f" against {number(lead.threshold)}" if lead.threshold else ""
    also = ", ".join(_briefly(signal) for signal in finding.signals[1:])
    return (
        f"{lead.detector} v{lead.version} on {lead.watches}"
        + (f", {direction}," if direction else "")
        + f" reached {number(lead.statistic)}{against} over {number(lead.count)} events, "
        + f"onset {moment(lead.onset_ts):%Y-%m-%dT%H:%M:%SZ}, reference: {reference(lead)}"
        + (f" ({', '.join(facts)})" if facts else "")
        + (f"; {also} fired as well." if also else ".")
    )


def reference(signal: Signal) -> str:
    """Returns what the detector compared with, e.g. `frozen, baseline 3fa2c1d4e5f6, armed`."""
    if signal.reference != "frozen":
        return signal.reference
    baseline = signal.evidence.get("baseline")
    return ", ".join(filter(None, (signal.reference, f"baseline {baseline}" if baseline else "", signal.ladder)))


def _briefly(signal: Signal) -> str:
    worth = "" if signal.ladder == "armed" else f" ({signal.ladder})"
    return f"{signal.detector} on {signal.watches}{worth}"


def _fact(value: float | int | str) -> str:
    return value if isinstance(value, str) else number(value)


def proposed(finding: Finding) -> str:
    """Returns a sentence on what is proposed, or what to do when nothing is."""
    proposal = finding.proposal
    if proposal is not None:
        names = [target.caller for target in proposal.targets[:3]]
        more = len(proposal.targets) - len(names)
        whom = ", ".join(names) + (f" and {number(more)} more" if more else "")
        what = f"{proposal.action} {whom}" if names else ASKED[proposal.action].format(model=proposal.model)
        return f"Proposed, not yet approved: {what} for {lasting(proposal.ttl_s * 1_000)} (proposal {proposal.id})."
    if not finding.proposal_id or finding.activity == "close":
        return ""
    verb = "stands until" if finding.time < finding.proposal_expires else "expired at"
    return f"Proposal {finding.proposal_id} {verb} {clock_time(finding.proposal_expires)}."

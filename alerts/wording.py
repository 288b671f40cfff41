"""Wording: what findings say, in words. Read every sentence aloud as the analyst who is woken by it at three in the morning.

First sentence: what happened and to whom, no statistics. Second: the detector, its claim and its numbers, for whoever must
decide whether to believe it. Texts from outside are escaped by the format, not here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from alerts.finding import Actor, Finding
from tocsin.control import CloseFinding
from tocsin.signal import Kind, Signal

HOUR_S = 3_600
UNITS: Final = ((86_400, "day"), (HOUR_S, "hour"), (60, "minute"), (0, "second"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ID_WORDS: Final[dict[str, str]] = {
    "api_key_hash": "API key",
    "user": "User",
    "service": "Service",
    "ip": "IP address",
    "unknown": "Caller",
}
"""What to call a caller, by what it was counted by."""


def moment(ms: int) -> datetime:
    """Returns a time in UTC; exact to the millisecond."""
    return EPOCH + timedelta(milliseconds=ms)


def clock_time(ms: int) -> str:
    """Returns e.g. `07:12 UTC on 23 November`."""
    when = moment(ms)
    return f"{when:%H:%M} UTC on {when.day} {when:%B}"


def lasting(ms: int) -> str:
    """Returns a span in its natural unit, e.g. `30 seconds`, `1 minute`, `1.5 hours`, `3 days`."""
    seconds = max(ms, 0) / 1_000
    size, unit = next((size, unit) for size, unit in UNITS if seconds >= size)
    much = round(seconds / size, 1) if size >= HOUR_S else round(seconds / (size or 1))
    return f"{number(much)} {unit}{'' if much == 1 else 's'}"


def number(value: float) -> str:
    """Returns a number a person can read: whole ones with commas, others with three digits that matter."""
    if value == int(value) or abs(value) >= 1_000:
        return f"{round(value):,}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """Returns e.g. `12 %`, `0.4 %`."""
    return f"{number(round(share * 100, 1 if share < 0.1 else 0))} %"


def because_quiet(quiet_ms: int) -> str:
    """Returns why an incident closes by itself."""
    return f"no new signal for {lasting(quiet_ms)}"


def because_after(after_ms: int) -> str:
    """Returns why an incident speaks again by itself."""
    return f"more of the same {lasting(after_ms)} after opening"


def because_closed_by(order: CloseFinding) -> str:
    """Returns why an incident closes by an analyst's word."""
    return f"closed as {order.verdict} by {order.author}" + (f": {order.reason}" if order.reason else "")


def because_crowded_out(most: int) -> str:
    """Returns why an incident closes for others' sake."""
    return f"closed to make room: {number(most)} incidents are open"


def caller_name(actor: Actor) -> str:
    """Returns e.g. `API key 9f2c…`, `User hmac:…`."""
    return f"{ID_WORDS.get(actor.id_kind, 'Caller')} {actor.name}"


def title(finding: Finding) -> str:
    """Returns a headline without a verb, the same for all findings of an incident."""
    what = {
        Kind.PROBING: "Probing of",
        Kind.DRIFT: "Drift in",
        Kind.FAULT: "Trouble serving",
        Kind.BLIND: "Blind spot:",
    }[finding.kind]
    who = ""
    if finding.is_group:
        who = " by many callers"
    elif finding.actors:
        who = f" by {finding.actors[0].name}"
    return f"{what} {finding.subject}{who}"


def message(finding: Finding) -> str:
    """Returns the analyst's sentence and the data scientist's."""
    return f"{what_happened(finding)} {how_it_is_known(finding)}"


def what_happened(finding: Finding) -> str:
    """Returns one plain sentence: what happened, to whom, since when."""
    sentence = _SENTENCES[finding.kind](finding)
    return f"Closed ({finding.because}): {sentence}" if finding.activity == "close" else sentence


def _probing(finding: Finding) -> str:
    past = finding.activity == "close"
    if finding.is_group:
        verb = "were" if past else "are"
        return (
            f"Besides the callers reported one by one, {number(finding.actors_total)} more {verb} probing {finding.model} at "
            f"the same time since {clock_time(finding.start)}, {_top(finding)}."
        )
    actor = finding.actors[0]
    verb = "was" if past else "is"
    return f"{caller_name(actor)} {verb} probing {finding.model}: {_pace(finding.lead)}."


def _top(finding: Finding) -> str:
    first = finding.actors[0]
    share = f", {percent(first.share)} of the model's traffic" if first.share is not None else ""
    return f"the busiest being {first.name} with {number(first.count)} requests{share}"


def _pace(signal: Signal) -> str:
    """Returns how much the caller asked since onset, and how much would be usual, as far as the evidence says."""
    much = f"{number(signal.count)} requests in {lasting(signal.ts - signal.onset_ts)}"
    usual = signal.evidence.get("usual_per_min")
    if not isinstance(usual, int | float):
        return much
    return f"{much}, where {number(usual * 60)} an hour would be usual"


def _change(finding: Finding) -> str:
    since = clock_time(finding.start)
    return f"The {_quantity(finding)} of {finding.model} changed at about {since}{_from_to(finding)}."


_QUANTITIES: Final = {"latency_ms": "latency", "features": "mix of inputs"}


def _quantity(finding: Finding) -> str:
    """Returns the quantities that moved, in words."""
    names = dict.fromkeys(_QUANTITIES.get(signal.watches, signal.watches.replace("_", " ")) for signal in finding.signals)
    return " and ".join(names)


def _from_to(finding: Finding) -> str:
    """Returns how much it changed, as far as the leading detector's evidence says."""
    lead = finding.lead
    before, after, high, usual = (lead.evidence.get(key) for key in ("mean_before", "mean_after", "share_high", "share_usual"))
    if isinstance(before, int | float) and isinstance(after, int | float):
        return f", from {_amount(lead.watches, before)} to {_amount(lead.watches, after)} on average"
    if isinstance(before, int | float):
        return f", {lead.evidence.get('direction', 'away')} from {_amount(lead.watches, before)} on average"
    if isinstance(high, int | float) and isinstance(usual, int | float):
        return f": {percent(high)} of the requests look strange, where {percent(usual)} would be usual"
    return ""


def _amount(watches: str, value: float) -> str:
    if watches == "latency_ms":
        return f"{number(value)} ms"
    return percent(value) if watches == "error rate" else number(value)


def _blind(finding: Finding) -> str:
    evidence = finding.lead.evidence
    if "lost" in evidence:
        lost = evidence["lost"]
        many = number(lost) if isinstance(lost, int | float) else lost
        return (
            f"Tocsin never saw {many} records of topic {finding.subject}, partition {evidence.get('partition')}: Kafka had "
            "deleted them before they were read."
        )
    if not finding.model:
        return f"Tocsin's {finding.subject} reports: {evidence.get('error')}."
    return (
        f"Detector {finding.lead.detector} no longer watches {finding.model}: it failed and is switched off there, while the "
        "others go on."
    )


_SENTENCES: Final[dict[Kind, Callable[[Finding], str]]] = {
    Kind.PROBING: _probing,
    Kind.DRIFT: _change,
    Kind.FAULT: _change,
    Kind.BLIND: _blind,
}


def how_it_is_known(finding: Finding) -> str:
    """Returns the sentence for a data scientist: detector, claim, statistic, evidence."""
    lead = finding.lead
    facts = ", ".join(f"{key} {_fact(value)}" for key, value in sorted(lead.evidence.items()))
    if finding.kind is Kind.BLIND:
        return f"For data scientists: no statistic but a fact about {lead.watches}: {facts}."
    also = ", ".join(f"{signal.detector} on {signal.watches}" for signal in finding.signals[1:])
    return (
        f"For data scientists: {lead.detector} v{lead.version} on {lead.watches} (reference: {lead.reference}; "
        f"{false_alerts(lead)}) reached {number(lead.statistic)}"
        + (f" against {number(lead.threshold)}" if lead.threshold else "")
        + f" over {number(lead.count)} events, onset {moment(lead.onset_ts):%Y-%m-%dT%H:%M:%SZ}"
        + (f": {facts}" if facts else "")
        + (f"; {also} fired as well." if also else ".")
    )


def _fact(value: float | int | str) -> str:
    return value if isinstance(value, str) else number(value)


def false_alerts(signal: Signal) -> str:
    """Returns how often a detector is wrong, and how well that is known."""
    rate = signal.false_alerts_per_month
    if signal.claim == "advisory" or rate is None:
        return "advisory: its false alerts have not been measured"
    if rate == 0:
        return "a fact, not a statistic"
    known = "bound: at most" if signal.claim == "bound" else "calibrated on simulated traffic: about"
    return f"{known} {number(rate)} false alerts of this kind a month"


def proposed(finding: Finding) -> str:
    """Returns a sentence on what is proposed, or what to do when nothing is."""
    if finding.proposal is not None:
        names = [target.caller for target in finding.proposal.targets[:3]]
        more = len(finding.proposal.targets) - len(names)
        whom = ", ".join(names) + (f" and {number(more)} more" if more else "")
        return (
            f"Proposed, not yet approved: {finding.proposal.action} {whom} for {lasting(finding.proposal.ttl_s * 1_000)} "
            f"(proposal {finding.proposal.id})."
        )
    if not finding.proposal_id or finding.activity == "close":
        return ""
    verb = "stands until" if finding.time < finding.proposal_expires else "expired at"
    return f"Proposal {finding.proposal_id} {verb} {clock_time(finding.proposal_expires)}."

"""Probing story: what one caller, many, or nobody in particular asked of a model, one plain sentence each. No statistics.

Which sentence is told depends on the pattern (`pattern.py`), and its numbers on what the leading detector's evidence says: a
number that is not there is not told.
"""

from __future__ import annotations

from typing import Final

from alerts.finding import Actor, Finding
from alerts.pattern import fact, fired
from alerts.words import clock_time, lasting, number, percent
from tocsin.signal import Signal

ID_WORDS: Final[dict[str, str]] = {
    "api_key_hash": "API key",
    "user": "User",
    "service": "Service",
    "ip": "IP address",
    "unknown": "Caller",
}
"""What to call a caller, by what it was counted by."""

SEARCHES: Final[dict[str, str]] = {
    "label flip": "is searching for where {model} changes its answer, going back and forth across it",
    "margin": "is searching for where {model} changes its answer, asking where it is least sure",
    "envelope": "is trying {model} with inputs such as nobody sent before",
    "sweep": "is searching for where {model} changes its answer, asking near it far more often than anybody used to",
}
"""What one caller is doing, by the signal that fired."""
SEARCH: Final = "is searching for where {model} changes its answer"

TOGETHER: Final[dict[str, str]] = {
    "crowded cells": "ask {model} nearly the same unusual questions",
    "low margin": "ask {model} nearly the same questions where it is least sure",
}
"""What many callers are doing, by the signal that fired."""


def caller_name(actor: Actor) -> str:
    """Returns e.g. `API key 9f2c…`, `User hmac:…`."""
    return f"{ID_WORDS.get(actor.id_kind, 'Caller')} {actor.name}"


def fast(finding: Finding) -> str:
    """Returns the sentence about a caller, or many, who ask too much: also that of whatever has none of its own."""
    past = finding.activity == "close"
    if finding.is_group:
        verb = "were" if past else "are"
        return (
            f"Besides the callers reported one by one, {number(finding.actors_total)} more {verb} probing {finding.model} at "
            f"the same time since {clock_time(finding.start)}, {_top(finding)}."
        )
    verb = "was" if past else "is"
    return f"{caller_name(finding.actors[0])} {verb} probing {finding.model}: {_pace(finding.lead)}."


def search(finding: Finding) -> str:
    """Returns the sentence about one caller that searches the decision boundary, by the signal that fired."""
    return _of_caller(finding, SEARCHES.get(fired(finding.lead), SEARCH), _learned(finding.lead))


def variations(finding: Finding) -> str:
    """Returns the sentence about one caller whose questions hardly differ: an attacker's, and a sensor's."""
    return _of_caller(finding, "is asking {model} one question again and again with small changes", "")


def members(finding: Finding) -> str:
    """Returns the sentence about one caller whose questions are training rows."""
    hits, usual = fact(finding.lead, "hit_share"), fact(finding.lead, "golden_hit_share")
    much = f", {percent(hits)} of them rows of its training data" if hits is not None else ""
    much += f" where {percent(usual)} would be usual" if much and usual is not None else ""
    return _of_caller(finding, "is asking {model} about rows that it was trained on", much)


def _of_caller(finding: Finding, doing: str, more: str) -> str:
    """Returns who does what, how often and for how long."""
    if finding.is_group or not finding.actors:
        return fast(finding) if finding.is_group else f"Somebody {_tense(doing, finding)}{more}."
    lead = finding.lead
    much = f"{number(lead.count)} requests in {lasting(lead.ts - lead.onset_ts)}"
    return f"{caller_name(finding.actors[0])} {_tense(doing, finding)}: {much}{more}."


def _tense(doing: str, finding: Finding) -> str:
    told = doing.format(model=finding.model)
    return told.replace("is ", "was ", 1) if finding.activity == "close" else told


def spread(finding: Finding) -> str:
    """Returns the sentence about questions that crowd at the decision boundary, and what can be known of it by now."""
    near = fact(finding.lead, "recent_share_in_lowest_golden_quarter")
    much = f": {percent(near)} of its doubtful answers lie as near to it as 25 % used to" if near is not None else ""
    verb, callers = "was" if finding.activity == "close" else "is", fact(finding.lead, "distinct_callers")
    whom = (
        "no caller stands out, so it may be many accounts together"
        if callers is None
        else f"the questions near it come from {_callers(callers)}"
    )
    return (
        f"Somebody {verb} probing where {finding.model} flips its decision since about {clock_time(finding.start)}{much}; "
        f"{whom}{_learned(finding.lead)}."
    )


def _learned(signal: Signal) -> str:
    """Returns where an attacker can have placed the boundary, as far as the evidence says: in the score, and in an input."""
    low, high, bits = (fact(signal, key) for key in ("interval_low", "interval_high", "bits_learned"))
    if low is None or high is None:
        return ""
    much = f" ({number(round(bits, 1))} bits learned)" if bits is not None else ""
    below, above = fact(signal, "feature_low"), fact(signal, "feature_high")
    where = ""
    if below is not None and above is not None:
        where = f", with {signal.evidence.get('feature')} between {below:.4g} and {above:.4g}"
    return f", and whoever asks can know by now that it lies between {low:.4g} and {high:.4g}{where}{much}"


def together(finding: Finding) -> str:
    """Returns the sentence about many callers who search together."""
    lead = finding.lead
    doing = _asks(TOGETHER.get(fired(lead), TOGETHER["crowded cells"]), finding)
    return (
        f"{_who(lead)} together {doing} since about {clock_time(finding.start)}, {number(lead.count)} requests in all; no "
        "single one of them asks much, so it may be one attacker with many accounts."
    )


def template(finding: Finding) -> str:
    """Returns the sentence about a request that many callers share."""
    who, doing = _who(finding.lead), _asks("ask {model} one and the same thing", finding)
    return (
        f"{who} {doing} since about {clock_time(finding.start)}: it looks like a shared template, such as a link or a form "
        "that went round, and need not be an attack."
    )


def newcomers(finding: Finding) -> str:
    """Returns the sentence about new accounts that are more alike than people are."""
    many, even = fact(finding.lead, "newcomers"), fact(finding.lead, "even_newcomers")
    who = f"{number(even)} of {number(many)} new accounts" if many is not None and even is not None else "Many new accounts"
    doing = _asks("ask a little of everything", finding)
    return (
        f"{who} of {finding.model} {doing} since about {clock_time(finding.start)}, where customers keep to their habits: it "
        f"may be one client that copies the model under many names{_quota(finding.lead)}."
    )


def _quota(signal: Signal) -> str:
    """Returns the quota that hardly any customer would notice, as far as the evidence says."""
    asked, hours = fact(signal, "quota_questions"), fact(signal, "quota_hours")
    if asked is None or hours is None:
        return ""
    span = lasting(round(hours * 3_600_000))
    return f"; hardly any customer would notice a quota of {number(asked)} requests in {span} for newcomers"


def _asks(doing: str, finding: Finding) -> str:
    told = doing.format(model=finding.model)
    return told.replace("ask", "asked", 1) if finding.activity == "close" else told


def _who(signal: Signal) -> str:
    """Returns how many callers, to begin a sentence with."""
    many = fact(signal, "distinct_callers")
    return "Many callers" if many is None else _callers(many).capitalize()


def _callers(many: float) -> str:
    return "one caller" if many == 1 else f"{number(many)} callers"


def _top(finding: Finding) -> str:
    first = finding.actors[0]
    share = f", {percent(first.share)} of the model's traffic" if first.share is not None else ""
    return f"the busiest being {first.name} with {number(first.count)} requests{share}"


def _pace(signal: Signal) -> str:
    """Returns how much the caller asked since onset, and how much would be usual, as far as the evidence says."""
    much = f"{number(signal.count)} requests in {lasting(signal.ts - signal.onset_ts)}"
    usual = fact(signal, "usual_per_min")
    return much if usual is None else f"{much}, where {number(usual * 60)} an hour would be usual"

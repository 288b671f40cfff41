"""Story: what happened and to whom, one plain sentence per kind. No statistics.

Read every sentence aloud as the analyst who is woken by it at three in the morning. Texts from outside are escaped by the
format, not here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alerts import probing_story
from alerts.finding import Finding
from alerts.pattern import INPUTS, Pattern, fact, joined_by
from alerts.words import clock_time, listed, number, percent
from tocsin.signal import Kind, Signal

QUANTITIES: Final[dict[str, str]] = {
    "latency_ms": "latency",
    "features": "mix of inputs",
    "label": "mix of answers",
    "margin": "distance of answers from the decision threshold",
    "envelope": "strangeness of inputs",
}
"""What to call a quantity that does not call itself what a person would."""

QUANTILES: Final = (("median", "median"), ("p95", "highest twentieth"), ("p05", "lowest twentieth"))
"""Quantiles in the evidence of detectors with a baseline, and what to call them; the first that moved is told."""


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


def what_happened(finding: Finding) -> str:
    """Returns one plain sentence: what happened, to whom, since when."""
    tell = _PATTERNS.get(finding.pattern, _SENTENCES[finding.kind])
    sentence = tell(finding)
    return f"Closed ({finding.because}): {sentence}" if finding.activity == "close" else sentence


def _change(finding: Finding) -> str:
    names = list(dict.fromkeys(_quantity(signal) for signal in finding.signals))
    whose = f"the {{}} of {names[0]}" if names[1:] else "its {}"
    since = clock_time(finding.start)
    return f"The {listed(names)} of {finding.model} changed at about {since}{_from_to(finding.lead, whose)}."


def _unit(finding: Finding) -> str:
    lead = finding.lead
    before, after = (fact(lead, key) for key in ("golden_median", "recent_median"))
    much = ""
    if before is not None and after is not None and before * after > 0:
        times = max(before / after, after / before)
        much = f", {'up' if abs(after) > abs(before) else 'down'} {number(float(f'{times:.2g}'))} times or more"
    return (
        f"Nearly every value of {_quantity(lead)} of {finding.model} moved at once, for all callers alike, at about "
        f"{clock_time(lead.onset_ts)}{much}: this looks like a fault of a producer, such as a change of unit."
    )


def _gap(finding: Finding) -> str:
    lead = finding.lead
    usual, now = fact(lead, "golden_share"), fact(lead, "recent_share")
    share = f" in {percent(now)} of the requests" if now is not None else ""
    before = f", where {percent(usual)} would be usual" if usual is not None else ""
    return (
        f"Input {lead.watches.removeprefix('missing ')} of {finding.model} is missing{share} since about "
        f"{clock_time(lead.onset_ts)}{before}: this looks like a fault of a producer."
    )


def _push(finding: Finding) -> str:
    lead = finding.lead
    return (
        f"The {_quantity(lead)} of {finding.model} has moved slowly since about {clock_time(lead.onset_ts)}: it differs from "
        "the frozen baseline, but so gradually that detectors which learn along never noticed."
    )


def _apart(finding: Finding) -> str:
    lead = finding.lead
    names = listed([name.removeprefix("=") for name in joined_by(lead)])
    what = lead.evidence.get("relation", f"{names} no longer go together as they used to")
    return (
        f"Of the inputs of {finding.model}, {what}, since about {clock_time(lead.onset_ts)}; none of them has changed as much "
        "by itself."
    )


def _quantity(signal: Signal) -> str:
    if "relation" in signal.evidence:
        return f"relation of {signal.evidence.get('inputs', 'inputs')}"
    if signal.evidence.get("frozen_detector", signal.detector) == INPUTS:
        return f"input {signal.watches.removeprefix('=')}"
    return QUANTITIES.get(signal.watches, signal.watches.replace("_", " "))


def _from_to(lead: Signal, whose: str) -> str:
    """Returns how much it changed, as far as the leading detector's evidence says.

    Args:
        lead: the leading signal.
        whose: with a place for the name of a number: whose number it is.
    """
    before, after, high, usual = (fact(lead, key) for key in ("mean_before", "mean_after", "share_high", "share_usual"))
    if before is not None and after is not None:
        return f", from {_amount(lead.watches, before)} to {_amount(lead.watches, after)} on average"
    if before is not None:
        return f", {lead.evidence.get('direction', 'away')} from {_amount(lead.watches, before)} on average"
    if high is not None and usual is not None:
        return f": {percent(high)} of the requests look strange, where {percent(usual)} would be usual"
    return _from_golden(lead, whose)


def _from_golden(lead: Signal, whose: str) -> str:
    """Returns how much it changed against the baseline."""
    if lead.watches == "envelope":
        usual, now = fact(lead, "golden_share_outside"), fact(lead, "recent_share_outside")
        if usual is None or now is None:
            return ""
        outside = (
            f"{percent(now)} of the requests lie outside of what it was vouched for, where {percent(usual)} would be usual"
        )
        return f": {outside}{_blamed(lead)}"
    usual, now = fact(lead, "golden_share"), fact(lead, "recent_share")
    if usual is not None and now is not None:
        what = lead.evidence.get("gained", "the value that gained most")
        return f": {what} in {percent(now)} of the requests, where {percent(usual)} would be usual"
    for key, words in QUANTILES:
        before, after = fact(lead, f"golden_{key}"), fact(lead, f"recent_{key}")
        if before is not None and after is not None and before != after:
            return f": {whose.format(words)} went from {_amount(lead.watches, before)} to {_amount(lead.watches, after)}"
    return ""


def _blamed(lead: Signal) -> str:
    """Returns the features that put most requests outside, as far as the evidence says."""
    told = str(lead.evidence.get("offending_features", "")).split(", ")
    names = [name for name, _, share in (one.rpartition(" ") for one in told) if name and share[:1].isdigit()]
    return f", most of them for their {listed([name.removeprefix('=') for name in names])}" if names else ""


def _amount(watches: str, value: float) -> str:
    if watches.startswith("latency"):
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
    Kind.PROBING: probing_story.fast,
    Kind.DRIFT: _change,
    Kind.FAULT: _change,
    Kind.BLIND: _blind,
}
_PATTERNS: Final[dict[Pattern, Callable[[Finding], str]]] = {
    Pattern.SEARCH: probing_story.search,
    Pattern.VARIATIONS: probing_story.variations,
    Pattern.MEMBERS: probing_story.members,
    Pattern.TOGETHER: probing_story.together,
    Pattern.SPREAD: probing_story.spread,
    Pattern.NEWCOMERS: probing_story.newcomers,
    Pattern.TEMPLATE: probing_story.template,
    Pattern.UNIT: _unit,
    Pattern.GAP: _gap,
    Pattern.PUSH: _push,
    Pattern.APART: _apart,
}
"""Sentences that say more than the kind's, where the evidence looks like something."""

"""Odds: how often a finding is wrong when nothing is. Said before anything else, for it decides how the rest is read."""

from __future__ import annotations

from typing import Final

from alerts.words import a_month
from tocsin.signal import Claim, Signal

KNOWN: Final[dict[tuple[Claim, bool], str]] = {
    ("bound", False): "at most {odds} if nothing is wrong (a proved bound)",
    ("bound", True): "at most {odds} if nothing is wrong (bound; replayed over its golden traffic)",
    ("calibrated", False): "about {odds} if nothing is wrong (measured on simulated traffic)",
    ("calibrated", True): "about {odds} if nothing is wrong (measured on its golden traffic)",
}
"""By claim, and by whether the reference is a frozen baseline, which has passed the replay gate."""


def false_alerts(signal: Signal) -> str:
    """Returns one sentence: the false alerts to expect of this detector and model, and how well that is known."""
    rate = signal.false_alerts_per_month
    if rate == 0 and signal.claim == "bound":
        return "Expected false alerts: none, for this is a fact and not a statistic."
    frozen = signal.reference == "frozen"
    whose = _whose(signal)
    if signal.claim == "advisory" or not rate:
        return f"Expected false alerts of {whose}: not known, {_advisory(signal)}."
    if signal.ladder != "armed":
        return (
            f"Expected false alerts of {whose}: about {a_month(rate)} if nothing is wrong, but this only informs: the baseline "
            f"is provisional until `tocsin baseline promote {signal.model}` arms it."
        )
    return f"Expected false alerts of {whose}: {KNOWN[signal.claim, frozen].format(odds=a_month(rate))}."


def _whose(signal: Signal) -> str:
    """Returns what the number is about: a detector on a model; all callers of it share one number where it names one."""
    if signal.caller is None:
        return f"{signal.detector} on {signal.model}"
    if signal.reference == "frozen":
        return f"{signal.detector} on {signal.model}, all callers of this model together"
    return signal.detector


def _advisory(signal: Signal) -> str:
    if signal.ladder != "armed":
        return (
            "so this only informs: the baseline is provisional and has not passed the replay gate for this detector "
            f"(`tocsin baseline show {signal.model}` tells why; `tocsin baseline promote {signal.model}` arms what passes)"
        )
    if signal.reference == "moving":
        return "for what it compares with moves along with the traffic (advisory)"
    return "for nobody has measured them (advisory)"

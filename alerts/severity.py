"""Severity: how urgent, from what was seen and from how well it is known. One table per question.

A detector whose false alarms nobody has measured, or whose reference moves with what it watches, cannot wake anybody: what
an attacker can feed, an attacker can train (DESIGN §7). So claim and reference are ceilings, evidence is what raises.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Final

from tocsin.signal import Kind, Signal


class Severity(IntEnum):
    """As OCSF `severity_id`."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


USUAL: Final[dict[Kind, Severity]] = {
    Kind.PROBING: Severity.MEDIUM,
    Kind.DRIFT: Severity.LOW,
    Kind.FAULT: Severity.MEDIUM,
    Kind.BLIND: Severity.LOW,
}
"""Of one signal with nothing that raises or lowers it."""

MANY_EVENTS: Final = 1_000
"""So many events of one caller since onset can map a decision threshold in earnest."""
LARGE_SHARE: Final = 0.25
"""So much of a model's traffic by one caller harms everyone else."""
MANY_TIMES: Final = 20.0
"""So many times its usual rate is no busy day."""


def severity_of(signal: Signal) -> Severity:
    """Returns the severity of one signal by itself."""
    if signal.reference == "moving" or signal.claim == "advisory":
        return Severity.LOW
    if signal.kind is Kind.PROBING and _is_strong(signal):
        return Severity.HIGH
    if signal.kind is Kind.BLIND and "lost" in signal.evidence:
        return Severity.MEDIUM
    return USUAL[signal.kind]


def _is_strong(signal: Signal) -> bool:
    much = signal.count >= MANY_EVENTS or (signal.share or 0.0) >= LARGE_SHARE
    return much and rate_ratio(signal) >= MANY_TIMES


def rate_ratio(signal: Signal) -> float:
    """Returns how many times its usual rate a caller asks, by the signal's evidence; 0 when that does not say."""
    now, before = signal.evidence.get("rate_per_hour"), signal.evidence.get("usual_per_hour")
    if not isinstance(now, float | int) or not isinstance(before, float | int) or before <= 0:
        return 0.0
    return now / before


def severity_together(signals: Collection[Signal], *, is_crowd: bool) -> Severity:
    """Returns the severity of all signals of one incident.

    Independent detectors with frozen references that agree raise it by one step, and so do many callers at once. Moving
    detectors that agree stay low: they share the weakness that one attacker can use.

    Args:
        signals: the latest of each detector, at least one.
        is_crowd: whether it stands for many callers at once.
    """
    highest = max(severity_of(signal) for signal in signals)
    if highest <= Severity.LOW:
        return highest
    sound = {signal.detector for signal in signals if severity_of(signal) > Severity.LOW}
    raised = highest + (len(sound) > 1) + is_crowd
    return Severity(min(raised, Severity.CRITICAL if is_crowd else Severity.HIGH))

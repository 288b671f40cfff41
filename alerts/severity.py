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

MANY_EVENTS: Final = 300
"""So many answers to one caller since onset are enough to place a decision threshold."""
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
    """Returns whether a caller asks both much and far more than usual, by the evidence `probe_rate` gives."""
    much = signal.count >= MANY_EVENTS or (signal.share or 0.0) >= LARGE_SHARE
    times = signal.evidence.get("times_usual")
    return much and isinstance(times, int | float) and times >= MANY_TIMES


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

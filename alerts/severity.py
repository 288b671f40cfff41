"""Severity: how urgent, from what was seen and from how well it is known. One table per question.

A detector whose false alarms nobody has measured, or whose reference moves with what it watches, cannot wake anybody: what
an attacker can feed, an attacker can train (DESIGN §7). A baseline that nobody has vouched for informs and no more. So
ladder, claim and reference are ceilings, evidence is what raises.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Final, NamedTuple

from alerts.pattern import COLLUSION, MEMBERSHIP, SHARED_TEMPLATE, fired
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
    Kind.DRIFT: Severity.MEDIUM,
    Kind.FAULT: Severity.MEDIUM,
    Kind.BLIND: Severity.LOW,
}
"""Of one sound signal with nothing that raises or lowers it."""

CAPS: Final[dict[tuple[str, str], Severity]] = {
    (MEMBERSHIP, ""): Severity.LOW,
    (COLLUSION, SHARED_TEMPLATE): Severity.MEDIUM,
}
"""(detector, signal of its evidence) → the most that it is worth by itself, however sound, strong and lasting.

That a caller asks about training rows is a weak hint, for their owners do; it counts once another detector names the same
caller. A record that goes round is worth a look and no alarm at night, even if it goes on for days.
"""

MANY_EVENTS: Final = 300
"""So many answers to one caller since onset are enough to place a decision threshold."""
LARGE_SHARE: Final = 0.25
"""So much of a model's traffic by one caller harms everyone else."""
MANY_TIMES: Final = 20.0
"""So many times its usual rate is no busy day."""

HOUR_MS: Final = 3_600_000


class Rise(NamedTuple):
    """One row of `RISES`.

    Attributes:
        kind: of the incident; it is about the model, not about a caller.
        times: at least so many times the threshold, in one signal.
        lasting_ms: and signals go on for at least so long after the first.
        severity: what it then is.
    """

    kind: Kind
    times: float
    lasting_ms: int
    severity: Severity


RISES: Final[tuple[Rise, ...]] = (
    Rise(Kind.DRIFT, 1_000.0, 6 * HOUR_MS, Severity.HIGH),
    Rise(Kind.DRIFT, 1.0, 24 * HOUR_MS, Severity.HIGH),
    Rise(Kind.PROBING, 1.0, HOUR_MS, Severity.HIGH),
)
"""When what happens to a whole model is more than usual.

A statistic k times its threshold is expected by chance once in k of the intervals that the alert budget allows: 1,000 at one
a month is once in eighty years. That says it is true, not that it matters. Drift matters when a model keeps answering about
inputs it was not made for: a glitch or a promotion is over in a shift; strong evidence for longer, or any evidence for a
day, each alarm paid for anew, is urgent. Probing is urgent as soon as it is not one odd hour: answers learned stay learned.
"""


def is_sound(signal: Signal) -> bool:
    """Returns whether a signal may wake people: armed, of known false alarms, against what does not move with the traffic."""
    return signal.ladder == "armed" and signal.claim != "advisory" and signal.reference != "moving"


def severity_of(signal: Signal) -> Severity:
    """Returns the severity of one signal by itself."""
    if signal.ladder != "armed":
        return Severity.INFORMATIONAL
    if not is_sound(signal):
        return Severity.LOW
    if cap := cap_of(signal):
        return min(cap, USUAL[signal.kind])
    if signal.kind is Kind.PROBING and _is_strong(signal):
        return Severity.HIGH
    if signal.kind is Kind.BLIND and "lost" in signal.evidence:
        return Severity.MEDIUM
    return USUAL[signal.kind]


def cap_of(signal: Signal) -> Severity | None:
    """Returns the most that a signal is worth by itself, or None when nothing caps it."""
    return CAPS.get((signal.detector, fired(signal)), CAPS.get((signal.detector, "")))


def strength(signal: Signal) -> float:
    """Returns how many times its threshold a signal reached, ≥ 0; 0 when it has none."""
    return signal.statistic / signal.threshold if signal.threshold > 0 else 0.0


def _is_strong(signal: Signal) -> bool:
    """Returns whether a caller asks both much and far more than usual, by the evidence `probe_rate` gives."""
    much = signal.count >= MANY_EVENTS or (signal.share or 0.0) >= LARGE_SHARE
    times = signal.evidence.get("times_usual")
    return much and isinstance(times, int | float) and times >= MANY_TIMES


def severity_together(signals: Collection[Signal], *, is_crowd: bool, since: int) -> Severity:
    """Returns the severity of all signals of one incident.

    Sound detectors that agree about a caller or a fault raise it by one step, and so do many callers at once. Detectors of
    what happens to a whole model look at the same rows from several sides, so there agreement proves little: strength and
    duration raise it. Moving detectors that agree stay low: they share the weakness that one attacker can use.

    Args:
        signals: the latest of each detector, at least one.
        is_crowd: whether it stands for many callers at once.
        since: when its first sound signal crossed, event time, Unix milliseconds.
    """
    highest = max(severity_of(signal) for signal in signals)
    sound = [signal for signal in signals if is_sound(signal)]
    if highest <= Severity.LOW or not sound:
        return highest
    rises = [rise for rise in RISES if rise.kind is sound[0].kind and sound[0].caller is None]
    if rises:
        return max([highest, *_risen([signal for signal in sound if not cap_of(signal)], rises, since)])
    agreeing = {signal.detector for signal in sound if severity_of(signal) > Severity.LOW or cap_of(signal)}
    raised = highest + (len(agreeing) > 1) + is_crowd
    return Severity(min(raised, Severity.CRITICAL if is_crowd else Severity.HIGH))


def _risen(signals: Collection[Signal], rises: Collection[Rise], since: int) -> list[Severity]:
    """Returns what these signals of a model are raised to by their strength and by how long they have gone on."""
    times = max(map(strength, signals), default=0.0)
    lasting_ms = max((signal.ts for signal in signals), default=since) - since
    return [rise.severity for rise in rises if times >= rise.times and lasting_ms >= rise.lasting_ms]

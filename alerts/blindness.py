"""Blindness: what Tocsin itself cannot see is a signal like any other, so that it reaches the same people the same way.

These are facts, not statistics: they claim a bound of no false alerts at all.
"""

from __future__ import annotations

from tocsin.event import Coordinates, Source
from tocsin.reading import Evidence, Fault, Loss
from tocsin.signal import Kind, Signal

VERSION = 1


def signal_of_fault(fault: Fault) -> Signal:
    """Returns the signal that a detector is disabled, or a raw partition stands still."""
    evidence: Evidence = {"error": fault.error, "where": fault.where}
    return _signal(fault.uid, fault.detector, fault.model, fault.detector, fault.ts, 1, evidence, _coordinates(fault.where))


def signal_of_loss(loss: Loss) -> Signal:
    """Returns the signal that raw records were gone before intake read them."""
    lost = loss.last - loss.first + 1
    evidence: Evidence = {"first": loss.first, "last": loss.last, "lost": lost, "partition": loss.partition}
    at = Coordinates(Source(loss.topic, loss.topic, loss.partition), loss.first, 0)
    return _signal(loss.uid, "intake", "", loss.topic, loss.ts, lost, evidence, at)


def _signal(
    uid: str, detector: str, model: str, watches: str, ts: int, count: int, evidence: Evidence, at: Coordinates
) -> Signal:
    return Signal(
        uid=uid,
        kind=Kind.BLIND,
        detector=detector,
        version=VERSION,
        reference="frozen",
        claim="bound",
        false_alerts_per_month=0.0,
        techniques=(),
        model=model,
        watches=watches,
        caller=None,
        ts=ts,
        onset_ts=ts,
        statistic=float(count),
        threshold=1.0,
        count=count,
        share=None,
        evidence=evidence,
        at=at,
    )


def _coordinates(where: str) -> Coordinates:
    """Returns `topic-partition@offset` as coordinates; words that are no such place become a topic's name."""
    place, _, offset = where.rpartition("@")
    topic, _, partition = place.rpartition("-")
    if not (topic and partition.isdecimal() and offset.isdecimal()):
        return Coordinates(Source(where, where, 0), 0, 0)
    return Coordinates(Source(topic, topic, int(partition)), int(offset), 0)

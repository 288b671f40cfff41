"""Signals: what crossed its threshold, and the record that carries it to triage."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from tocsin.clock import Clock
from tocsin.event import Caller, Coordinates
from tocsin.reading import Evidence, Fault, Ladder, Loss, Order


class Kind(StrEnum):
    """What kind of thing happened; an incident has exactly one."""

    PROBING = "probing"
    """A caller asks far more than it, or anyone, used to."""
    DRIFT = "drift"
    """A quantity of the model's traffic moved."""
    FAULT = "fault"
    """Latency or errors: the service itself is unwell."""
    BLIND = "blind"
    """Telemetry was lost or a detector is disabled: what we cannot see."""


Claim = Literal["bound", "calibrated", "advisory"]
"""How a detector's false alarms are known: proved, measured on calm traffic, or not at all."""


class Signal(msgspec.Struct, frozen=True, array_like=True):
    """One crossing, with all that a finding needs to say about it.

    Attributes:
        uid: derived from detector, version, entity and the coordinates that triggered.
        kind: what happened.
        detector: id in `models.registry.DETECTORS`.
        version: of that detector.
        reference: `frozen`, `moving` or `own past`: what it compared with.
        claim: how its false alarms are known.
        false_alerts_per_month: expected for this kind and model if nothing is wrong; None when unknown.
        techniques: ATLAS ids.
        model: `namespace/name@version`.
        watches: the quantity read.
        caller: who, or None.
        ts: when it crossed, event time, Unix milliseconds.
        onset_ts: when it began.
        statistic: the number.
        threshold: what it crossed.
        count: events by this caller, or of this model, since onset.
        share: of the model's traffic since onset, in [0, 1]; None when it is not about a caller.
        evidence: what else was seen.
        at: the row that triggered.
        examples: rows to look at.
        ladder: of the baseline it was judged by; `armed` for what needs none. A provisional one only informs.
    """

    uid: str
    kind: Kind
    detector: str
    version: int
    reference: str
    claim: Claim
    false_alerts_per_month: float | None
    techniques: tuple[str, ...]
    model: str
    watches: str
    caller: Caller | None
    ts: int
    onset_ts: int
    statistic: float
    threshold: float
    count: int
    share: float | None
    evidence: Evidence
    at: Coordinates
    examples: tuple[Coordinates, ...] = ()
    ladder: Ladder = "armed"


class Signals(msgspec.Struct, frozen=True, array_like=True):
    """The body of one record of `tocsin.signals.v1`."""

    clock: Clock
    signals: tuple[Signal, ...] = ()
    orders: tuple[Order, ...] = ()
    faults: tuple[Fault, ...] = ()
    losses: tuple[Loss, ...] = ()

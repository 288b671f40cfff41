"""Readings: what sense measured on one frame, and the record that carries them to judge."""

from __future__ import annotations

from typing import Literal

import msgspec

from tocsin.clock import Clock
from tocsin.event import Caller, Coordinates

Ladder = Literal["learning", "provisional", "armed"]
"""Where a model stands: no baseline yet; one that built itself; one that somebody, or the operator's policy, vouched for."""

Evidence = dict[str, float | int | str]
"""Named numbers and words a person can check; never raw rows."""


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """One detector's measurement that is worth judging.

    Attributes:
        detector: id in `models.registry.DETECTORS`.
        version: of that detector.
        model: `namespace/name@version`.
        watches: the column or quantity read, e.g. `caller rate`, `confidence`, `latency_ms`, `features`.
        caller: who it is about, None when it is about the model.
        at: the row that made the statistic cross.
        ts: that row's time, Unix milliseconds.
        onset_ts: when the change began by the detector's estimate, Unix milliseconds.
        statistic: the detector's number at that row.
        threshold: what it crossed.
        count: events the statistic rests on.
        evidence: what else it saw.
        examples: a few rows to look at.
    """

    detector: str
    version: int
    model: str
    watches: str
    caller: Caller | None
    at: Coordinates
    ts: int
    onset_ts: int
    statistic: float
    threshold: float
    count: int
    evidence: Evidence
    examples: tuple[Coordinates, ...] = ()


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """Traffic of one model in one frame; sums over frames.

    Attributes:
        model: `namespace/name@version`.
        rows: fresh rows.
        skewed: rows whose claimed time was not believed.
        first_ts: earliest event time, Unix milliseconds.
        last_ts: latest event time, Unix milliseconds.
    """

    model: str
    rows: int
    skewed: int
    first_ts: int
    last_ts: int


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """Some rows of one model, counted over the cells of its baseline; sums over frames of one epoch and bucket.

    Attributes:
        model: `namespace/name@version`.
        baseline: content hash of the baseline whose cells these are.
        epoch: append time of the promotion that put it in force, Unix milliseconds; counts of an older epoch are not folded.
        ladder: `provisional` or `armed`.
        bucket: season bucket of all these rows.
        rows: how many.
        first_ts: earliest event time, Unix milliseconds.
        last_ts: latest event time.
        at: the last row.
        cells: uint16, rising: quantity * 64 + cell, of every cell that is not empty.
        weights: float32, one per entry of `cells`: discounted number of rows in it.
    """

    model: str
    baseline: str
    epoch: int
    ladder: Ladder
    bucket: int
    rows: int
    first_ts: int
    last_ts: int
    at: Coordinates
    cells: bytes
    weights: bytes


class Reports(msgspec.Struct, frozen=True, array_like=True):
    """What a detector's scout in sense tells the detector, in judge, about some rows of one model.

    Attributes:
        detector: id in `models.registry.DETECTORS`.
        version: of that detector, which fixes how `body` is laid out.
        model: `namespace/name@version`.
        baseline: content hash of the baseline that the scout compares with.
        epoch: of its promotion, see `Counts.epoch`.
        ladder: `provisional` or `armed`.
        rows: of the model that the scout looked at since its last reports, these included.
        first_ts: earliest event time of the rows reported on, Unix milliseconds.
        last_ts: latest.
        at: the last row looked at.
        callers: who the reports are about; `body` refers to them by place.
        body: the scout's own bytes.
    """

    detector: str
    version: int
    model: str
    baseline: str
    epoch: int
    ladder: Ladder
    rows: int
    first_ts: int
    last_ts: int
    at: Coordinates
    callers: tuple[Caller, ...]
    body: bytes


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """A detector that raised and is disabled for one model; the rest goes on.

    Attributes:
        uid: derived.
        detector: id.
        model: `namespace/name@version`.
        where: `topic-partition@offset` of the record it raised on.
        ts: ledger time, Unix milliseconds.
        error: type and message, at most 200 characters.
    """

    uid: str
    detector: str
    model: str
    where: str
    ts: int
    error: str


class Loss(msgspec.Struct, frozen=True, array_like=True):
    """Telemetry that nobody saw: retention took raw records before intake read them."""

    uid: str
    topic: str
    partition: int
    first: int
    last: int
    ts: int


class Order(msgspec.Struct, frozen=True, array_like=True):
    """A control event on its way to the folds behind sense; `uid` makes it apply once.

    Attributes:
        uid: derived from its place in the control topic.
        ts: append time, Unix milliseconds.
        kind: see `tocsin.control`.
        body: JSON.
    """

    uid: str
    ts: int
    kind: str
    body: bytes


class Readings(msgspec.Struct, frozen=True, array_like=True):
    """The body of one record of `tocsin.readings.v1`: all that one frame says to one group of models.

    `shard` tells whose clock it is: judge is as complete as its slowest shard.
    """

    shard: int
    clock: Clock
    readings: tuple[Reading, ...] = ()
    tallies: tuple[Tally, ...] = ()
    orders: tuple[Order, ...] = ()
    faults: tuple[Fault, ...] = ()
    losses: tuple[Loss, ...] = ()
    counts: tuple[Counts, ...] = ()
    reports: tuple[Reports, ...] = ()

"""Detector: what every file in this folder provides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from tocsin.clock import Clock
from tocsin.event import Caller
from tocsin.reading import Counts, Reading, Reports
from tocsin.rows import Rows
from tocsin.signal import Claim, Kind


class Detector(Protocol):
    """Watches rows. Deterministic, clockless, bounded; scores before it learns.

    What it returns depends on the rows and their order only, never on how they were cut into frames. Values may be missing
    (NaN) and are then skipped; infinity never occurs. It never mutates its input.
    """

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns what is worth judging in these rows, in row order, after learning from them."""
        ...

    def tick(self, clock: Clock) -> None:
        """Takes note of ledger time; called once per frame that moved it, after the frame's rows."""
        ...

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        ...

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` of the same version returned.

        Raises:
            StateError: it is not such a state, or another River wrote it; the detector then stays as built, cold.
        """
        ...


@runtime_checkable
class BlocksDetector(Protocol):
    """A detector of a whole shard to which all blocks of a frame are one piece of work; see `Detector` for the rest."""

    def observe_blocks(self, blocks: Sequence[Rows], clock: Clock) -> list[Reading]:
        """Returns what `Detector.observe` would of one block after the other, and is left as by it."""
        ...


@runtime_checkable
class CountsDetector(Protocol):
    """Watches counts over the cells of a baseline, in judge. Deterministic, clockless, bounded."""

    def weigh(self, counts: Counts, matrix: NDArray[np.float64], seconds: float) -> list[Reading]:
        """Returns what is worth judging after these counts.

        Args:
            counts: where and when.
            matrix: their weights, (quantities, CELLS), in the order of the baseline's quantities.
            seconds: what the alert budget earned: advance of ledger time up to the model's previous counts, so that it is
                fixed before these values are seen; 0 at first, at most 3,600.
        """
        ...

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        ...

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` of the same version and baseline returned.

        Raises:
            StateError: it is not such a state; the detector then stays as built, cold.
        """
        ...


@runtime_checkable
class ReportsDetector(Protocol):
    """Watches, in judge, what its scouts in sense report. Deterministic, clockless, bounded; it may weigh counts as well."""

    def receive(self, reports: Reports, seconds: float) -> list[Reading]:
        """Returns what is worth judging after these reports of one shard's scout.

        Args:
            reports: what, where and when.
            seconds: what the alert budget earned: advance of ledger time up to this detector's previous reports on the model;
                0 at first, at most 3,600.
        """
        ...

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        ...

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` of the same version and baseline returned.

        Raises:
            StateError: it is not such a state; the detector then stays as built, cold.
        """
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What a scout tells its detector of some rows.

    Attributes:
        callers: who it is about.
        body: the rest, in bytes only that detector understands.
    """

    callers: tuple[Caller, ...]
    body: bytes


class Scout(Protocol):
    """Looks at one model's rows in one shard, in sense, for a detector in judge. Deterministic, clockless, bounded.

    What it reports depends on the rows and their order only, never on how they were cut into frames.
    """

    def look(self, rows: Rows) -> Report | None:
        """Returns what its detector should know of these rows, None for nothing; rows are of its model, in ledger order."""
        ...

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        ...

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` of the same version and baseline returned.

        Raises:
            StateError: it is not such a state; the scout then stays as built, cold.
        """
        ...


@runtime_checkable
class ReadingsDetector(Protocol):
    """Watches what other detectors say about one model, in judge. Deterministic, clockless, bounded."""

    def hear(self, readings: Sequence[Reading], clock: Clock) -> list[Reading]:
        """Returns what is worth judging after these readings of the model, sense's first, then judge's.

        Called once per record that tells judge anything about the model, be it only that it had traffic.

        Args:
            readings: what was said, in order; often nothing.
            clock: judge's.
        """
        ...

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        ...

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` of the same version returned.

        Raises:
            StateError: it is not such a state; the detector then stays as built, cold.
        """
        ...


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a detector sits, known when it is built.

    Attributes:
        shard: this shard's number.
        shards: how many there are; all of them share one alert budget.
        model: `namespace/name@version`, or "" for a detector that watches a whole shard.
        alerts_per_month: the share of the budget this detector may spend, over all shards together, on this model; for a
            shard's detector on each model, or, if it needs no baseline, on the fleet.
        baseline: the model's, for a detector that needs one.
        baselines: model → its armed baseline, as they are in force at any time, for a detector that watches a whole shard. A
            view: it changes with promotions.
    """

    shard: int = 0
    shards: int = 1
    model: str = ""
    alerts_per_month: float = 1.0
    baseline: Baseline | None = None
    baselines: Mapping[str, Baseline] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of `DETECTORS`.

    Attributes:
        build: makes one, cold: a `Detector` for sense, a `CountsDetector`, `ReportsDetector` or `ReadingsDetector` for judge.
            One that compares with a `frozen` reference is built when the model's baseline comes into force, and anew with the
            next.
        version: of its statistics and state layout; part of every id derived from it.
        stage: which fold runs it.
        scope: one per `model` and shard, or one per `shard` for all models.
        sees: one line for people.
        needs: columns it reads: `caller`, `confidence`, `latency_ms`, `status`, `features`.
        kind: of the signals it leads to.
        reference: what it compares with: `frozen` baseline, `moving` with the stream, or the caller's `own past`.
        claim: how its false alarms are known.
        techniques: MITRE ATLAS ids.
        share: of the alert budget; an advisory one is merely set by it: nobody is promised how often it errs.
        kinds: quantity a reading `watches` → kind of its signals, where that is not `kind`.
        scout: makes the half of it that looks at rows, cold, for a `ReportsDetector` of one model; None when there is none.
    """

    build: Callable[[Seat], Any]
    version: int
    stage: Literal["sense", "judge"]
    scope: Literal["model", "shard"]
    sees: str
    needs: frozenset[str]
    kind: Kind
    reference: Literal["frozen", "moving", "own past"]
    claim: Claim
    techniques: tuple[str, ...]
    share: float
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    scout: Callable[[Seat], Scout] | None = None

    def kind_of(self, watches: str) -> Kind:
        """Returns the kind of signal that a reading of this quantity leads to."""
        return self.kinds.get(watches, self.kind)

    def alerts_per_month(self, per_model: float, fleet: float) -> float:
        """Returns its share of the alert budget: of one model's, or of the fleet's when no baseline tells models apart."""
        return self.share * (fleet if self.scope == "shard" and self.reference != "frozen" else per_model)

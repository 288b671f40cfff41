"""Counting: one shard's censuses of the models that have a baseline, and the counts that judge has not been told yet.

Counts are summed over frames per model, epoch and season bucket until there is a tick, a reading, or enough of them: weighing
a dozen rows costs judge as much as weighing thousands. A census that raises is disabled for its model until the next
baseline, as a detector is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS
from models.census import Census, Counted
from streams.faults import fault_of
from streams.promotions import Promotion, Promotions
from streams.tallies import HELD_ROWS
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.event import Coordinates
from tocsin.reading import Counts, Fault
from tocsin.rows import Rows
from tocsin.state import Section, Sections

CENSUS: Final = "census"
"""What a disabled census is called on health, as if it were a detector; also its section."""

HELD: Final = "counts"
VERSION: Final = 1


@dataclass(slots=True)
class Sum:
    """Counts in the making.

    Attributes:
        promotion: under which they were counted.
        rows: see `Counts`, as everything down to `at`.
        weights: float64 (quantities, CELLS).
    """

    promotion: Promotion
    rows: int
    first_ts: int
    last_ts: int
    at: Coordinates
    weights: NDArray[np.float64]


Key = tuple[str, int, int]
"""(model, epoch, bucket)."""


@dataclass(slots=True)
class Counting:
    """One shard's counts.

    Attributes:
        shards: over how many the traffic is spread.
        promotions: what is in force.
        censuses: model → its census.
        disabled: model → what its census raised.
        sums: what judge has not been told.
    """

    shards: int
    promotions: Promotions
    censuses: dict[str, Census] = field(default_factory=dict)
    disabled: dict[str, str] = field(default_factory=dict)
    sums: dict[Key, Sum] = field(default_factory=dict)

    def renew(self, model: str, clock: Clock, where: str) -> list[Fault]:
        """Begins a census against the baseline that is now in force, or ends it with none; returns its fault if any."""
        self.disabled.pop(model, None)
        self.censuses.pop(model, None)
        reference = self.promotions.references.get(model)
        if reference is not None:
            try:
                self.censuses[model] = Census(reference, self.shards)
            except Exception as error:
                return [self._disable(model, error, clock, where)]
        return []

    def count(self, rows: Rows, clock: Clock, where: str) -> list[Fault]:
        """Counts the rows if their model has a baseline; returns its census's fault if it has one now."""
        census = self.censuses.get(rows.model)
        if census is None:
            return []
        try:
            for counted in census.count(rows):
                self._add(rows, counted)
        except Exception as error:
            return [self._disable(rows.model, error, clock, where)]
        return []

    def _add(self, rows: Rows, counted: Counted) -> None:
        promotion, at = self.promotions.standing[rows.model], rows.coordinates(counted.last_row)
        key = (rows.model, promotion.epoch, counted.bucket)
        before = self.sums.get(key)
        if before is None:
            self.sums[key] = Sum(promotion, counted.rows, counted.first_ts, counted.last_ts, at, counted.weights)
            return
        before.promotion, before.at = promotion, at
        before.rows += counted.rows
        before.first_ts = min(before.first_ts, counted.first_ts)
        before.last_ts = max(before.last_ts, counted.last_ts)
        before.weights = before.weights + counted.weights

    def _disable(self, model: str, error: Exception, clock: Clock, where: str) -> Fault:
        fault = fault_of(CENSUS, VERSION, model, error, clock, where)
        self.disabled[model] = fault.error
        self.censuses.pop(model, None)
        return fault

    def may_wait(self, *, told: bool) -> bool:
        """Returns whether judge need not know yet; `told`: there is a tick or a reading, with which all counts travel."""
        return not told and sum(one.rows for one in self.sums.values()) < HELD_ROWS

    def take(self) -> list[Counts]:
        """Returns all sums in the order of model, epoch and bucket, and holds none any more."""
        told, self.sums = sorted(self.sums.items(), key=_key), {}
        return [_counts(key, one, "<f4") for key, one in told]

    def dump(self) -> Sections:
        """Returns the promotions, the censuses, and the sums held."""
        parts = {model: census.dump() for model, census in self.censuses.items()}
        held = [(len(one.weights), _counts(key, one, "<f8")) for key, one in sorted(self.sums.items(), key=_key)]
        return {CENSUS: Section(VERSION, pack((parts, self.disabled))), HELD: Section(VERSION, pack(held))}

    def load(self, sections: Sections) -> list[str]:
        """Replaces everything, the promotions being loaded; returns a line for every census that starts cold."""
        self.censuses, self.disabled, self.sums, notes = {}, {}, {}, []
        census = sections.get(CENSUS, Section(VERSION, pack(({}, {}))))
        parts, self.disabled = msgspec.msgpack.decode(census.data, type=tuple[dict[str, bytes], dict[str, str]])
        for model, reference in self.promotions.references.items():
            if model not in self.disabled:
                self.censuses[model] = Census(reference, self.shards)
                try:
                    if model in parts:
                        self.censuses[model].load(parts[model])
                except StateError as error:
                    notes.append(f"{CENSUS} of {model}: {error}; it starts cold")
                    self.censuses[model] = Census(reference, self.shards)
        held = sections.get(HELD, Section(VERSION, pack([])))
        for quantities, counts in msgspec.msgpack.decode(held.data, type=list[tuple[int, Counts]]):
            self.sums[counts.model, counts.epoch, counts.bucket] = _sum(counts, quantities)
        return notes


def _key(item: tuple[Key, Sum]) -> Key:
    return item[0]


def _counts(key: Key, one: Sum, kind: str) -> Counts:
    """Returns the wire form, weights as `kind`; only cells that are not empty."""
    flat, promotion = one.weights.reshape(-1), one.promotion
    cells = np.flatnonzero(flat)
    model, epoch, bucket = key
    return Counts(
        model=model,
        baseline=promotion.baseline,
        epoch=epoch,
        ladder=promotion.ladder,
        bucket=bucket,
        rows=one.rows,
        first_ts=one.first_ts,
        last_ts=one.last_ts,
        at=one.at,
        cells=cells.astype("<u2").tobytes(),
        weights=flat[cells].astype(kind).tobytes(),
    )


def _sum(counts: Counts, quantities: int) -> Sum:
    """Returns what `_counts` made float64 wire form of."""
    promotion, weights = Promotion(counts.baseline, counts.epoch, counts.ladder), matrix_of(counts, quantities, "<f8")
    return Sum(promotion, counts.rows, counts.first_ts, counts.last_ts, counts.at, weights)


def matrix_of(counts: Counts, quantities: int, kind: str = "<f4") -> NDArray[np.float64]:
    """Returns the weights, that are there as `kind`, as float64 (quantities, CELLS)."""
    matrix = np.zeros(quantities * CELLS)
    matrix[np.frombuffer(counts.cells, "<u2")] = np.frombuffer(counts.weights, kind)
    return matrix.reshape(quantities, CELLS)

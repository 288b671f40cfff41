"""Scouting: one shard's scouts of the models that have a baseline, and the reports that judge has not been told yet.

A scout looks at rows for a detector that sits in judge, where it hears the scouts of all shards. Reports are not summed, as
counts are, but they travel with them. A scout that raises is disabled for its model until the next baseline, as a detector is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from models.detector import Entry, Report, Scout, Seat
from streams.faults import fault_of
from streams.promotions import Promotions
from streams.states import Key, dumped, loaded
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.config import Detection
from tocsin.errors import StateError
from tocsin.reading import Fault, Reports
from tocsin.rows import Rows
from tocsin.state import Section, Sections

SCOUT: Final = "scout/"
"""What a scout's section begins with; its detector's id follows."""

HELD: Final = "reports"
VERSION: Final = 1


@dataclass(slots=True)
class Scouting:
    """One shard's scouts.

    Attributes:
        shard: its number.
        settings: shards, budgets.
        entries: the rows of `models.registry.DETECTORS` that have a scout and are not left out.
        promotions: what is in force.
        scouts: those at work.
        disabled: those that raised, with what they raised.
        looked: rows each looked at since its last report.
        held: what judge has not been told, in order.
    """

    shard: int
    settings: Detection
    entries: Mapping[str, Entry]
    promotions: Promotions
    scouts: dict[Key, Scout] = field(default_factory=dict)
    disabled: dict[Key, str] = field(default_factory=dict)
    looked: dict[Key, int] = field(default_factory=dict)
    held: list[Reports] = field(default_factory=list)

    def renew(self, model: str, clock: Clock, where: str) -> list[Fault]:
        """Sends out scouts for the baseline that is now in force, or calls them back with none; returns their faults."""
        faults: list[Fault] = []
        for name in self.entries:
            for held in (self.scouts, self.disabled, self.looked):
                held.pop((name, model), None)
            if model in self.promotions.references:
                try:
                    self.scouts[name, model] = self._build(name, model)
                except Exception as error:
                    faults.append(self._disable((name, model), error, clock, where))
        return faults

    def look(self, rows: Rows, clock: Clock, where: str) -> list[Fault]:
        """Shows the rows to their model's scouts; returns the faults of those that are now disabled."""
        faults: list[Fault] = []
        for name in self.entries:
            key = (name, rows.model)
            scout = self.scouts.get(key)
            if scout is None:
                continue
            try:
                report = scout.look(rows)
            except Exception as error:
                faults.append(self._disable(key, error, clock, where))
                continue
            self.looked[key] = self.looked.get(key, 0) + len(rows)
            if report is not None:
                self.held.append(self._reports(name, rows, report))
        return faults

    def take(self) -> list[Reports]:
        """Returns what judge has not been told, and holds it no more."""
        told, self.held = self.held, []
        return told

    def _reports(self, name: str, rows: Rows, report: Report) -> Reports:
        promotion = self.promotions.standing[rows.model]
        return Reports(
            detector=name,
            version=self.entries[name].version,
            model=rows.model,
            baseline=promotion.baseline,
            epoch=promotion.epoch,
            ladder=promotion.ladder,
            rows=self.looked.pop((name, rows.model)),
            first_ts=int(rows.ts.min()),
            last_ts=int(rows.ts.max()),
            at=rows.coordinates(len(rows) - 1),
            callers=report.callers,
            body=report.body,
        )

    def _build(self, name: str, model: str) -> Scout:
        entry, settings = self.entries[name], self.settings
        if entry.scout is None:
            raise StateError(f"{name}: a detector with a scout expected; it has none")
        budget = entry.alerts_per_month(settings.alerts_per_model_month, settings.alerts_fleet_month)
        return entry.scout(Seat(self.shard, settings.shards, model, budget, self.promotions.references[model]))

    def _disable(self, key: Key, error: Exception, clock: Clock, where: str) -> Fault:
        name, model = key
        fault = fault_of(name, self.entries[name].version, model, error, clock, where)
        self.disabled[key] = fault.error
        self.scouts.pop(key, None)
        return fault

    def dump(self) -> Sections:
        """Returns one section per detector that has scouts out, and one for what is held."""
        held = {HELD: Section(VERSION, pack((self.held, sorted(self.looked.items()), sorted(self.disabled.items()))))}
        return {**held, **dumped(SCOUT, self.entries, self.scouts)}

    def load(self, sections: Sections) -> list[str]:
        """Replaces everything, the promotions being loaded; returns a line for every scout that starts cold."""
        self.disabled, self.looked, self.held = {}, {}, []
        if HELD in sections:
            kind = tuple[list[Reports], list[tuple[Key, int]], list[tuple[Key, str]]]
            self.held, looked, disabled = msgspec.msgpack.decode(sections[HELD].data, type=kind)
            self.looked = {key: rows for key, rows in looked if key[0] in self.entries}
            self.disabled = {key: error for key, error in disabled if key[0] in self.entries}
        models = self.promotions.references
        self.scouts, notes = loaded(SCOUT, self.entries, models, self.disabled, sections, self._build)
        return notes

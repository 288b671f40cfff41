"""Bank: the detectors of one shard, built on first sight, one faulty one never costing the others their work.

A detector that raises is deterministic: it would raise on every replay of the same record. So the fault becomes state: the
(detector, model) is disabled, reported once, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec

from models.baseline import Baseline
from models.detector import BlocksDetector, Detector, Entry, Seat
from streams.faults import fault_of
from streams.states import DETECTOR, dumped
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.config import Detection
from tocsin.errors import StateError
from tocsin.reading import Fault, Reading
from tocsin.rows import Rows
from tocsin.state import Section, Sections

MAX_MODELS = 1_000
"""Models watched per shard; a flood of invented model names must not exhaust memory."""
DISABLED = "disabled"
DISABLED_VERSION = 1

Key = tuple[str, str]
"""(detector id, model or "" for a detector of the whole shard)."""

Told = tuple[list[Reading], list[Fault]]


@dataclass(slots=True)
class Bank:
    """One shard's detectors.

    Attributes:
        shard: its number.
        settings: shards, budgets, and the detectors the operator left out.
        entries: the rows of `models.registry.DETECTORS` that run in this stage.
        references: model → the baseline in force; a view, kept by `promotions.py`.
        vouched: those that are armed; the same.
        detectors: those built so far.
        disabled: those that raised, with what they raised.
        models: every model seen, in order of appearance.
    """

    shard: int
    settings: Detection
    entries: Mapping[str, Entry]
    references: Mapping[str, Baseline] = field(default_factory=dict)
    vouched: Mapping[str, Baseline] = field(default_factory=dict)
    detectors: dict[Key, Detector] = field(default_factory=dict)
    disabled: dict[Key, str] = field(default_factory=dict)
    models: dict[str, None] = field(default_factory=dict)

    def observe(self, rows: Rows, clock: Clock, where: str) -> tuple[list[Reading], list[Fault]]:
        """Returns what every live detector of the model has to say about its rows, and who has just been disabled."""
        readings: list[Reading] = []
        faults: list[Fault] = []
        crowded = self._crowded(rows.model)
        for name, entry in self.entries.items():
            if self._looks(entry, rows.model, crowded) and not self._is_disabled(name, rows.model):
                self._observed((name, rows.model), rows, (readings, faults), clock, where)
        return readings, faults

    def observe_all(self, blocks: Sequence[Rows], clock: Clock, where: str) -> tuple[list[Reading], list[Fault]]:
        """Returns what every live detector of the whole shard has to say about a frame, and who has just been disabled."""
        told: Told = ([], [])
        for name, entry in self.entries.items():
            mine = [rows for rows in blocks if entry.scope == "shard" and not self._is_disabled(name, rows.model)]
            if mine and isinstance(self._at((name, "")), BlocksDetector):
                self._observed_at_once(name, mine, told, clock, where)
            else:
                for rows in mine:
                    self._observed((name, ""), rows, told, clock, where)
        return told

    def _observed_at_once(self, name: str, blocks: Sequence[Rows], told: Told, clock: Clock, where: str) -> None:
        """Adds the same of blocks in one piece; where that raises they are given one by one, to learn whose to leave out."""
        try:
            told[0].extend(cast(BlocksDetector, self._at((name, ""))).observe_blocks(blocks, clock))
        except Exception as error:
            before = len(told[1])
            for rows in blocks:
                self._observed((name, ""), rows, told, clock, where)
            if len(told[1]) == before:
                told[1].append(self._disable(name, "", error, clock, where))

    def _observed(self, key: Key, rows: Rows, told: Told, clock: Clock, where: str) -> None:
        """Adds what one detector has to say about the rows, or that it has just been disabled."""
        try:
            told[0].extend(self._at(key).observe(rows, clock))
        except Exception as error:
            told[1].append(self._disable(key[0], rows.model, error, clock, where))

    def renew(self, model: str) -> None:
        """Forgets what compared with the model's former baseline; it is built anew for the next, if there is one."""
        for name, entry in self.entries.items():
            if entry.reference == "frozen":
                self.detectors.pop((name, model), None)
                self.disabled.pop((name, model), None)

    def tick(self, clock: Clock, where: str) -> list[Fault]:
        """Tells every detector what time it is; returns who has just been disabled."""
        faults: list[Fault] = []
        for name, model in sorted(self.detectors):
            try:
                self.detectors[name, model].tick(clock)
            except Exception as error:
                faults.append(self._disable(name, model, error, clock, where))
        return faults

    def _looks(self, entry: Entry, model: str, crowded: bool) -> bool:
        """Returns whether a detector is the model's own, and has what it needs."""
        return entry.scope == "model" and not crowded and (entry.reference != "frozen" or model in self.references)

    def _is_disabled(self, name: str, model: str) -> bool:
        return (name, model) in self.disabled or (name, "") in self.disabled

    def _disable(self, name: str, model: str, error: Exception, clock: Clock, where: str) -> Fault:
        fault = fault_of(name, self.entries[name].version, model, error, clock, where)
        self.disabled[name, model] = fault.error
        self.detectors.pop((name, model), None)
        return fault

    def _at(self, key: Key) -> Detector:
        if key not in self.detectors:
            self.detectors[key] = self._build(key)
        return self.detectors[key]

    def _build(self, key: Key) -> Detector:
        name, model = key
        entry = self.entries[name]
        settings = self.settings
        budget = entry.alerts_per_month(settings.alerts_per_model_month, settings.alerts_fleet_month)
        reference = self.references.get(model)
        detector: Detector = entry.build(Seat(self.shard, settings.shards, model, budget, reference, self.vouched))
        return detector

    def _crowded(self, model: str) -> bool:
        if model not in self.models and len(self.models) < MAX_MODELS:
            self.models[model] = None
        return model not in self.models

    def dump(self) -> Sections:
        """Returns one section per detector id, and one for the disabled."""
        disabled = {DISABLED: Section(DISABLED_VERSION, pack((list(self.models), sorted(self.disabled.items()))))}
        return {**disabled, **dumped(DETECTOR, self.entries, self.detectors)}

    def load(self, sections: Sections) -> list[str]:
        """Replaces everything; returns a line for every section that was unknown, older, or damaged: those start cold."""
        notes: list[str] = []
        self.detectors = {}
        models, disabled = msgspec.msgpack.decode(sections[DISABLED].data, type=tuple[list[str], list[tuple[Key, str]]])
        self.models, self.disabled = dict.fromkeys(models), dict(disabled)
        for section_id, section in sections.items():
            name = section_id.removeprefix(DETECTOR)
            if section_id == DISABLED:
                continue
            if name not in self.entries:
                notes.append(f"{section_id}: no such detector in this version; its state is dropped")
            elif section.version != self.entries[name].version:
                notes.append(f"{section_id}: v{self.entries[name].version} expected, v{section.version} found; it starts cold")
            else:
                notes += self._load_detector(name, section)
        return notes

    def _load_detector(self, name: str, section: Section) -> list[str]:
        notes = []
        for model, data in msgspec.msgpack.decode(section.data, type=dict[str, bytes]).items():
            detector = self._build((name, model))
            try:
                detector.load(data)
            except StateError as error:
                notes.append(f"{DETECTOR}{name} for {model or 'all models'}: {error}; it starts cold")
                detector = self._build((name, model))
            self.detectors[name, model] = detector
        return notes

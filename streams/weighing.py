"""Weighing: judge's detectors over the counts, and the reports of their scouts, of the models that have a baseline.

Theory. An e-process earns its budget by time: R ← (R + seconds)·e bounds false alarms only if `seconds` is fixed before the
values in e are seen. So what ledger time has earned when counts arrive is spent on the next counts of that model, never on
these. Counts come from all shards, each naming the promotion (`epoch`) it was counted under; a newer one starts the model's
detectors anew, an older one comes from a shard that has not reached the promotion: it is counted as stale, not folded. Of
reports the same is true.

A detector that raises is disabled for that model until its next baseline, as in `bank.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from models.baseline import Baseline
from models.detector import Entry, Seat
from models.shiryaev_roberts import MOST_SECONDS
from streams.baselines.store import Baselines
from streams.counting import matrix_of
from streams.faults import fault_of
from streams.promotions import MAX_MODELS
from streams.states import DETECTOR, Key, dumped, loaded
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.config import Detection
from tocsin.ids import uid
from tocsin.reading import Counts, Fault, Ladder, Reading, Reports
from tocsin.state import Section, Sections

LATE_MS: Final = 60_000
"""So long after a promotion every shard must have applied it."""

SECTION: Final = "weighing"
VERSION: Final = 1


class Standing(msgspec.Struct, array_like=True):
    """How one model stands.

    Attributes:
        baseline: content hash.
        epoch: of the promotion, Unix milliseconds.
        ladder: as the last counts said.
        since_ms: ledger time of the epoch's first counts.
        earned_s: seconds that the next counts may spend.
        counted_ms: ledger time of the last counts.
        stale: counts of older epochs that came after this one had begun.
        late: whether it was reported that they still come.
        reported: detector → seconds that its next reports may spend, and ledger time of its last ones.
    """

    baseline: str
    epoch: int
    ladder: Ladder
    since_ms: int
    earned_s: float = 0.0
    counted_ms: int = 0
    stale: int = 0
    late: bool = False
    reported: dict[str, tuple[float, int]] = {}


@dataclass(slots=True)
class Weighing:
    """All models with a baseline, of one group.

    Attributes:
        settings: budgets, and the detectors the operator left out.
        entries: the rows of `models.registry.DETECTORS` that run in judge.
        baselines: where to look one up.
        standings: model → how it stands.
        disabled: (detector, model) that raised, with what they raised.
    """

    settings: Detection
    entries: Mapping[str, Entry]
    baselines: Baselines
    standings: dict[str, Standing] = field(default_factory=dict)
    disabled: dict[Key, str] = field(default_factory=dict)
    _references: dict[str, Baseline] = field(default_factory=dict)
    _detectors: dict[Key, Any] = field(default_factory=dict)

    def weigh(self, counts: Counts, clock: Clock, where: str) -> tuple[list[Reading], list[Fault]]:
        """Returns what the model's detectors say to these counts, and who has just been disabled.

        Raises:
            HoleError: the counts name a baseline that cannot be found.
        """
        standing, faults = self._standing(counts, clock, where)
        if standing is None:
            return [], faults
        standing.ladder = counts.ladder
        seconds, standing.earned_s = standing.earned_s, _earned(standing.counted_ms, clock.now_ms)
        standing.counted_ms = clock.now_ms
        matrix = matrix_of(counts, len(self._references[counts.model].quantities))
        readings: list[Reading] = []
        for name in self._live(counts.model):
            detector = self._detectors[name, counts.model]
            if hasattr(detector, "weigh"):
                try:
                    readings += detector.weigh(counts, matrix, seconds)
                except Exception as error:
                    faults.append(self._disable(name, counts.model, error, clock, where))
        return readings, faults

    def receive(self, reports: Reports, clock: Clock, where: str) -> tuple[list[Reading], list[Fault]]:
        """Returns what a detector says to its scout's reports, and whether it has just been disabled.

        Raises:
            HoleError: the reports name a baseline that cannot be found.
        """
        standing, faults = self._standing(reports, clock, where)
        detector = self._detectors.get((reports.detector, reports.model))
        if standing is None or detector is None:
            return [], faults
        seconds, before_ms = standing.reported.get(reports.detector, (0.0, 0))
        standing.reported[reports.detector] = _earned(before_ms, clock.now_ms), clock.now_ms
        try:
            return detector.receive(reports, seconds), faults
        except Exception as error:
            return [], [*faults, self._disable(reports.detector, reports.model, error, clock, where)]

    def hear(self, model: str, readings: Sequence[Reading], clock: Clock, where: str) -> tuple[list[Reading], list[Fault]]:
        """Returns what the detectors that listen to other detectors say, and who has just been disabled."""
        said: list[Reading] = []
        faults: list[Fault] = []
        for name in self._live(model):
            detector = self._detectors[name, model]
            if hasattr(detector, "hear"):
                try:
                    said += detector.hear(readings, clock)
                except Exception as error:
                    faults.append(self._disable(name, model, error, clock, where))
        return said, faults

    def passed_the_gate(self, model: str, detector: str) -> bool:
        """Returns whether the model's baseline lets this detector be armed."""
        return model in self._references and self._references[model].armed(detector)

    def ladder_of(self, model: str, detector: str) -> Ladder:
        """Returns how much a reading of this detector is worth: `armed` only if the gate and the promotion say so."""
        armed = self.passed_the_gate(model, detector) and self.standings[model].ladder == "armed"
        return "armed" if armed else "provisional"

    def _standing(self, told: Counts | Reports, clock: Clock, where: str) -> tuple[Standing | None, list[Fault]]:
        """Returns how the model stands now that judge was told this, None if it is of another epoch; and new faults.

        Raises:
            HoleError: it names a baseline that cannot be found.
        """
        standing = self.standings.get(told.model)
        if standing is None:
            self._give_way()
        if standing is None or told.epoch > standing.epoch:
            standing = self.standings[told.model] = Standing(told.baseline, told.epoch, told.ladder, clock.now_ms)
            return standing, self._renew(told.model, clock, where)
        if (told.epoch, told.baseline) != (standing.epoch, standing.baseline):
            return None, self._stale(standing, told, clock, where)
        return standing, []

    def _give_way(self) -> None:
        """Forgets the model that was not counted for longest when there are too many."""
        if len(self.standings) >= MAX_MODELS:
            stalest = min(self.standings, key=lambda model: (self.standings[model].counted_ms, model))
            del self.standings[stalest], self._references[stalest]
            for name in self.entries:
                self._detectors.pop((name, stalest), None)
                self.disabled.pop((name, stalest), None)

    def _live(self, model: str) -> list[str]:
        return [name for name in self.entries if (name, model) in self._detectors]

    def _renew(self, model: str, clock: Clock, where: str) -> list[Fault]:
        """Builds the model's detectors for its present baseline; returns those that cannot be."""
        self._references[model] = self.baselines.get(self.standings[model].baseline, model)
        self.disabled = {key: error for key, error in self.disabled.items() if key[1] != model}
        faults = []
        for name in self.entries:
            self._detectors.pop((name, model), None)
            try:
                self._detectors[name, model] = self._build(name, model)
            except Exception as error:
                faults.append(self._disable(name, model, error, clock, where))
        return faults

    def _build(self, name: str, model: str) -> Any:
        entry, settings = self.entries[name], self.settings
        budget = entry.alerts_per_month(settings.alerts_per_model_month, settings.alerts_fleet_month)
        return entry.build(Seat(0, 1, model, budget, self._references[model]))

    def _disable(self, name: str, model: str, error: Exception, clock: Clock, where: str) -> Fault:
        fault = fault_of(name, self.entries[name].version, model, error, clock, where)
        self.disabled[name, model] = fault.error
        self._detectors.pop((name, model), None)
        return fault

    def _stale(self, standing: Standing, counts: Counts | Reports, clock: Clock, where: str) -> list[Fault]:
        """Counts what cannot be used; returns a report, once, when a shard should long have applied the promotion."""
        standing.stale += 1
        if standing.late or clock.now_ms < standing.since_ms + LATE_MS:
            return []
        standing.late = True
        old, new = counts.baseline[:12], standing.baseline[:12]
        text = f"counts of baseline {old} still come {LATE_MS // 1_000} s after {new} replaced it"
        return [Fault(uid("stale", counts.model, standing.epoch), "ledger", counts.model, where, clock.now_ms, text)]

    def dump(self) -> Sections:
        """Returns the standings and every detector's state; a baseline is only named."""
        own = {SECTION: Section(VERSION, pack((self.standings, sorted(self.disabled.items()))))}
        return {**own, **dumped(DETECTOR, self.entries, self._detectors)}

    def load(self, sections: Sections) -> list[str]:
        """Replaces everything; returns a line for every part that starts cold. A snapshot from before baselines has none.

        Raises:
            HoleError: a baseline that is in force cannot be found.
        """
        self._detectors, self._references, self.standings, self.disabled = {}, {}, {}, {}
        if SECTION not in sections:
            return []
        kind = tuple[dict[str, Standing], list[tuple[Key, str]]]
        self.standings, disabled = msgspec.msgpack.decode(sections[SECTION].data, type=kind)
        self._references = {model: self.baselines.get(s.baseline, model) for model, s in self.standings.items()}
        self.disabled = {key: error for key, error in disabled if key[0] in self.entries}
        self._detectors, notes = loaded(DETECTOR, self.entries, self.standings, self.disabled, sections, self._build)
        return notes


def _earned(before_ms: int, now_ms: int) -> float:
    """Returns the seconds that passed since `before_ms`, as the alert budget pays them; none before the first."""
    return min(max((now_ms - before_ms) / 1_000, 0.0), MOST_SECONDS) if before_ms else 0.0

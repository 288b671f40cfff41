"""Judge: one fold per group of models. Readings in, signals out: what a model suffers is seen whole only here.

Sense's detectors carry their own thresholds per caller or per shard: judge names what crossed, says how often that happens
by chance, and sets it against the model's whole traffic, which no single shard sees. What compares with a baseline is
weighed here (`weighing.py`), over the counts of all shards.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from models.detector import Entry
from models.registry import DETECTORS
from streams.baselines.store import NO_BASELINES, Baselines
from streams.stage.machine import Outputs
from streams.traffic import SECTION as TRAFFIC
from streams.traffic import Traffic
from streams.weighing import Weighing
from tocsin.clock import Clock
from tocsin.codec import pack, unpack
from tocsin.config import Detection
from tocsin.ids import uid
from tocsin.reading import Fault, Reading, Readings
from tocsin.signal import Claim, Signal, Signals
from tocsin.state import Section, Sections

SPEAK_EVERY_MS = 1_000
"""Triage is told the time this often even when nothing happens: incidents close by ledger time."""
CLOCKS = "clocks"
VERSION = 1


class JudgeFold:
    """One group's traffic and clocks.

    Attributes:
        settings: budgets.
        traffic: events per model and minute.
        weighing: its models' detectors over counts.
        clocks: shard → its clock.
        told_ms: the ledger time triage was last told.
    """

    def __init__(
        self, settings: Detection, detectors: Mapping[str, Entry] = DETECTORS, baselines: Baselines = NO_BASELINES
    ) -> None:
        """Starts cold, with the detectors of this stage that the operator has not disabled."""
        live = {name: e for name, e in detectors.items() if e.stage == "judge" and name not in settings.disabled}
        self.settings = settings
        self.detectors = detectors
        self.traffic = Traffic()
        self.weighing = Weighing(settings, live, baselines)
        self.clocks: dict[int, Clock] = {}
        self.told_ms = 0

    def apply(self, body: bytes, where: str) -> Outputs:
        """Returns one signals record when there is something to say, or when time has moved on."""
        readings = unpack(body, Readings, where)
        self.clocks[readings.shard] = readings.clock
        for tally in readings.tallies:
            self.traffic.add(tally)
        clock = self._clock()
        told = readings.counts or readings.reports or self.weighing.standings
        said, faults = self._weigh(readings, clock, where) if told else ([], [])
        heard = (*readings.readings, *said)
        signals = tuple(self._signal(reading) for reading in heard if reading.detector in self.detectors)
        faults = [*readings.faults, *faults]
        news = signals or readings.orders or faults or readings.losses
        if not news and clock.now_ms < self.told_ms + SPEAK_EVERY_MS:
            return Outputs()
        advance = clock.now_ms - self.told_ms if self.told_ms else 0
        self.told_ms = clock.now_ms
        clock = Clock(clock.now_ms, clock.complete_ms, advance)
        return Outputs({0: pack(Signals(clock, signals, readings.orders, tuple(faults), readings.losses))})

    def _weigh(self, readings: Readings, clock: Clock, where: str) -> tuple[list[Reading], list[Fault]]:
        """Returns what this stage's own detectors say, model by model, and who has just been disabled."""
        said: list[Reading] = []
        faults: list[Fault] = []
        for reports in readings.reports:
            crossed, broken = self.weighing.receive(reports, clock, where)
            said += crossed
            faults += broken
        for counts in readings.counts:
            crossed, broken = self.weighing.weigh(counts, clock, where)
            said += crossed
            faults += broken
        told = [tally.model for tally in readings.tallies] + [counts.model for counts in readings.counts]
        for model in dict.fromkeys(told):
            mine = [reading for reading in (*readings.readings, *said) if reading.model == model]
            crossed, broken = self.weighing.hear(model, mine, clock, where)
            said += crossed
            faults += broken
        return said, faults

    def _clock(self) -> Clock:
        now = max(clock.now_ms for clock in self.clocks.values())
        return Clock(max(now, self.told_ms), min(clock.complete_ms for clock in self.clocks.values()))

    def _signal(self, reading: Reading) -> Signal:
        entry = self.detectors[reading.detector]
        caller, claim = reading.caller, self._claim(reading, entry)
        traffic = self.traffic.since(reading.model, reading.onset_ts)
        return Signal(
            uid=uid(
                "signal", reading.detector, reading.version, reading.model, reading.watches, caller and caller.hash, reading.at
            ),
            kind=entry.kind_of(reading.watches),
            detector=reading.detector,
            version=reading.version,
            reference=entry.reference,
            claim=claim,
            false_alerts_per_month=self._false_alerts(entry, claim),
            techniques=entry.techniques,
            model=reading.model,
            watches=reading.watches,
            caller=caller,
            ts=reading.ts,
            onset_ts=reading.onset_ts,
            statistic=reading.statistic,
            threshold=reading.threshold,
            count=reading.count,
            share=min(reading.count / traffic, 1.0) if caller and traffic else None,
            evidence=reading.evidence,
            at=reading.at,
            examples=reading.examples,
            ladder=self.weighing.ladder_of(reading.model, reading.detector) if entry.reference == "frozen" else "armed",
        )

    def _claim(self, reading: Reading, entry: Entry) -> Claim:
        """Returns how the false alarms are known: without the gate's word nothing is known about a frozen reference."""
        vouched = entry.reference != "frozen" or self.weighing.passed_the_gate(reading.model, reading.detector)
        return entry.claim if vouched else "advisory"

    def _false_alerts(self, entry: Entry, claim: Claim) -> float | None:
        if claim == "advisory":
            return None
        return entry.alerts_per_month(self.settings.alerts_per_model_month, self.settings.alerts_fleet_month)

    def dump(self) -> Sections:
        """Returns traffic, clocks, and what is weighed."""
        clocks = Section(VERSION, pack((sorted(self.clocks.items()), self.told_ms)))
        return {TRAFFIC: self.traffic.dump(), CLOCKS: clocks, **self.weighing.dump()}

    def load(self, sections: Sections) -> list[str]:
        """Replaces the state; returns a line for every part that starts cold."""
        self.traffic.load(sections[TRAFFIC])
        clocks, self.told_ms = msgspec.msgpack.decode(sections[CLOCKS].data, type=tuple[list[tuple[int, Clock]], int])
        self.clocks = dict(clocks)
        return self.weighing.load(sections)

"""Judge: one fold per group of models. Readings in, signals out: what a model suffers is seen whole only here.

The detectors at hand already carry their own thresholds per caller or per shard, so judge names what crossed, says how
often that happens by chance, and sets it against the model's whole traffic, which no single shard sees.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from models.detector import Entry
from models.registry import DETECTORS
from streams.stage.machine import Outputs
from streams.traffic import SECTION as TRAFFIC
from streams.traffic import Traffic
from tocsin.clock import Clock
from tocsin.codec import pack, unpack
from tocsin.config import Detection
from tocsin.ids import uid
from tocsin.reading import Reading, Readings
from tocsin.signal import Signal, Signals
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
        clocks: shard → its clock.
        told_ms: the ledger time triage was last told.
    """

    def __init__(self, settings: Detection, detectors: Mapping[str, Entry] = DETECTORS) -> None:
        """Starts cold."""
        self.settings = settings
        self.detectors = detectors
        self.traffic = Traffic()
        self.clocks: dict[int, Clock] = {}
        self.told_ms = 0

    def apply(self, body: bytes, where: str) -> Outputs:
        """Returns one signals record when there is something to say, or when time has moved on."""
        readings = unpack(body, Readings, where)
        self.clocks[readings.shard] = readings.clock
        for tally in readings.tallies:
            self.traffic.add(tally)
        signals = tuple(self._signal(reading) for reading in readings.readings if reading.detector in self.detectors)
        clock = self._clock()
        news = signals or readings.orders or readings.faults or readings.losses
        if not news and clock.now_ms < self.told_ms + SPEAK_EVERY_MS:
            return Outputs()
        advance = clock.now_ms - self.told_ms if self.told_ms else 0
        self.told_ms = clock.now_ms
        clock = Clock(clock.now_ms, clock.complete_ms, advance)
        return Outputs({0: pack(Signals(clock, signals, readings.orders, readings.faults, readings.losses))})

    def _clock(self) -> Clock:
        now = max(clock.now_ms for clock in self.clocks.values())
        return Clock(max(now, self.told_ms), min(clock.complete_ms for clock in self.clocks.values()))

    def _signal(self, reading: Reading) -> Signal:
        entry = self.detectors[reading.detector]
        caller = reading.caller
        traffic = self.traffic.since(reading.model, reading.onset_ts)
        return Signal(
            uid=uid(
                "signal", reading.detector, reading.version, reading.model, reading.watches, caller and caller.hash, reading.at
            ),
            kind=entry.kind_of(reading.watches),
            detector=reading.detector,
            version=reading.version,
            reference=entry.reference,
            claim=entry.claim,
            false_alerts_per_month=self._false_alerts(entry),
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
        )

    def _false_alerts(self, entry: Entry) -> float | None:
        if entry.claim == "advisory":
            return None
        return entry.alerts_per_month(self.settings.alerts_per_model_month, self.settings.alerts_fleet_month)

    def dump(self) -> Sections:
        """Returns traffic and clocks."""
        return {TRAFFIC: self.traffic.dump(), CLOCKS: Section(VERSION, pack((sorted(self.clocks.items()), self.told_ms)))}

    def load(self, sections: Sections) -> list[str]:
        """Replaces the state."""
        self.traffic.load(sections[TRAFFIC])
        clocks, self.told_ms = msgspec.msgpack.decode(sections[CLOCKS].data, type=tuple[list[tuple[int, Clock]], int])
        self.clocks = dict(clocks)
        return []

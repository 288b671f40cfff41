"""Sense: one fold per shard. Frames in, readings out: what one caller does is seen whole only here."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from models.detector import Entry
from models.registry import DETECTORS
from streams.bank import Bank
from streams.baselines.store import NO_BASELINES, Baselines
from streams.counting import CENSUS, HELD, Counting
from streams.ledger import SECTION as LEDGER
from streams.ledger import Ledger
from streams.promotions import SECTION as PROMOTIONS
from streams.promotions import Promotions
from streams.scouting import HELD as REPORTS
from streams.scouting import SCOUT, Scouting
from streams.stage.machine import Outputs
from streams.tallies import SECTION as TALLIES
from streams.tallies import Tallies
from tocsin.codec import pack
from tocsin.config import Detection
from tocsin.control import Promote
from tocsin.errors import VersionError
from tocsin.event import Source
from tocsin.frame import HASH, Control, Flag, Frame, decode_frame
from tocsin.ids import group_of, uid
from tocsin.reading import Fault, Loss, Order, Reading, Readings, Tally
from tocsin.rows import Rows, rows_of
from tocsin.state import Sections

News = tuple[tuple[Order, ...], tuple[Fault, ...], tuple[Loss, ...]]
"""What is passed on unjudged: orders, faults, losses."""


class SenseFold:
    """One shard's ledger marks and detectors.

    Attributes:
        shard: its number = its partition.
        settings: shards, groups, budgets.
        ledger: what is applied, what time it is.
        promotions: which baselines are in force.
        bank: the detectors.
        counting: what is counted against the baselines.
        scouting: what is looked for, for judge's detectors.
        tallies: what judge has not been told yet.
    """

    def __init__(
        self,
        shard: int,
        settings: Detection,
        detectors: Mapping[str, Entry] = DETECTORS,
        baselines: Baselines = NO_BASELINES,
    ) -> None:
        """Starts cold, with the detectors of this stage that the operator has not disabled."""
        live = {name: e for name, e in detectors.items() if e.stage == "sense" and name not in settings.disabled}
        self.shard = shard
        self.settings = settings
        self.ledger = Ledger()
        self.promotions = Promotions(baselines)
        self.bank = Bank(shard, settings, live, self.promotions.references, self.promotions.vouched)
        self.counting = Counting(settings.shards, self.promotions)
        scouted = {name: e for name, e in detectors.items() if e.scout is not None and name not in settings.disabled}
        self.scouting = Scouting(shard, settings, scouted, self.promotions)
        self.tallies = Tallies()

    def apply(self, body: bytes, where: str) -> Outputs:
        """Returns one readings record per group of models that the frame says something to."""
        frame = self._checked(decode_frame(body, where), where)
        watermarks = self.ledger.watermarks(frame)
        blocks = [self.ledger.fresh(rows_of(block, frame.sources), watermarks) for block in frame.blocks]
        events = [rows for rows in blocks if len(rows) and rows.kind == "inference"]
        controls = self.ledger.fresh_controls(frame, watermarks)
        readings, faults = self._observe(events, where)
        idle = self.ledger.advance(frame, blocks)
        if frame.ticks:
            faults += self.bank.tick(self.ledger.clock, where)
        faults += [self._idle_fault(source, where) for source in idle]
        faults += self._promote(controls, where)
        for rows in events:
            self.tallies.add(_tally(rows))
        news = (tuple(self._orders(frame, controls)), tuple(faults), tuple(self._losses(frame)))
        if not (readings or any(news) or frame.ticks) and self.tallies.may_wait(sum(len(rows) for rows in events)):
            return Outputs()
        return Outputs(self._address(readings, news, everyone=bool(frame.ticks)))

    def _observe(self, events: list[Rows], where: str) -> tuple[list[Reading], list[Fault]]:
        readings, faults = self.bank.observe_all(events, self.ledger.clock, where)
        for rows in events:
            seen, broken = self.bank.observe(rows, self.ledger.clock, where)
            readings += seen
            faults += broken + self.counting.count(rows, self.ledger.clock, where)
            faults += self.scouting.look(rows, self.ledger.clock, where)
        return readings, faults

    def _promote(self, controls: list[Control], where: str) -> list[Fault]:
        """Obeys promotions, behind the rows that came before them; returns what could not be obeyed."""
        faults: list[Fault] = []
        for control in controls:
            order = _promotion(control)
            if order is not None:
                renewed, problem = self.promotions.apply(order, control.ts)
                for model in renewed:
                    self.bank.renew(model)
                    faults += self.counting.renew(model, self.ledger.clock, where)
                    faults += self.scouting.renew(model, self.ledger.clock, where)
                if problem and self.shard == 0:
                    what = uid("promotion", order.model, control.position)
                    faults.append(Fault(what, "promotion", order.model, where, self.ledger.clock.now_ms, problem))
        return faults

    def _address(self, readings: list[Reading], news: News, *, everyone: bool) -> dict[int, bytes]:
        """Returns group → record; group 0 alone is told the news, `everyone` is told at least the time."""
        groups = self.settings.groups
        tallies = self.tallies.take()
        waits = self.counting.may_wait(told=bool(readings) or everyone)
        counted, reported = ([], []) if waits else (self.counting.take(), self.scouting.take())
        onward = {}
        for group in range(groups):
            mine = tuple(reading for reading in readings if group_of(reading.model, groups) == group)
            traffic = tuple(tally for tally in tallies if group_of(tally.model, groups) == group)
            counts = tuple(counts for counts in counted if group_of(counts.model, groups) == group)
            reports = tuple(reports for reports in reported if group_of(reports.model, groups) == group)
            told: News = news if group == 0 else ((), (), ())
            if mine or traffic or counts or reports or any(told) or everyone:
                onward[group] = pack(Readings(self.shard, self.ledger.clock, mine, traffic, *told, counts, reports))
        return onward

    def _checked(self, frame: Frame, where: str) -> Frame:
        found, wanted = (frame.shard, frame.shards, frame.hash), (self.shard, self.settings.shards, HASH)
        if found != wanted:
            raise VersionError(
                f"{where}: frames of shard {wanted[0]} of {wanted[1]} by {wanted[2]} expected, shard {found[0]} of {found[1]} "
                f"by {found[2]} found; changing detection.shards needs a new frames topic (another kafka.prefix)"
            )
        return frame

    def _orders(self, frame: Frame, controls: list[Control]) -> list[Order]:
        """Returns the controls that go on to triage: shard 0 speaks for all, for every shard is told the same."""
        if self.shard != 0:
            return []
        return [Order(uid("order", frame.sources[c.source].topic_id, c.position), c.ts, c.kind, c.body) for c in controls]

    def _losses(self, frame: Frame) -> list[Loss]:
        if self.shard != 0:
            return []
        return [_loss(frame.sources[gap.source], gap.first, gap.last, gap.ts) for gap in frame.gaps]

    def _idle_fault(self, source: Source, where: str) -> Fault:
        name = f"{source.topic}-{source.partition}"
        text = f"no progress of raw partition {name} for 60 s: it no longer holds the clock back"
        return Fault(uid("idle", name, where), "ledger", "", where, self.ledger.clock.now_ms, text)

    def dump(self) -> Sections:
        """Returns the ledger marks, the tallies, counts and reports held, what is in force, and every detector's state."""
        own = {LEDGER: self.ledger.dump(), TALLIES: self.tallies.dump(), PROMOTIONS: self.promotions.dump()}
        return {**own, **self.counting.dump(), **self.scouting.dump(), **self.bank.dump()}

    def load(self, sections: Sections) -> list[str]:
        """Replaces the state; returns a line for every section that starts cold. An older snapshot has no baselines.

        Raises:
            HoleError: a baseline in force cannot be found.
        """
        self.ledger.load(sections[LEDGER])
        self.tallies.load(sections[TALLIES])
        self.promotions.load(sections.get(PROMOTIONS))
        notes = self.counting.load(sections) + self.scouting.load(sections)
        own = (LEDGER, TALLIES, PROMOTIONS, CENSUS, HELD, REPORTS)
        others = {name: part for name, part in sections.items() if name not in own and not name.startswith(SCOUT)}
        return notes + self.bank.load(others)


def _promotion(control: Control) -> Promote | None:
    """Returns the promotion in an order; None for another kind, or one that intake let through and we cannot read."""
    if control.kind != "promote":
        return None
    try:
        return msgspec.json.decode(control.body, type=Promote)
    except msgspec.DecodeError:
        return None


def _tally(rows: Rows) -> Tally:
    skewed = int((rows.flags & Flag.SKEW != 0).sum())
    return Tally(rows.model, len(rows), skewed, int(rows.ts.min()), int(rows.ts.max()))


def _loss(source: Source, first: int, last: int, ts: int) -> Loss:
    return Loss(uid("loss", source.topic_id, source.partition, first, last), source.topic, source.partition, first, last, ts)

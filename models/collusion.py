"""Collusion: a search for an adversarial input, spread over accounts so that none of them stands out.

Theory. Whoever searches asks near what was asked before, from however many accounts; so distinct callers crowd in cells of the
input space where golden traffic explains fewer (a global index as in Blacklight, Li et al. 2022, USENIX Security, but of
cells, weighed by golden mass, and of callers instead of queries). Scouts in all shards tell the rows in hot cells; here
their counts meet, and a cell is crowded if it surprises by more than half as much again as any did on held-out golden rows.
A line search leaves no crowd: `margin_scan.py` finds it close to the decision boundary, where golden traffic allows.

A finding names who is in the crowded cells, as keyed hashes: it is about the model, and triage alone may show ids. It says
which signal fired: `crowded cells`; `shared template` for near copies of one record with one answer (`templates.py`), which is
no attack by itself; `low margin`. Not seen: queries that resemble nothing asked before (uniform, natural), an attacker with
fewer than two queries per pane in any shard, and searches in a place where customers crowd anyway. Under drift, ordinary
callers crowd in new places: while much of the traffic is in hot cells, only a crowd of many in one place is told.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.cell_tables import TABLES, CellTables, face_of
from models.collusion_reports import Told, decoded
from models.collusion_scout import ID as ID  # others know them by this module
from models.collusion_scout import VERSION as VERSION
from models.collusion_scout import CollusionScout
from models.crowd_reading import CROWD, NAMED, SEARCH, TEMPLATE, Crossing, reading_of
from models.crowd_scan import CrowdScan
from models.detector import Scout, Seat
from models.margin_scan import MarginScan
from models.panes import slots_for
from models.shiryaev_roberts import MONTH_S
from models.templates import Template, Templates, template_of
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.event import Caller
from tocsin.reading import Reading, Reports

RECENT: Final = 200
"""Events after which what scouts told counts half."""
MANY: Final = 50
"""Callers in a crowd, from which on it may be told apart although traffic has moved."""
LEAST_COPIES: Final = 12
"""Callers who must have sent copies of a template."""
TOLD_PART: Final = 0.5
"""Of the traffic, that scouts may tell before counts share slots."""
NEAR_PART: Final = 0.5
"""Of this detector's budget, for the near rows."""


class _Dump(msgspec.Struct, array_like=True):
    """A snapshot's layout; see the attributes of `Collusion`."""

    seen: int
    near_seen: int
    crossings: int
    due: int
    crossed: int
    near_told: tuple[int, int]
    recent: tuple[float, float]
    level: tuple[float, ...]
    crowds: bytes
    near: bytes
    templates: bytes


class Collusion:
    """One model's.

    Args:
        tables: of its baseline.
        alerts_per_month: false alarms that it may raise on the model.

    Attributes:
        named: who is in the crowd that the latest reading told of. No part of the state.
        highest: the highest score so far, nats. No part of the state.
        hits: near rows that were hits, and near rows. No part of the state.
    """

    def __init__(self, tables: CellTables, alerts_per_month: float) -> None:
        """Starts cold."""
        self.named: tuple[Caller, ...] = ()
        self.highest, self.hits = 0.0, (0, 0)
        self._tables = tables
        self._limit = MONTH_S / (alerts_per_month * NEAR_PART)
        self._cool()

    def _cool(self) -> None:
        tables = self._tables
        self._seen = self._near_seen = self._crossings = self._due = self._crossed = 0
        self._near_told, self._recent = (0, 0), (0.0, float(RECENT))
        self._crowds = CrowdScan(face_of(tables.grid), tables.events, slots_for(int(TOLD_PART * tables.events * TABLES)))
        self._templates = Templates(2 * tables.events)
        self._margin = MarginScan()
        self._near: CrowdScan | None = None
        if tables.near is not None:
            self._near = CrowdScan(face_of(tables.near), tables.near_events, slots_for(tables.near_events * TABLES))

    def receive(self, reports: Reports, seconds: float) -> list[Reading]:
        """Returns a crowd or a search that these reports reveal."""
        told = decoded(reports.body)
        numbers = self._seen + reports.rows - told.rows["after"].astype(np.int64)
        self._seen += reports.rows
        near = told.rows["near"] == 1
        fades = 0.5 ** (reports.rows / RECENT)
        self._recent = self._recent[0] * fades + int((~near).sum()), self._recent[1] * fades + reports.rows
        fresh = ~self._templates.copies(told.rows, numbers)
        readings = self._in_crowds(told, fresh & ~near, numbers, reports)
        return readings + self._in_margin(told, fresh & near, reports, seconds)

    def _drifts(self, scan: CrowdScan, crowd: NDArray[np.bool_], row: int) -> bool:
        """Returns whether traffic has moved and callers crowd all over: much of it is in hot cells, and not in one place."""
        if self._recent[0] < self._tables.everywhere * self._recent[1]:
            return False
        everybody, here = scan.callers(crowd), scan.callers(crowd & scan.beside(row))
        return len(everybody) < MANY or 2 * len(here) < len(everybody)

    def _in_crowds(self, told: Told, which: NDArray[np.bool_], numbers: NDArray[np.int64], reports: Reports) -> list[Reading]:
        scan, numbers = self._crowds, numbers[which]
        scores = scan.add(told, told.rows[which], numbers, reports.callers)
        self.highest = max(self.highest, float(scores.max(initial=0.0)))
        crossed = np.flatnonzero(scores >= self._tables.threshold)
        if not len(crossed):
            return []
        if numbers[crossed[0]] > self._crossed + self._tables.events:
            self._crossings = self._due = 0
        self._crossings, self._crossed = self._crossings + len(crossed), int(numbers[crossed[-1]])
        if self._crossings <= self._due:
            return []
        crossing = Crossing(scan.place(len(scores) - int(crossed[0])), float(scores[crossed[0]]), self._tables.threshold)
        template = template_of(scan.rows[scan.beside(crossing.row)])
        if template is not None:
            return self._template(scan, template, crossing, reports.model)
        crowd = self._crowd(scan, self._tables.threshold / 2, crossing.row)
        if self._drifts(scan, crowd, crossing.row):
            self._due = self._crossings + NAMED
            return []
        self._due = self._crossings + max(len(self.named), NAMED)
        return [reading_of(scan, crowd, CROWD, crossing, reports.model)]

    def _in_margin(self, told: Told, which: NDArray[np.bool_], reports: Reports, seconds: float) -> list[Reading]:
        scan = self._near
        if scan is None:
            return []
        records = told.rows[which]
        numbers = self._near_seen + 1 + np.arange(len(records))
        self._near_seen += len(records)
        scores = scan.add(told, records, numbers, reports.callers)
        news = np.flatnonzero(records["weights"].any(axis=1))
        hits = scores[news] > self._tables.hit
        self.hits = self.hits[0] + int(hits.sum()), self.hits[1] + len(hits)
        statistic = self._margin.weigh(hits, seconds)
        crossed = np.flatnonzero(statistic >= self._limit)
        if not len(crossed):
            return []
        self._margin.reset()
        crossing = Crossing(scan.place(len(scores) - int(news[crossed[0]])), float(statistic[crossed[0]]), self._limit)
        template = template_of(scan.rows[scan.beside(crossing.row)])
        if template is not None:
            return self._template(scan, template, crossing, reports.model)
        before, last = self._near_told
        crowd = self._crowd(scan, self._tables.hit, crossing.row)
        is_news = len(self.named) >= 2 * before or self._near_seen >= last + self._tables.near_events
        if not is_news or self._drifts(scan, crowd, crossing.row):
            return []
        self._near_told = len(self.named), self._near_seen
        return [reading_of(scan, crowd, SEARCH, crossing, reports.model)]

    def _crowd(self, scan: CrowdScan, nats: float, row: int) -> NDArray[np.bool_]:
        """Returns which remembered rows are in cells that surprise by so much, this row anyway, and names their callers."""
        crowd = scan.crowded(nats)
        crowd[row] = True
        self.named = scan.callers(crowd)
        return crowd

    def _template(self, scan: CrowdScan, template: Template, crossing: Crossing, model: str) -> list[Reading]:
        """Returns what to say of a template, and forgets its copies, so that whatever else is there can be seen.

        While they are few it says nothing: a search that has just begun looks the same.
        """
        copies = template.copies(scan.rows)
        callers = scan.callers(copies)
        if len(callers) < LEAST_COPIES:
            return []
        self.named = callers
        reading = reading_of(scan, copies, TEMPLATE, crossing, model)
        self._templates.learn(template, self._seen)
        scan.forget(copies)
        return [reading]

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        marks = (self._seen, self._near_seen, self._crossings, self._due, self._crossed, self._near_told, self._recent)
        near = b"" if self._near is None else self._near.dump()
        return pack(_Dump(*marks, tuple(self._margin.level.tolist()), self._crowds.dump(), near, self._templates.dump()))

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned.

        Raises:
            StateError: it is no such state; the detector then stays as built, cold.
        """
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
            self._crowds.load(dump.crowds)
            self._templates.load(dump.templates)
            if self._near is not None:
                self._near.load(dump.near)
        except (msgspec.DecodeError, ValueError, zlib.error) as error:
            self._cool()
            raise StateError(f"{ID}: a state of version {VERSION} expected; {error}") from error
        self._seen, self._near_seen, self._crossings, self._due = dump.seen, dump.near_seen, dump.crossings, dump.due
        self._crossed, self._near_told, self._recent = dump.crossed, dump.near_told, dump.recent
        self._margin.level = np.array(dump.level)


class Silent:
    """Stands where a baseline has no cell tables."""

    def receive(self, reports: Reports, seconds: float) -> list[Reading]:
        """Returns nothing."""
        return []

    def look(self, rows: object) -> None:
        """Returns nothing."""

    def dump(self) -> bytes:
        """Returns nothing to remember."""
        return b""

    def load(self, data: bytes) -> None:
        """Raises StateError unless there is nothing to load."""
        if data:
            raise StateError(f"{ID}: no state expected, for the baseline has no cell tables; found {len(data)} bytes")


def build(seat: Seat) -> Collusion | Silent:
    """Returns the judge's half for the seat's baseline."""
    tables = None if seat.baseline is None else seat.baseline.cells
    return Silent() if tables is None else Collusion(tables, seat.alerts_per_month)


def scout(seat: Seat) -> Scout:
    """Returns the scout for the seat's baseline."""
    baseline = seat.baseline
    if baseline is None or baseline.cells is None:
        return Silent()
    return CollusionScout(baseline, baseline.cells, seat.shards)

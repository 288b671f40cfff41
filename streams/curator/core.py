"""Core: what the curator has learnt from the ledger so far, and what is due. Pure: a function of the frames and the orders.

Steps. A model without a baseline is learnt from its first event on. The first step comes after `baseline.rows` rows or
`baseline.hours` of event time (for a new version of a known model after INHERIT_ROWS, for it inherits); further steps come with
days of traffic, as long as what is in force is the curator's own and not armed. Each step rebuilds the baseline from all
traffic since the beginning, so the gate has more held-out days every time. After an armed baseline nothing is learnt any
more: what moves with the stream can be moved by an attacker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from models.golden import Sample
from streams.curator.merge import Arrived
from streams.curator.presence import Presence
from streams.curator.standing import Order, Standing
from streams.ledger import Ledger
from tocsin.config import BaselinePolicy
from tocsin.control import Promote
from tocsin.event import ROW_BITS
from tocsin.frame import decode_frame
from tocsin.rows import Rows, rows_of

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
DAYS: Final = (1, 2, 4, 7, 14)
STEPS: Final = ("first traffic", "1 day", *(f"{days} days" for days in DAYS[1:]))
LEAST_ROWS: Final = 1_000
"""Rows below which time alone makes no baseline."""
INHERIT_ROWS: Final = 1_000
CAP: Final = 1 << 16
"""Rows kept of one model: some 10 MB where blocks are small."""
MAX_MODELS: Final = 200
"""Models learnt at once; a flood of invented names must not exhaust memory."""


class Due(NamedTuple):
    """A step that is to be taken.

    Attributes:
        model: whose.
        step: one of STEPS.
        sample: what to build from.
        inherits: content hash of the baseline of another version, "" for none.
    """

    model: str
    step: str
    sample: Sample
    inherits: str


@dataclass(slots=True)
class Learner:
    """One model being learnt.

    Attributes:
        sample: its traffic so far.
        step: index into STEPS of the last one due, -1 at first.
    """

    sample: Sample
    step: int = -1


class Core:
    """All models of a deployment.

    Attributes:
        standings: model → what was ordered about it.
        presences: model → which fields its events carry.
        learners: model → what is being learnt.
        now_ms: ledger time.
        crowded: models that are not learnt because there are too many.
    """

    def __init__(self, policy: BaselinePolicy, shards: int, standings: Mapping[str, Standing] | None = None) -> None:
        """Starts at the beginning of the ledger, knowing the orders that stand in the control topic by now."""
        self.policy = policy
        self.standings = dict(standings or {})
        self.presences: dict[str, Presence] = {}
        self.learners: dict[str, Learner] = {}
        self.now_ms = 0
        self.crowded: dict[str, None] = {}
        self._ledgers = {shard: Ledger() for shard in range(shards)}
        self._first_ms = 0
        self._told = -1

    def apply(self, arrived: Arrived, where: str) -> list[Due]:
        """Returns the steps that one frame makes due.

        Raises:
            VersionError: a newer version wrote the frame.
        """
        frame = decode_frame(arrived.value, where)
        self._first_ms = self._first_ms or arrived.append_ms
        ledger = self._ledgers[arrived.shard]
        watermarks = ledger.watermarks(frame)
        blocks = [ledger.fresh(rows_of(block, frame.sources), watermarks) for block in frame.blocks]
        events = [rows for rows in blocks if rows.kind == "inference" and len(rows)]
        controls = ledger.fresh_controls(frame, watermarks)
        ledger.advance(frame, blocks)
        self.now_ms = max(self.now_ms, ledger.clock.now_ms)
        due = [step for rows in events for step in self._learn(rows)]
        if arrived.shard == 0:
            for control in controls:
                if control.kind == "promote":
                    body = msgspec.json.decode(control.body, type=Promote)
                    self._begin(Order(control.position >> ROW_BITS, control.ts, body))
        return due

    def obey(self, order: Order) -> None:
        """Takes note of a promotion that stands in the control topic, whether or not it has come along in the ledger."""
        standing = self.standings.setdefault(order.body.model, Standing())
        standing.add(order)
        if not standing.open:
            self.learners.pop(order.body.model, None)

    def wants(self, due: Due) -> bool:
        """Returns whether a step is still to be taken, after all that was obeyed meanwhile."""
        standing, learner = self.standings.get(due.model, Standing()), self.learners.get(due.model)
        mine = learner is not None and learner.sample is due.sample and not self._is_ahead(standing.begun)
        return mine and standing.open and not standing.done(due.step)

    def _begin(self, order: Order) -> None:
        """Takes note of a promotion at its place in the ledger: from a person's last word on, learning begins anew."""
        self._told = order.offset
        self.obey(order)
        begun = self.standings[order.body.model].begun
        if begun is not None and begun.offset == order.offset:
            self.learners.pop(order.body.model, None)

    def _learn(self, rows: Rows) -> list[Due]:
        presence = self._presence(rows.model)
        if presence is None:
            return []
        presence.add(rows)
        standing = self.standings.get(rows.model, Standing())
        if not standing.open or self._is_ahead(standing.begun):
            return []
        learner = self.learners.get(rows.model)
        if learner is None:
            learner = self.learners[rows.model] = Learner(Sample(max(CAP, self.policy.rows)))
        if learner.step == len(STEPS) - 1:
            learner.sample = Sample(0)  # all steps are taken: nothing more is kept of this model
            return []
        learner.sample.add(rows)
        reached = self._reached(learner)
        if reached <= learner.step:
            return []
        learner.step = reached
        if standing.done(STEPS[reached]):
            return []
        return [Due(rows.model, STEPS[reached], learner.sample, self._inherited(rows.model))]

    def _presence(self, model: str) -> Presence | None:
        """Returns the model's presence; when there are too many, one that hardly ever came gives way, or there is none."""
        if model not in self.presences and len(self.presences) >= MAX_MODELS:
            rare = [name for name, found in self.presences.items() if found.rows < LEAST_ROWS and name not in self.standings]
            if not rare:
                self.crowded[model] = None
                return None
            stalest = min(rare, key=lambda name: (self.presences[name].last_ts, name))
            del self.presences[stalest]
            self.learners.pop(stalest, None)
        return self.presences.setdefault(model, Presence())

    def _is_ahead(self, order: Order | None) -> bool:
        """Returns whether an order that is known from the control topic has not come along in the ledger yet."""
        return order is not None and order.offset > self._told and order.ts >= self._first_ms

    def _reached(self, learner: Learner) -> int:
        """Returns the index in STEPS that the traffic so far is good for, -1 for none."""
        sample, rows = learner.sample, self.policy.rows
        span = sample.last_ts - sample.first_ts
        enough = sample.rows >= rows or (sample.rows >= LEAST_ROWS and span >= self.policy.hours * HOUR_MS)
        if not enough and learner.step < 0 and sample.rows >= INHERIT_ROWS:
            enough = bool(self._inherited(sample.model))
        return sum(span >= days * DAY_MS for days in DAYS) if enough else -1

    def _inherited(self, model: str) -> str:
        """Returns the baseline of the version that was promoted last among the others of this model, "" for none."""
        name = model.rpartition("@")[0]
        others = [
            (standing.orders[-1].offset, standing.baseline)
            for other, standing in self.standings.items()
            if standing.baseline and other != model and other.rpartition("@")[0] == name
        ]
        return max(others)[1] if others else ""

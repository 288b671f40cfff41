"""Probe rate: one caller asks far more often than it, or anyone, used to.

Theory. A caller's usual rate is its own past, filled up with the upper quantile of the population while that past is short,
and never below that quantile: an attacker could always come as a newcomer.
Who comes after the model is armed is a stranger among known people: its own past gains weight only slowly, on the first day
too, and carries it no further than CAP times that quantile, so that nobody trains it up. Real callers come in bursts, so SLACK
times the usual rate, and a burst saved up at that rate, are free: a leaky bucket in the form of the generic cell rate algorithm
(ITU-T I.371), whose one number per caller, the theoretical arrival time, is an integer of microseconds; its maximum over the
past is exact however rows are cut, and is taken for a whole block at once. Only what spills over is evidence, weighed by
`suspect.py`. So a session after hours of silence, or a sale that triples everyone's rate, costs nothing and says nothing.

Where the model's baseline is in force its rates (`rates.py`) say what is usual, from the first event on, and no past counts.

Without one, a caller that was busy from the first minute on is believed, for busy services look the same, and a nightly job
that first comes on the model's first day and after it is armed is named, as an attacker is. With one, whoever outgrows the
golden traffic is named: asks SLACK times its upper quantile, and was not known there for it. Never seen is an attack spread
over so many accounts that each stays below that: it is nobody's rate.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.caller_pace import COLUMNS, pace
from models.caller_table import CallerTable
from models.rates import Allowance, Known
from models.suspect import Suspect
from models.suspects import ID as ID  # others know them by this module
from models.suspects import VERSION as VERSION
from models.suspects import Suspects
from models.usual import STANDING, Usual
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Reading
from tocsin.rows import Rows

MONTH_S = 30 * 86_400.0
SETS = 8_192
MAX_MODELS = 1_000
WIDEST_MS = 86_400_000
"""Blocks further apart in event time are not one step: its running maximum counts in 64 bits."""

Ints = NDArray[np.int64]


class _Dump(msgspec.Struct, array_like=True):
    table: bytes
    models: dict[str, Usual]
    suspects: list[tuple[int, Suspect]]


@dataclass(frozen=True, slots=True)
class _Joined:
    """Blocks of models none of which takes stock meanwhile.

    Attributes:
        blocks: in ledger order.
        starts: where each begins in the columns that follow.
        ts: int64 (rows,), event times.
        keys: uint64 (rows,), what the table knows their callers by.
        number: int64 (rows,), `Usual.number` of their models.
        minute: int64 (rows,), where these stand.
    """

    blocks: Sequence[Rows]
    starts: list[int]
    ts: Ints
    keys: NDArray[np.uint64]
    number: Ints
    minute: Ints


class ProbeRate:
    """One shard's callers.

    Args:
        alerts_per_month: false alarms that may be raised on the whole fleet, over all shards.
        shards: how many share them.
        baselines: model → its baseline, as in force at any time.

    Attributes:
        table: what is remembered of each (caller, model); bounded.
        models: how fast callers of each model usually ask.
        suspects: who is beyond that.
    """

    def __init__(self, alerts_per_month: float = 1.0, shards: int = 1, baselines: Mapping[str, Baseline] | None = None) -> None:
        """Starts cold."""
        self.table = CallerTable(SETS, COLUMNS)
        self.models: dict[str, Usual] = {}
        self.suspects = Suspects(MONTH_S / alerts_per_month, shards)
        self._baselines = {} if baselines is None else baselines
        self._standing = np.zeros(MAX_MODELS + 2, STANDING)
        self._allowed: dict[str, tuple[Baseline, Allowance | None]] = {}
        self._known: Known | None = None

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns the callers that crossed, or go on."""
        readings: list[Reading] = []
        if not len(rows):
            return readings
        usual = self._usual(rows.model)
        allowed = self._allowance(rows.model)
        keys = _keys(rows.hash, _salt(rows.model))
        high = np.maximum.accumulate(np.maximum(rows.ts, usual.high_ms))
        ticks = usual.ticks(high)
        begin = 0
        while begin < len(rows):
            tick = int(ticks[begin])
            if tick != usual.tick:
                usual.settle(tick, self.table, allowed)
                self._standing[usual.number] = usual.standing[0]
                self.suspects.forget(usual, self.table)
            end = begin + int(np.searchsorted(ticks[begin:], tick, side="right"))
            slots, taken = self.table.place(keys[begin:end], usual.minute)
            readings += self._apply(rows, begin, slots, usual)
            begin += taken
            usual.rows += taken
            usual.high_ms = int(high[begin - 1])
        return readings

    def observe_blocks(self, blocks: Sequence[Rows], clock: Clock) -> list[Reading]:
        """Returns what `observe` would of one block after the other, and is left as by it, at a fraction of the price.

        Blocks of many models are one step, as long as none of their models is to take stock.
        """
        blocks = [rows for rows in blocks if len(rows)]
        if len(blocks) < 2:
            return self.observe(blocks[0], clock) if blocks else []
        starts, ts = np.cumsum([0, *(len(rows) for rows in blocks[:-1])]), np.concatenate([rows.ts for rows in blocks])
        lows, highs = np.minimum.reduceat(ts, starts).tolist(), np.maximum.reduceat(ts, starts).tolist()
        readings: list[Reading] = []
        waiting: list[tuple[Rows, int]] = []
        for rows, low, high in zip(blocks, lows, highs, strict=True):
            usual = self.models.get(rows.model)
            near = usual is not None and low > highs[0] - WIDEST_MS and max(high, usual.high_ms) < highs[0] + WIDEST_MS
            if near and usual is not None and not usual.turns(high):
                waiting.append((rows, high))
                continue
            readings += self._together(waiting)
            waiting = []
            readings += self.observe(rows, clock)
        return readings + self._together(waiting)

    def _together(self, waiting: Sequence[tuple[Rows, int]]) -> list[Reading]:
        """Takes blocks, with the furthest event time of each, whose models do not take stock meanwhile."""
        readings: list[Reading] = []
        if not waiting:
            return readings
        joined = self._join([rows for rows, _ in waiting])
        begin = 0
        while begin < len(joined.ts):
            slots, taken = self.table.place(joined.keys[begin:], joined.minute[begin:])
            readings += self._step(joined, begin, slots)
            begin += taken
        for rows, high in waiting:
            usual = self.models[rows.model]
            usual.rows += len(rows)
            usual.high_ms = max(usual.high_ms, high)
        return readings

    def _join(self, blocks: Sequence[Rows]) -> _Joined:
        sizes = [len(rows) for rows in blocks]
        usuals = [self.models[rows.model] for rows in blocks]
        for rows in blocks:
            self._allowance(rows.model)
        salts = np.repeat(np.array([_salt(rows.model) for rows in blocks]), sizes)
        return _Joined(
            blocks=blocks,
            starts=np.cumsum([0, *sizes]).tolist(),
            ts=np.concatenate([rows.ts for rows in blocks]),
            keys=_keys(np.concatenate([rows.hash for rows in blocks]), salts),
            number=np.repeat([usual.number for usual in usuals], sizes),
            minute=np.repeat([usual.minute for usual in usuals], sizes),
        )

    def _step(self, joined: _Joined, begin: int, slots: Ints) -> list[Reading]:
        """Applies joined rows from `begin` on, which live at `slots`; models with excess calls one block after the other."""
        order = self._order(slots)
        if not len(order):
            return []
        number = joined.number[begin + order]
        step = pace(self.table, slots[order], joined.ts[begin + order], self._standing, number, self._known)
        if not step.excess.any():
            step.commit(self.table)
            calls = np.bincount(number, minlength=len(self.models) + 1).tolist()
            for usual in self.models.values():
                usual.calls += calls[usual.number]
            return []
        beyond = set(number[step.excess].tolist())
        self._step(joined, begin, np.where(np.isin(joined.number[begin : begin + len(slots)], list(beyond)), -1, slots))
        readings: list[Reading] = []
        for rows, start in zip(joined.blocks, joined.starts, strict=False):
            first, last = max(start, begin), min(start + len(rows), begin + len(slots))
            if first < last and self.models[rows.model].number in beyond:
                mine = slots[first - begin : last - begin]
                readings += self._apply(rows, first - start, mine, self.models[rows.model])
        return readings

    def _apply(self, rows: Rows, begin: int, slots: Ints, usual: Usual) -> list[Reading]:
        """Applies rows of one model from `begin` on, which live at `slots`."""
        order = self._order(slots)
        if not len(order):
            return []
        row_of = begin + order
        step = pace(self.table, slots[order], rows.ts[row_of], self._standing, np.array([usual.number]), self._known)
        readings = self.suspects.weigh(rows, row_of, step, usual, self.table) if step.excess.any() else []
        step.commit(self.table)
        usual.calls += len(order) - int(np.count_nonzero(step.excess))
        return readings

    def _order(self, slots: Ints) -> Ints:
        """Returns the rows that are tracked, sorted by caller."""
        tracked = np.flatnonzero(slots >= 0)
        # Sixteen bits are sorted by radix, five times as fast.
        order: Ints = tracked[np.argsort(slots[tracked].astype(np.min_scalar_type(self.table.size - 1)), kind="stable")]
        return order

    def _usual(self, model: str) -> Usual:
        name = model if model in self.models or len(self.models) < MAX_MODELS else ""
        if name not in self.models:
            self.models[name] = Usual(len(self.models) + 1)
        return self.models[name]

    def _allowance(self, model: str) -> Allowance | None:
        """Returns what the model's baseline allows; worked out once per baseline."""
        baseline = self._baselines.get(model) if model in self.models else None
        known, allowed = self._allowed.get(model, (None, None))
        if known is not baseline:
            self._allowed.pop(model, None)
            if baseline is not None:
                salt = _salt(model)
                allowed = Allowance.of(baseline.rates, self.suspects.shards, lambda hashes: _keys(hashes, salt))
                self._allowed[model] = baseline, allowed
            parts = [allowance.known for _, allowance in self._allowed.values() if allowance is not None]
            merged = Known.joined(parts)
            self._known = merged if len(merged.keys) else None
        return allowed if baseline is not None else None

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time: what a caller may do is measured in event time."""

    def dump(self) -> bytes:
        """Returns the callers seen, what is usual, and the suspects."""
        return pack(_Dump(self.table.dump(), self.models, sorted(self.suspects.at.items())))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: the bytes are no state of this version.
        """
        table = CallerTable(self.table.sets, COLUMNS)
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
            table.load(dump.table)
        except (ValueError, IndexError, zlib.error) as error:
            raise StateError(f"{ID}: a state of v{VERSION} expected; {error}") from error
        self.table, self.models, self.suspects.at = table, dump.models, dict(dump.suspects)
        for usual in self.models.values():
            self._standing[usual.number] = usual.standing[0]


def _salt(model: str) -> np.uint64:
    """Returns what sets a model's callers apart from those of others: one caller of two models has two habits."""
    return np.uint64(zlib.crc32(model.encode()) * 0x1_0000_0001)


def _keys(hashes: NDArray[np.uint64], salt: np.uint64 | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns what the table knows callers by, never 0."""
    keys: NDArray[np.uint64] = np.maximum(hashes ^ salt, np.uint64(1))
    return keys

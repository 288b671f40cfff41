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

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import caller_windows
from models.baseline import Baseline
from models.caller_pace import COLUMNS, TICK_US, Pace, pace
from models.caller_table import CallerTable
from models.rates import Allowance
from models.suspect import FASTER, MAX_EXAMPLES, Suspect
from models.usual import Usual
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Evidence, Reading
from tocsin.rows import Rows

ID = "probe_rate"
VERSION = 3
MONTH_S = 30 * 86_400.0
SETS = 8_192
AGAIN = 10
AGAIN_US = 600_000_000
"""A caller that goes on is read again when its calls have grown so many times, or after so long."""

MAX_SUSPECTS = 4_096
MAX_MODELS = 1_000
HELD_ALARMED = 1e6


class _Dump(msgspec.Struct, array_like=True):
    table: bytes
    models: dict[str, Usual]
    suspects: list[tuple[int, Suspect]]


@dataclass(slots=True)
class ProbeRate:
    """One shard's callers.

    Attributes:
        alerts_per_month: false alarms that may be raised on the whole fleet, over all shards.
        shards: how many share them.
        baselines: model → its baseline, as in force at any time.
        table: what is remembered of each (caller, model); bounded.
        models: how fast callers of each model usually ask.
        suspects: place in the table → evidence; bounded.
    """

    alerts_per_month: float = 1.0
    shards: int = 1
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    table: CallerTable = field(default_factory=lambda: CallerTable(SETS, COLUMNS))
    models: dict[str, Usual] = field(default_factory=dict)
    suspects: dict[int, Suspect] = field(default_factory=dict)
    _allowed: dict[str, tuple[Baseline, Allowance | None]] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """Returns A, seconds."""
        return MONTH_S / self.alerts_per_month

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns the callers that crossed, or go on."""
        readings: list[Reading] = []
        if not len(rows):
            return readings
        usual = self._usual(rows.model)
        allowed = self._allowance(rows.model)
        keys = _keys(rows.hash, rows.model)
        high = np.maximum.accumulate(np.maximum(rows.ts, usual.high_ms))
        ticks = usual.ticks(high)
        begin = 0
        while begin < len(rows):
            tick = int(ticks[begin])
            if tick != usual.tick:
                usual.settle(tick, self.table, allowed)
                self._forget(usual)
            end = begin + int(np.searchsorted(ticks[begin:], tick, side="right"))
            slots, taken = self.table.place(keys[begin:end], usual.minute)
            readings += self._apply(rows, begin, slots, usual, allowed)
            begin += taken
            usual.rows += taken
            usual.high_ms = int(high[begin - 1])
        return readings

    def _usual(self, model: str) -> Usual:
        name = model if model in self.models or len(self.models) < MAX_MODELS else ""
        if name not in self.models:
            self.models[name] = Usual(len(self.models) + 1)
        return self.models[name]

    def _allowance(self, model: str) -> Allowance | None:
        """Returns what the model's baseline allows; worked out once per baseline."""
        baseline = self.baselines.get(model) if model in self.models else None
        if baseline is None:
            return None
        known, allowed = self._allowed.get(model, (None, None))
        if known is not baseline:
            allowed = Allowance.of(baseline.rates, self.shards, lambda hashes: _keys(hashes, model))
            self._allowed[model] = baseline, allowed
        return allowed

    def _apply(
        self, rows: Rows, begin: int, slots: NDArray[np.int64], usual: Usual, allowed: Allowance | None
    ) -> list[Reading]:
        tracked = np.flatnonzero(slots >= 0)
        if not len(tracked):
            return []
        # Sixteen bits are sorted by radix, five times as fast.
        order = tracked[np.argsort(slots[tracked].astype(np.min_scalar_type(self.table.size - 1)), kind="stable")]
        step = pace(self.table, slots[order], rows.ts[begin + order], usual, allowed)
        readings = self._weigh(rows, begin + order, step, usual) if step.excess.any() else []
        step.commit(self.table)
        usual.calls += len(order) - int(np.count_nonzero(step.excess))
        return readings

    def _weigh(self, rows: Rows, row_of: NDArray[np.int64], step: Pace, usual: Usual) -> list[Reading]:
        """Returns the readings of this step's excess calls, in row order."""
        found: list[tuple[int, Reading]] = []
        for group in step.groups_with_excess():
            slot, last = int(step.slots[group]), step.last(group)
            suspect = self._suspect(slot)
            if suspect is not None and suspect.told and not _again(suspect, step.count(last), int(step.time_us[last])):
                continue
            for at in step.excess_of(group):
                row = int(row_of[at])
                if suspect is None:
                    suspect = self._accuse(slot, step, at, usual)
                if self._crosses(suspect, rows, row, step, at):
                    found.append((row, self._reading(rows, row, suspect, step, at, usual)))
        return [reading for _, reading in sorted(found, key=lambda item: item[0])]

    def _suspect(self, slot: int) -> Suspect | None:
        suspect = self.suspects.get(slot)
        return suspect if suspect is not None and suspect.key == int(self.table.key[slot]) else None

    def _accuse(self, slot: int, step: Pace, at: int, usual: Usual) -> Suspect:
        if len(self.suspects) >= MAX_SUSPECTS:
            weakest = sorted(self.suspects, key=lambda s: (self.suspects[s].told > 0, self.suspects[s].statistic, s))
            for other in weakest[: MAX_SUSPECTS // 4]:
                del self.suspects[other]
        busy_us = step.busy_us(at)
        usual_per_min = step.usual_per_s(at) * 60.0 / usual.grace
        suspect = Suspect(int(self.table.key[slot]), busy_us, busy_us // 1000, [0.0] * len(FASTER), [], usual_per_min)
        self.suspects[slot] = suspect
        return suspect

    def _crosses(self, suspect: Suspect, rows: Rows, row: int, step: Pace, at: int) -> bool:
        """Returns whether this excess call is to be read: at the alarm, and again while it goes on."""
        count, time_us = step.count(at), int(step.time_us[at])
        if suspect.told:
            again = _again(suspect, count, time_us)
            if again:
                suspect.told, suspect.told_us = count, time_us
            return again
        if len(suspect.examples) < MAX_EXAMPLES:
            suspect.examples.append(rows.coordinates(row))
        statistic = suspect.excess(time_us, step.usual_per_s(at), self.table.size * self.shards)
        step.hold(at, math.log1p(statistic) + 1.0)
        if statistic < self.threshold:
            return False
        suspect.told, suspect.told_us, suspect.peak = count, time_us, statistic
        step.hold(at, HELD_ALARMED)
        return True

    def _reading(self, rows: Rows, row: int, suspect: Suspect, step: Pace, at: int, usual: Usual) -> Reading:
        count, ts, group = step.count(at), int(rows.ts[row]), int(step.group[at])
        rate = count / max((int(step.time_us[at]) / 1e6 - suspect.onset_ms / 1e3) / 60.0, 1 / 60)
        evidence: Evidence = {
            "calls_since_onset": count,
            "rate_per_min": round(rate, 2),
            "usual_per_min": round(suspect.usual_per_min, 3),
            "times_usual": round(rate / suspect.usual_per_min, 1),
            "population_per_min": round(usual.per_min, 3),
            "burst_allowed": step.burst(at),
            **caller_windows.counts(step.callers[group], step.time_us[int(step.starts[group]) : at + 1]),
        }
        return Reading(
            detector=ID,
            version=VERSION,
            model=rows.model,
            watches="caller rate",
            caller=rows.caller_of(row),
            at=rows.coordinates(row),
            ts=ts,
            onset_ts=suspect.onset_ms,
            statistic=suspect.peak,
            threshold=self.threshold,
            count=count,
            evidence=evidence,
            examples=tuple(suspect.examples),
        )

    def _forget(self, usual: Usual) -> None:
        """Drops this model's suspects that have paid back all they borrowed: they are free to start anew."""
        now_us = usual.tick * TICK_US
        for slot, suspect in list(self.suspects.items()):
            if suspect.key != int(self.table.key[slot]):
                del self.suspects[slot]
            elif self.table.data["model"][slot] == usual.number and self.table.data["due_us"][slot] <= now_us:
                del self.suspects[slot]
                self.table.held[slot] = 0.0

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time: what a caller may do is measured in event time."""

    def dump(self) -> bytes:
        """Returns the callers seen, what is usual, and the suspects."""
        return pack(_Dump(self.table.dump(), self.models, sorted(self.suspects.items())))

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
        self.table, self.models, self.suspects = table, dump.models, dict(dump.suspects)


def _again(suspect: Suspect, count: int, time_us: int) -> bool:
    """Returns whether a suspect that was read is to be read again."""
    return count >= suspect.told * AGAIN or time_us >= suspect.told_us + AGAIN_US


def _keys(hashes: NDArray[np.uint64], model: str) -> NDArray[np.uint64]:
    """Returns what the table knows (caller, model) by, never 0: one caller of two models has two habits."""
    salt = np.uint64(zlib.crc32(model.encode()) * 0x1_0000_0001)
    keys: NDArray[np.uint64] = np.maximum(hashes ^ salt, np.uint64(1))
    return keys

"""Query path: one caller asks along a path no golden caller took. Evasion, boundary search, sweeps and inversion look like it.

Per caller, the last 32 distinct questions (`caller_rings.py`) give each new one four signals (`query_signals.py`), whose tails
are bet on (`tail_bets.py`) with the stakes of the model's account (`account.py`): all callers together raise no more false
alarms than the budget allows, while honest ones stay within the limits that golden callers keep (`paths.py`).

`signal` in a reading is the one that speaks loudest. Self-similarity alone is no proof of bad intent: a sensor that reports
slowly moving values, or a customer who fills in a form step by step, is like itself too. So where another signal is convincing
by itself, that one is named, and `self-similarity` means that none is.

Never seen: questions drawn from the golden distribution, each on its own, as extraction by natural queries does.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.account import Accounts, Tick
from models.baseline import Baseline
from models.caller_rings import CallerRings
from models.caller_table import put, take
from models.followed import Following, State
from models.paths import RHO, SELF, SIGNALS
from models.query_join import Asked, Joined, asked_in, join
from models.query_signals import fresh, meet
from models.query_walk import Alarm, Step, walk
from models.shiryaev_roberts import MONTH_S
from models.tail_bets import KINDS, STAKED, Sums, factors, of_signals
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Evidence, Reading
from tocsin.rows import Rows

ID: Final = "query_path"
VERSION: Final = 1
WATCHES: Final = "caller path"
CONVINCING: Final = 1e4
"""How many times what was staked a signal's own bets must have made to be named for itself."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Stakes(Protocol):
    """Where stakes come from: `account.Accounts`, or a bench's own."""

    ticks: dict[str, Tick]

    def stakes(self, model: str, ts: Ints) -> Floats:
        """Returns what each row stakes, seconds, float64 (rows,)."""
        ...


class _Dump(msgspec.Struct, array_like=True):
    rings: bytes
    states: dict[str, State]
    ticks: list[tuple[str, Tick]]


@dataclass(frozen=True, slots=True)
class Course:
    """What following some rows came to.

    Attributes:
        level: float64 (rows,), the statistic of each row's caller after it, seconds; NaN for who is not followed, or retries.
        staked: float64 (rows,), what it cost: `staked / level` bounds how likely an honest caller gets there.
        readings: in row order.
    """

    level: Floats
    staked: Floats
    readings: list[Reading]


class QueryPath:
    """One shard's callers.

    Args:
        alerts_per_month: false alarms that may be raised on one model, over all shards.
        shards: how many share them.
        baselines: model → its baseline, as in force at any time.
        accounts: where stakes come from; by default, the models' accounts of this shard.

    Attributes:
        rings: callers and their last questions; bounded.
        following: the models whose callers are followed.
        threshold: A, seconds.
    """

    def __init__(
        self,
        alerts_per_month: float = 1.0,
        shards: int = 1,
        baselines: Mapping[str, Baseline] | None = None,
        accounts: Stakes | None = None,
    ) -> None:
        """Starts cold."""
        self.rings = CallerRings()
        self.following = Following({} if baselines is None else baselines)
        self.threshold = MONTH_S / alerts_per_month
        self._accounts: Stakes = Accounts(shards) if accounts is None else accounts

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns the callers that crossed, or go on."""
        return self.follow([rows]).readings

    def observe_blocks(self, blocks: Sequence[Rows], clock: Clock) -> list[Reading]:
        """Returns what `observe` would of one block after the other, and is left as by it, at a fraction of the price."""
        return self.follow(blocks).readings

    def follow(self, blocks: Sequence[Rows]) -> Course:
        """Returns what following these blocks came to, their rows one after the other."""
        total = sum(map(len, blocks))
        course = Course(np.full(total, np.nan), np.full(total, np.nan), [])
        joined = join(blocks, self.following, self.rings, self._accounts.stakes)
        begin = 0
        while begin < len(joined.keys):
            before = self.rings.rows - begin
            slots, taken = self.rings.place(joined.keys[begin:], joined.owners[begin:])
            asked = asked_in(joined, begin, slots)
            new = fresh(self.rings, asked.questions.slot, asked.questions.prints)
            if new.any():
                self._step(joined, asked.pick(new), before, course)
            begin += taken
        return course

    def _step(self, joined: Joined, asked: Asked, before: int, course: Course) -> None:
        """Takes questions that are no retries; adds to the course what they come to."""
        signals = meet(self.rings, asked.questions, max(part.model.space.dims for part in joined.parts))
        callers, first, counts = asked.questions.callers
        records = take(self.rings.callers, callers)
        made = _factors(joined, asked, signals, records, first)
        step = Step(counts, joined.ts[asked.row], joined.stakes[asked.row], made)
        level, staked, alarms = walk(records, step, self.threshold)
        last = asked.row[first + counts - 1]
        records["row"], records["drawn"] = before + last, joined.epochs[last]
        put(self.rings.callers, callers, records)
        course.level[joined.place[asked.row]] = level
        course.staked[joined.place[asked.row]] = staked
        alarms.sort(key=lambda alarm: int(asked.row[alarm.row]))
        course.readings.extend(self._reading(joined, int(asked.row[alarm.row]), alarm) for alarm in alarms)

    def _reading(self, joined: Joined, at: int, alarm: Alarm) -> Reading:
        part = joined.part_of(at)
        row = at - part.start
        ts = int(part.rows.ts[row])
        evidence: Evidence = {
            **_named(alarm.sums),
            "queries_since_onset": alarm.count,
            "log10_statistic": round(math.log10(alarm.statistic), 2),
            "log10_threshold": round(math.log10(self.threshold), 2),
            "baseline": part.model.state.baseline[:12],
        }
        return Reading(
            detector=ID,
            version=VERSION,
            model=part.rows.model,
            watches=WATCHES,
            caller=part.rows.caller_of(row),
            at=part.rows.coordinates(row),
            ts=ts,
            onset_ts=min(alarm.onset_ms, ts),
            statistic=alarm.statistic,
            threshold=self.threshold,
            count=alarm.count,
            evidence=evidence,
            examples=(part.rows.coordinates(row),),
        )

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time: stakes are measured in event time."""

    def dump(self) -> bytes:
        """Returns the callers, the models followed, and what time their accounts know."""
        return pack(_Dump(self.rings.dump(), self.following.states, sorted(self._accounts.ticks.items())))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: the bytes are no state of this version.
        """
        rings = CallerRings()
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
            rings.load(dump.rings)
        except (ValueError, IndexError, zlib.error) as error:
            raise StateError(f"{ID}: a state of v{VERSION} expected; {error}") from error
        self.rings = rings
        self.following.load(dump.states)
        self._accounts.ticks = dict(dump.ticks)


def _factors(joined: Joined, asked: Asked, signals: NDArray[np.float32], records: NDArray[np.void], first: Ints) -> Sums:
    """Returns what each question's bets are multiplied by, as its model's limits and crowd have it.

    Args:
        joined: all rows.
        asked: questions, sorted by caller.
        signals: float32 (questions, SIGNALS).
        records: (callers,), as before these questions.
        first: int64 (callers,), each one's first question.
    """
    owners, epochs = joined.owners[asked.row], joined.epochs[asked.row]
    known = ~(np.isnan(signals) | asked.silent)
    drawn = np.diff(epochs, prepend=np.int32(0)) != 0
    drawn[first] = epochs[first] != records["drawn"]
    below = np.empty((len(signals), KINDS), np.bool_)
    pays = np.empty((len(signals), STAKED + 1))
    order = np.argsort(owners, kind="stable")
    ends = np.flatnonzero(np.diff(owners[order])) + 1
    models = joined.models
    for mine in np.split(order, ends):
        model = models[int(owners[mine[0]])]
        below[mine] = model.below(signals[mine]) & np.repeat(known[mine], len(RHO), axis=1)
        pays[mine] = model.pays(below[mine], epochs[mine], drawn[mine])
    return factors(below, known, pays)


def _named(sums: Sums) -> Evidence:
    """Returns which signal fired, and which are convincing by themselves."""
    gained = of_signals(sums)
    convincing = np.flatnonzero(gained >= CONVINCING * sums[STAKED])
    others = convincing[convincing != SELF]
    loudest = int(others[gained[others].argmax()]) if len(others) else int(gained.argmax())
    return {"signal": SIGNALS[loudest], "signals": ", ".join(SIGNALS[signal] for signal in convincing.tolist())}

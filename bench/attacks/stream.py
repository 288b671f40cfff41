"""Stream: queries of many clients as one model's traffic, in time order, for detectors to watch.

Callers are numbers: ordinary ones from 0 on, an attacker that asks under its own name ATTACKER, one that makes an account for
every query numbers from FRESH on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.attacks.clients import CLIENTS, PICKS, REACH, Client
from bench.attacks.victims import FLIP, Answers, Values, Victim, one_thread
from models.baseline import Baseline
from models.golden import Sample, build_baseline
from tests.helpers.traffic import SOURCE, START_MS, hash_of
from tocsin.event import ROW_BITS
from tocsin.rows import Rows

DAY_S: Final = 86_400.0
GOLDEN_DAYS: Final = 14.0
GOLDEN_CALLS: Final = 60
"""Mean calls of a golden client; fewer where there are few records, so that there are FEWEST clients."""
FEWEST: Final = 40
GOLDEN_KINDS: Final = {"iid": 0.4, "clustered": 0.4, "bursty": 0.2}
"""Shares of golden clients."""
PER_S: Final = 1.0
"""Events of live traffic per second."""
ATTACKER: Final = 1 << 40
FRESH: Final = 1 << 41
CROWD: Final = 1 << 42


@dataclass(frozen=True, slots=True)
class Calls:
    """Some calls of one model, in time order.

    Attributes:
        values: (calls, features).
        answers: probability of class 1.
        seconds: float64 (calls,), since the stream began.
        who: int64 (calls,), caller numbers.
        hostile: bool (calls,), whether an attacker asks.
    """

    values: Values
    answers: Answers
    seconds: NDArray[np.float64]
    who: NDArray[np.int64]
    hostile: NDArray[np.bool_]

    def __len__(self) -> int:
        """Returns the number of calls."""
        return len(self.seconds)

    def select(self, which: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Calls:
        """Returns some of the calls."""
        return Calls(self.values[which], self.answers[which], self.seconds[which], self.who[which], self.hostile[which])


def calls_of(
    victim: Victim, values: Values, seconds: NDArray[np.float64], who: NDArray[np.int64], answers: Answers | None = None
) -> Calls:
    """Returns harmless calls at these times, answered by the victim unless the answers are known."""
    if answers is None:
        with one_thread():
            answers = victim.answers(values)
    return Calls(values, answers, seconds, who, np.zeros(len(values), np.bool_))


def hostile_calls(
    values: Values, answers: Answers, seconds: NDArray[np.float64], who: NDArray[np.int64] | int = ATTACKER
) -> Calls:
    """Returns an attacker's calls at these times, under one name or one each."""
    names = np.full(len(values), who) if isinstance(who, int) else who
    return Calls(values, answers, np.asarray(seconds, float), names, np.ones(len(values), np.bool_))


def merged(parts: Sequence[Calls]) -> Calls:
    """Returns several clients' calls in time order."""
    whole = Calls(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.answers for part in parts]),
        np.concatenate([part.seconds for part in parts]),
        np.concatenate([part.who for part in parts]),
        np.concatenate([part.hostile for part in parts]),
    )
    return whole.select(np.argsort(whole.seconds, kind="stable"))


def client(victim: Victim, kind: Client, pool: Values, rng: np.random.Generator, calls: int, who: int, span_s: float) -> Calls:
    """Returns one client's calls at random times of a span."""
    seconds = np.sort(rng.uniform(0, span_s, calls))
    return calls_of(victim, kind(pool, rng, calls), seconds, np.full(calls, who))


def population(
    victim: Victim,
    pool: Values,
    kinds: dict[str, float],
    events: int,
    rng: np.random.Generator,
    span_s: float,
    mean_calls: float = GOLDEN_CALLS,
    first: int = 0,
    unequal: float = 1.0,
) -> Calls:
    """Returns about so many calls of clients of these kinds, whose numbers of calls are unequal (log-normal).

    Args:
        victim: answers.
        pool: records they hold.
        kinds: of `CLIENTS` → share of the clients.
        events: calls of all, exactly.
        rng: chance.
        span_s: over which they ask.
        mean_calls: of a client.
        first: number of the first caller.
        unequal: standard deviation of the logarithm of their numbers of calls; with 0 all ask equally often.
    """
    names, shares = list(kinds), np.array(list(kinds.values()))
    drawn = rng.lognormal(np.log(mean_calls) - unequal**2 / 2, unequal, math.ceil(events / mean_calls))
    sizes = np.maximum(np.rint(drawn).astype(int), 1)
    sizes[-1] += max(events - int(sizes.sum()), 0)
    chosen = [names[kind] for kind in rng.choice(len(names), len(sizes), p=shares / shares.sum()).tolist()]
    unused = np.ones(len(pool), np.bool_)
    asked = [_asked(kind, pool, unused, rng, size) for kind, size in zip(chosen, sizes.tolist(), strict=True)]
    who = np.repeat(np.arange(len(sizes)) + first, sizes)
    seconds = _times(sizes, rng, span_s)
    everything = calls_of(victim, np.concatenate(asked), seconds, who)
    return everything.select(np.argsort(seconds, kind="stable")[:events])


def _asked(kind: str, pool: Values, unused: NDArray[np.bool_], rng: np.random.Generator, calls: int) -> Values:
    """Returns what one client asks. No record is asked for twice before hardly any is left: real values seldom repeat."""
    if kind not in PICKS:
        return CLIENTS[kind](pool, rng, calls)
    if unused.sum() < min(2 * calls, len(pool)):
        unused[:] = True
    free = np.flatnonzero(unused)
    if len(free) > REACH:
        free = rng.choice(free, REACH, replace=False)
    picked = free[PICKS[kind](pool[free], rng, calls)]
    unused[picked] = False
    return pool[picked]


def _times(sizes: NDArray[np.int64], rng: np.random.Generator, span_s: float) -> NDArray[np.float64]:
    """Returns each client's times in order, at random over the span."""
    total = int(sizes.sum())
    who = np.repeat(np.arange(len(sizes)), sizes)
    seconds = rng.uniform(0, span_s, total)
    return seconds[np.lexsort((seconds, who))]


def golden_calls(victim: Victim, events: int | None = None, kinds: dict[str, float] = GOLDEN_KINDS) -> Calls:
    """Returns two weeks of golden traffic; three calls for four golden records unless said otherwise."""
    rng, count = np.random.default_rng([victim.seed, 71]), events or len(victim.golden) * 3 // 4
    return population(victim, victim.golden, kinds, count, rng, GOLDEN_DAYS * DAY_S, min(GOLDEN_CALLS, count / FEWEST))


def baseline_of(victim: Victim, calls: Calls, alerts_per_month: float = 1.0) -> Baseline:
    """Returns the baseline of golden calls, as the product builds it."""
    rows, sample = rows_of(victim, calls), Sample()
    for begin in range(0, len(rows), 1_024):
        sample.add(rows.select(slice(begin, begin + 1_024)))
    return build_baseline(sample, zone="UTC", alerts_per_model_month=alerts_per_month, origin=f"golden {victim.name}")


def amid(benign: Calls, attack: Calls, share: float, rng: np.random.Generator, after: int = 0) -> Calls:
    """Returns the attack's calls among the benign ones, such that they are `share` of what comes from call `after` on.

    Benign calls that would come after the attack's last are left out.
    """
    between = rng.geometric(share, len(attack)).cumsum() - np.arange(1, len(attack) + 1) + after
    if between[-1] + 1 >= len(benign):
        raise ValueError(f"amid: {between[-1] + 2} benign calls needed for {len(attack)} at {share}; found {len(benign)}")
    seconds = (benign.seconds[between] + benign.seconds[between + 1]) / 2
    placed = Calls(attack.values, attack.answers, seconds, attack.who, attack.hostile)
    return merged((benign.select(slice(0, int(between[-1]) + 1)), placed))


def model_of(victim: Victim) -> str:
    """Returns the name of the victim's model."""
    return f"bench/{victim.name}@{victim.seed}"


def rows_of(victim: Victim, calls: Calls, begin_s: float = 0.0, first: int = 0) -> Rows:
    """Returns the calls as the product sees them: a score, the class that follows from it, everything else constant.

    Args:
        victim: whose model it is.
        calls: in time order.
        begin_s: when the stream began, seconds after START_MS.
        first: position of the first row.
    """
    n = len(calls)
    names, caller = np.unique(calls.who & 0x7FFF, return_inverse=True)
    return Rows(
        kind="inference",
        model=model_of(victim),
        features=tuple(f"f{index:02}" for index in range(calls.values.shape[1])),
        sources=(SOURCE,),
        callers=tuple((f"key_{name}", "api_key_hash") for name in names.tolist()),
        labels=("no", "yes"),
        source=np.zeros(n, np.uint8),
        position=(np.arange(n, dtype=np.int64) + first) << ROW_BITS,
        ts=START_MS + np.rint((calls.seconds + begin_s) * 1_000).astype(np.int64),
        flags=np.zeros(n, np.uint8),
        caller=caller.astype(np.uint16),
        hash=hash_of(calls.who),
        values=np.ascontiguousarray(calls.values.T, np.float32),
        confidence=calls.answers.astype(np.float32),
        latency_ms=np.full(n, np.nan, np.float32),
        status=np.full(n, 200, np.int16),
        label=(calls.answers >= FLIP).astype(np.uint16),
        text={},
    )


def frames(rows: Rows, shards: int, size: int) -> Iterator[tuple[int, Rows]]:
    """Yields (shard, at most `size` rows) as intake cuts them: a shard's rows go when there are enough, the rest at the end."""
    shard = ((rows.hash >> np.uint64(40)) % np.uint64(shards)).astype(np.int64)
    cuts: list[tuple[int, int, NDArray[np.int64]]] = []
    for number in range(shards):
        mine = np.flatnonzero(shard == number)
        for begin in range(0, len(mine), size):
            piece = mine[begin : begin + size]
            cuts.append((int(piece[-1]), number, piece))
    for _, number, piece in sorted(cuts, key=lambda cut: cut[:2]):
        yield number, rows.select(piece)

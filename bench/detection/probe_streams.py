"""Probe streams: card payments as rows, and somebody among them who measures the model's threshold.

Ordinary payments and the model are those of the drills (`drills/card_fraud.py`): sessions, unequal callers, habits. The
attacker keeps one payment and moves its amount: `homing` bisects, from a wide interval anew whenever the answers have
left it too narrow; `uniform` asks amounts drawn evenly from a range around the one at which that payment is refused.
Accounts take turns.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from drills.arrivals import arrivals
from drills.card_fraud import THRESHOLD, Payments, decide, draw_payments, score
from drills.population import Population, draw_population
from drills.scenarios import SCENARIOS
from tests.helpers.traffic import MODEL, SOURCE, START_MS, hash_of
from tocsin.rows import Rows

CALLERS: Final = 5_000
STEPS: Final = 14
"""Questions of one bisection."""
FIRST_ACCOUNT: Final = 1 << 20
HIGHEST: Final = 4.0
"""Amounts of the attacker reach up to so many times the one that is refused."""
UNIFORM: Final = (0.5, 1.5)
ONSET: Final = 0.3
FEATURES: Final = tuple(field.name for field in fields(Payments))

How = Literal["homing", "uniform"]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attack:
    """A search for the threshold.

    Attributes:
        how: bisection, or amounts drawn evenly.
        accounts: that take turns.
        share: of all traffic while it lasts.
        probes: questions.
    """

    how: How
    accounts: int
    share: float
    probes: int = 3_000


def ordinary(seed: int, rate: float, begin_s: float, seconds: float, scenario: str = "calm", callers: int = CALLERS) -> Rows:
    """Returns ordinary payments of one world; another `begin_s` is another stretch of it.

    Args:
        seed: of the population and of all chance.
        rate: payments a second.
        begin_s: seconds after START_MS.
        seconds: how long.
        scenario: a row of `drills.scenarios.SCENARIOS` whose change begins at ONSET.
        callers: how many there are.
    """
    population = draw_population(np.random.default_rng(seed), seed, callers)
    rng = np.random.default_rng([seed, int(begin_s)])
    start_ms, plays = START_MS + round(begin_s * 1000), SCENARIOS[scenario]
    parts = list(
        arrivals(rng, population, rate, start_ms, seconds, lambda part: float(plays.volume(np.array([part]), ONSET)[0]))
    )
    ts, who = np.concatenate([part.ts for part in parts]), np.concatenate([part.caller for part in parts])
    payments = plays.change(draw_payments(rng, population, who, ts), (ts - start_ms) / (seconds * 1000), ONSET)
    return rows_of(rng, payments, ts, who)


def rows_of(rng: np.random.Generator, payments: Payments, ts: Ints, who: Ints) -> Rows:
    """Returns payments and their answers as rows."""
    answers, n = decide(rng, payments), len(ts)
    names, caller = np.unique(who & 0x7FFF, return_inverse=True)
    values = np.stack([getattr(payments, name) for name in FEATURES]).astype(np.float32)
    return Rows(
        kind="inference",
        model=MODEL,
        features=FEATURES,
        sources=(SOURCE,),
        callers=tuple((f"key_{name}", "api_key_hash") for name in names.tolist()),
        labels=("ok", "refused"),
        source=np.zeros(n, np.uint8),
        position=np.arange(n, dtype=np.int64) << 16,
        ts=ts,
        flags=np.zeros(n, np.uint8),
        caller=caller.astype(np.uint16),
        hash=hash_of(who),
        values=values,
        confidence=answers.score.astype(np.float32),
        latency_ms=answers.latency_ms.astype(np.float32),
        status=answers.status.astype(np.int16),
        label=answers.refused.astype(np.uint16),
        text={},
    )


def probes(seed: int, attack: Attack, ts: Ints) -> Rows:
    """Returns the attack's questions at these times, in order."""
    rng, n = np.random.default_rng([seed, 77]), len(ts)
    lines = -(-n // STEPS) if attack.how == "homing" else n
    kept = _kept(rng, ts)
    refused = _refused_at(kept)
    if attack.how == "uniform":
        amount = refused * rng.uniform(*UNIFORM, n)
    else:
        amount = np.concatenate([_bisected(refused * rng.uniform(0.3, 1.0), refused, HIGHEST) for _ in range(lines)])[:n]
    who = FIRST_ACCOUNT + np.arange(n) % attack.accounts
    spend = float(np.median(kept.amount / kept.amount_ratio))
    payments = replace(kept, amount=amount, amount_ratio=amount / spend)
    return rows_of(rng, payments, ts, who)


def _kept(rng: np.random.Generator, ts: Ints) -> Payments:
    """Returns the payment that the attacker keeps, once per question: an ordinary one of an online account."""
    people = draw_population(np.random.default_rng(int(rng.integers(1 << 30))), 0, 1)
    one = draw_payments(rng, _median(people), np.zeros(1, np.int64), ts[:1])
    columns = {name: np.repeat(getattr(one, name), len(ts)) for name in FEATURES}
    return Payments(**columns | {"card_present": np.zeros(len(ts)), "declined_24h": np.zeros(len(ts))})


def _median(people: Population) -> Population:
    return replace(people, spend=np.full(1, 30.0), home_km=np.full(1, 5.0), online=np.zeros(1))


def _refused_at(kept: Payments) -> float:
    """Returns the amount at which this payment is refused."""
    low, high = 0.01, 1e7
    one = {name: getattr(kept, name)[:1] for name in FEATURES}
    spend = float(kept.amount[0] / kept.amount_ratio[0])
    for _ in range(80):
        middle = float(np.sqrt(low * high))
        asked = Payments(**one | {"amount": np.array([middle]), "amount_ratio": np.array([middle / spend])})
        low, high = (low, middle) if float(score(asked)[0]) >= THRESHOLD else (middle, high)
    return high


def _bisected(low: float, refused: float, highest: float) -> NDArray[np.float64]:
    """Returns the amounts of one bisection between `low` and `highest` times the refused one."""
    high = refused * highest
    asked = np.empty(STEPS)
    for step in range(STEPS):
        asked[step] = (low + high) / 2
        low, high = (low, asked[step]) if asked[step] >= refused else (asked[step], high)
    return asked


def mixed(seed: int, calm: Rows, attack: Attack, first: int) -> tuple[Rows, Ints]:
    """Returns the calm rows with the attack among them from row `first` on, and which rows are the attack's."""
    after = len(calm) - first
    n = min(attack.probes, int(after * attack.share / (1.0 - attack.share)))
    rng = np.random.default_rng([seed, 5])
    span = min(round(n * (1.0 - attack.share) / attack.share), after - 1)
    ts = np.sort(rng.integers(calm.ts[first], calm.ts[first + span] + 1, n))
    return joined(calm, probes(seed, attack, ts))


def joined(calm: Rows, asked: Rows) -> tuple[Rows, Ints]:
    """Returns both in one order of time, and which rows are `asked`."""
    order = np.argsort(np.concatenate((calm.ts, asked.ts)), kind="stable")
    columns = ("ts", "flags", "source", "hash", "confidence", "latency_ms", "status", "label")
    copied: dict[str, Any] = {name: np.concatenate((getattr(calm, name), getattr(asked, name)))[order] for name in columns}
    caller = np.concatenate((calm.caller, asked.caller.astype(np.int64) + len(calm.callers)))[order]
    rows = replace(
        calm,
        callers=calm.callers + asked.callers,
        caller=caller.astype(np.uint16),
        position=np.arange(len(order), dtype=np.int64) << 16,
        values=np.concatenate((calm.values, asked.values), axis=1)[:, order],
        **copied,
    )
    return rows, np.flatnonzero(order >= len(calm))

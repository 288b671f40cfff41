"""Play: a scenario and a plan become events, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drills.arrivals import Arrivals, arrivals
from drills.card_fraud import MODEL, Payments, decide, draw_payments
from drills.plan import Plan
from drills.population import Population, draw_population
from drills.probe import draw_probe, question_times
from drills.scenarios import SCENARIOS, Scenario
from drills.wire import Calls, lines
from tocsin.ids import uid


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events of a drill, in time order; about 8,192, or a second's worth when that is more.

    Attributes:
        ts: event times, Unix milliseconds.
        callers: who sent each.
        event_ids: of each.
        attack: whether each belongs to the attack.
        lines: canonical JSON, one event each, without line ends.
    """

    ts: list[int]
    callers: list[str]
    event_ids: list[str]
    attack: list[bool]
    lines: list[bytes]


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened.

    Attributes:
        scenario: a key of SCENARIOS.
        nature: what it is.
        kind: of the finding that should be raised, "" for none.
        model: `namespace/name@version` it happened to.
        callers: who did it; empty when nobody in particular.
        start_ms: event time of the change or of the first attack event; None when nothing happens.
        end_ms: event time of the end, or None.
        event_ids: the attack's events in time order.
    """

    scenario: str
    nature: str
    kind: str
    model: str
    callers: tuple[str, ...]
    start_ms: int | None
    end_ms: int | None
    event_ids: tuple[str, ...]


class _Asked(NamedTuple):
    """Who asks what, in time order."""

    calls: Arrivals
    payments: Payments


def play(name: str, plan: Plan) -> Iterator[Batch]:
    """Yields the events of a scenario in time order.

    Args:
        name: a key of SCENARIOS.
        plan: how to play it.
    """
    times, chance, answers, attacker = (np.random.default_rng([plan.seed, plan.day, part]) for part in range(4))
    people = np.random.default_rng(plan.seed)
    population = draw_population(people, plan.seed, plan.callers)
    accounts = plan.attackers()
    ids, id_kinds = population.ids + accounts, population.id_kinds + ("api_key_hash",) * len(accounts)
    prefix, number = uid("drill", name, plan)[:10], 0
    ordinary = _ordinary(times, chance, SCENARIOS[name], plan, population)
    attack = _attack(attacker, SCENARIOS[name], plan, population)
    for calls, payments in _merged(ordinary, attack):
        event_ids = [f"{prefix}-{n:08d}" for n in range(number, number + len(calls.ts))]
        number += len(event_ids)
        answered = Calls(calls.ts, calls.caller, ids, id_kinds, payments, decide(answers, payments))
        yield Batch(
            ts=calls.ts.tolist(),
            callers=[ids[caller] for caller in calls.caller.tolist()],
            event_ids=event_ids,
            attack=(calls.caller >= len(population)).tolist(),
            lines=lines(answered, event_ids),
        )


def truth_of(name: str, plan: Plan, attack_ids: list[str]) -> Truth:
    """Returns the truth about a drill whose batches marked these events as its attack."""
    scenario = SCENARIOS[name]
    happens = scenario.nature != "calm"
    return Truth(
        scenario=name,
        nature=scenario.nature,
        kind=scenario.kind,
        model=MODEL,
        callers=plan.attackers() if scenario.attack else (),
        start_ms=plan.at_ms(plan.onset) if happens else None,
        end_ms=plan.at_ms(plan.until if scenario.attack else 1.0) if happens else None,
        event_ids=tuple(attack_ids),
    )


def _ordinary(
    times: np.random.Generator, chance: np.random.Generator, scenario: Scenario, plan: Plan, population: Population
) -> Iterator[_Asked]:
    """Yields everybody's traffic, changed as the scenario says."""

    def volume(part: float) -> float:
        return float(scenario.volume(np.array([part]), plan.onset)[0])

    for calls in arrivals(times, population, plan.rate, plan.start_ms, plan.seconds, volume):
        payments = draw_payments(chance, population, calls.caller, calls.ts)
        yield _Asked(calls, scenario.change(payments, (calls.ts - plan.start_ms) / (plan.seconds * 1000), plan.onset))


def _attack(rng: np.random.Generator, scenario: Scenario, plan: Plan, population: Population) -> _Asked:
    """Returns all of the attacker's questions; accounts take turns."""
    asked = question_times(rng, plan.attack_events * scenario.attack, plan.at_ms(plan.onset), plan.at_ms(plan.until))
    turns = len(population) + np.arange(len(asked)) % plan.accounts
    return _Asked(Arrivals(asked, turns), draw_probe(rng, asked, float(np.median(population.spend))))


def _merged(ordinary: Iterator[_Asked], attack: _Asked) -> Iterator[_Asked]:
    """Yields both in one order of time."""
    done = 0
    for some in ordinary:
        upto = int(np.searchsorted(attack.calls.ts, some.calls.ts[-1], side="right"))
        yield _mix(some, _rows(attack, slice(done, upto))) if upto > done else some
        done = upto
    if done < len(attack.calls.ts):
        yield _rows(attack, slice(done, None))


def _mix(one: _Asked, other: _Asked) -> _Asked:
    order = np.argsort(np.concatenate((one.calls.ts, other.calls.ts)), kind="stable")

    def pick(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate((a, b))[order]

    payments = {name: pick(getattr(one.payments, name), getattr(other.payments, name)) for name in Payments.__slots__}
    return _Asked(Arrivals(*map(pick, one.calls, other.calls)), Payments(**payments))


def _rows(asked: _Asked, which: slice) -> _Asked:
    payments = {name: getattr(asked.payments, name)[which] for name in Payments.__slots__}
    return _Asked(Arrivals(asked.calls.ts[which], asked.calls.caller[which]), Payments(**payments))

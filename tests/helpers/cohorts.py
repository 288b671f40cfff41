"""Cohorts: accounts that begin at random times: customers with habits, batch clients, and copiers of a model.

A customer asks about its own business: about one golden row's neighbours, and now and then about anything. A batch client asks
about anything, fast. A copier's accounts ask about anything, each as slowly as its owner thinks unsuspicious.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.helpers.traffic import MODEL, hash_of, rows_at
from tocsin.rows import Rows

DAY_S: Final = 86_400.0
HABITS: Final = 250
NEAR: Final = 0.02
"""Of the customers' rows are one customer's business."""
FEWEST_NEAR: Final = 40
QUESTIONS: Final = 40
"""Of each account are played at most; nothing looks at later ones."""

Values = NDArray[np.float32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """What can be asked.

    Attributes:
        customers: float32 (features, rows).
        copiers: float32 (features, rows), from the same source, none of them the same.
        habits: int64 (habits, near): columns of `customers` that are one customer's business.
    """

    customers: Values
    copiers: Values
    habits: Ints


@dataclass(frozen=True, slots=True)
class Played:
    """Calls of some accounts.

    Attributes:
        seconds: float64 (calls,).
        who: int64 (calls,), account numbers.
        values: float32 (features, calls).
    """

    seconds: Floats
    who: Ints
    values: Values


Ask = Callable[[World, Ints, np.random.Generator], Values]
"""Accounts of the calls, one number per call in rising order → what they ask."""


def world_of(values: Values, seed: int) -> World:
    """Returns a world of these rows, (features, rows), half of them the customers'."""
    order = np.random.default_rng(seed).permutation(values.shape[1])
    return world_between(values[:, order[: len(order) // 2]], values[:, order[len(order) // 2 :]], seed)


def world_between(mine: Values, theirs: Values, seed: int) -> World:
    """Returns a world of the customers' rows and the copiers', (features, rows)."""
    rng = np.random.default_rng(seed)
    spread = np.maximum(mine.std(axis=1, keepdims=True), 1e-6)
    scaled, near = mine / spread, max(FEWEST_NEAR, int(NEAR * mine.shape[1]))
    centres = rng.integers(mine.shape[1], size=HABITS)
    habits = [np.argpartition(np.square(scaled - scaled[:, [at]]).sum(axis=0), near)[:near] for at in centres.tolist()]
    return World(np.ascontiguousarray(mine), np.ascontiguousarray(theirs), np.stack(habits))


def anything(world: World, accounts: Ints, rng: np.random.Generator) -> Values:
    """Returns rows of customers, whosesoever."""
    return world.customers[:, rng.integers(world.customers.shape[1], size=len(accounts))]


def everything(world: World, accounts: Ints, rng: np.random.Generator) -> Values:
    """Returns rows that a copier has collected."""
    return world.copiers[:, rng.integers(world.copiers.shape[1], size=len(accounts))]


def own_business(world: World, accounts: Ints, rng: np.random.Generator) -> Values:
    """Returns rows by each account's habits; it leaves them in a share of its calls of its own, a quarter in the median."""
    distinct, which = np.unique(accounts, return_inverse=True)
    astray = np.minimum(0.9, np.exp(rng.normal(-1.3, 0.5, len(distinct))))[which]
    habit = rng.integers(len(world.habits), size=len(distinct))[which]
    usual = world.habits[habit, rng.integers(world.habits.shape[1], size=len(which))]
    other = rng.integers(world.customers.shape[1], size=len(which))
    return world.customers[:, np.where(rng.random(len(which)) < astray, other, usual)]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Accounts of one kind.

    Attributes:
        a_day: how many begin.
        per_day: what one asks a day, in the median.
        spread: standard deviation of its logarithm.
        asks: what.
    """

    a_day: float
    per_day: float
    spread: float
    asks: Ask


CUSTOMERS: Final = Cohort(600, 2.0, 1.2, own_business)
BATCH: Final = Cohort(12, 100.0, 1.0, anything)
COPIERS: Final = Cohort(600, 22.0, 0.1, everything)


def played(world: World, cohort: Cohort, days: tuple[float, float], until: float, first: int, seed: int) -> Played:
    """Returns the calls of accounts that begin in these days, up to day `until`.

    Args:
        world: what can be asked.
        cohort: who.
        days: from, to.
        until: day.
        first: number of the first account.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    accounts = round(cohort.a_day * (days[1] - days[0]))
    rate = cohort.per_day * np.exp(rng.normal(0.0, cohort.spread, accounts))
    gaps = rng.exponential(1.0, (accounts, QUESTIONS)) / rate[:, None]
    gaps[:, 0] = rng.uniform(*days, accounts)
    times = np.cumsum(gaps, axis=1)
    account, question = np.nonzero(times < until)
    values = cohort.asks(world, account, rng)
    return Played(times[account, question] * DAY_S, account + first, values)


def rows_of(*parts: Played, seed: int = 0) -> Rows:
    """Returns all calls in time order as rows of `tests.helpers.traffic.MODEL`."""
    seconds = np.concatenate([part.seconds for part in parts])
    order = np.argsort(seconds, kind="stable")
    who = np.concatenate([part.who for part in parts])[order]
    values = np.concatenate([part.values for part in parts], axis=1)[:, order]
    bare = rows_at(seconds[order], who, seed=seed, model=MODEL)
    names = tuple(f"f{index}" for index in range(len(values)))
    return replace(bare, features=names, values=values, hash=hash_of(who))


def mixture(seed: int, features: int = 36, rows: int = 40_000, parts: int = 40) -> Values:
    """Returns rows of a mixture of unequal Gaussian parts, some features rounded, some skewed, float32 (features, rows)."""
    rng = np.random.default_rng([seed, features])
    centre = rng.normal(0.0, 1.2, (parts, features))
    part = rng.choice(parts, rows, p=rng.dirichlet(np.full(parts, 0.7)))
    bend = rng.normal(0.0, 0.5, (parts, features, 6))
    values = (
        centre[part] + np.einsum("rfk,rk->rf", bend[part], rng.normal(size=(rows, 6))) + rng.normal(0, 0.35, (rows, features))
    )
    third = features // 3
    values[:, -third:] = np.round(values[:, -third:] * 1.5) / 1.5
    values[:, :third] = np.exp(0.7 * values[:, :third])
    return np.ascontiguousarray(values.T, np.float32)


def copied() -> tuple[Rows, Rows, int]:
    """Returns two weeks of a small model's customers, two further days of them and a third on which it is copied, and the first
    row of that: small enough for unit tests."""
    world = world_of(mixture(11, features=6, rows=4_000, parts=30), 11)
    customers, copiers = Cohort(60, 30.0, 0.8, own_business), Cohort(300, 90.0, 0.1, everything)
    golden = rows_of(played(world, customers, (0, 14), 14, 0, 11), seed=11)
    parts = played(world, customers, (14, 17), 16.4, 100_000, 12), played(world, copiers, (16, 17), 16.4, 200_000, 13)
    rows = rows_of(*parts, seed=12)
    return golden, rows, int(np.searchsorted(rows.ts, rows_of(parts[1]).ts[0]))

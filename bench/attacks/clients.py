"""Clients: who asks a model without meaning harm, and how they differ from records drawn at random.

Published evaluations of query detectors draw every benign client's records independently of each other (*iid*), which hides
most false alarms. The others here are constructed, none was observed:

- *clustered*: one customer's habits, the nearest neighbours of some record, in random order;
- *bursty*: anybody's records, but sessions of a few dozen calls among which each resembles the one before;
- *sensor*: a device that reports its slowly moving state: near-duplicates, one after another;
- *batch*: a table scored once, sorted by one of its columns, as fast as it goes;
- *campaign*: a crowd of new customers from one neighbourhood, who ask once or twice each;
- *viral*: a crowd who all ask for nearly the same record, as a shared template or link makes them do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.attacks.victims import Values

Ints = NDArray[np.int64]
Client = Callable[[Values, np.random.Generator, int], Values]
"""(records that such clients hold, chance, calls) → what one asks, in order."""
Pick = Callable[[Values, np.random.Generator, int], Ints]
"""The same of a client that asks for records as they are: their numbers."""

REACH: Final = 20_000
"""Neighbours are looked for among so many records, so that habits are as narrow in a large set as in a small one."""
HABIT: Final = 1.5
"""A clustered client's calls are drawn from so many times as many neighbours."""
SESSION: Final = (20, 60)
SESSION_NEIGHBOURS: Final = 200
SENSOR_MEMORY: Final = 0.98
SENSOR_SPREAD: Final = 0.05
CAMPAIGN_SHARE: Final = 0.02
"""Of all records: the neighbourhood that a campaign speaks to."""
VIRAL_NOISE: Final = 0.01
VIRAL_FEATURES: Final = 2


def iid(pool: Values, rng: np.random.Generator, calls: int) -> Ints:
    """Returns any records; none twice before all were asked."""
    rounds = [rng.permutation(len(pool)) for _ in range(-(-calls // len(pool)))]
    return np.concatenate(rounds)[:calls]


def clustered(pool: Values, rng: np.random.Generator, calls: int) -> Ints:
    """Returns records near to one; none twice before all of its neighbours were asked."""
    near = nearest(pool, rng, int(HABIT * calls) + 1)
    return near[iid(pool[near], rng, calls)]


def bursty(pool: Values, rng: np.random.Generator, calls: int) -> Ints:
    """Returns sessions: each is of the neighbours of one record."""
    asked: list[Ints] = []
    while sum(map(len, asked)) < calls:
        near = nearest(pool, rng, SESSION_NEIGHBOURS)
        asked.append(rng.permutation(near)[: int(rng.integers(*SESSION))])
    return np.concatenate(asked)[:calls]


def batch(pool: Values, rng: np.random.Generator, calls: int) -> Ints:
    """Returns any records sorted by one feature."""
    table = iid(pool, rng, calls)
    return table[np.argsort(pool[table, rng.integers(pool.shape[1])], kind="stable")]


def sensor(pool: Values, rng: np.random.Generator, calls: int) -> Values:
    """Returns a record and its slow wandering around it: an AR(1) process in each feature that varies."""
    spread = np.minimum(pool.std(axis=0), 1)
    moves = rng.normal(0, SENSOR_SPREAD * np.sqrt(1 - SENSOR_MEMORY**2), (calls, pool.shape[1])) * spread
    around = np.zeros(pool.shape[1])
    states = np.empty((calls, pool.shape[1]))
    for call, move in enumerate(moves):
        around = SENSOR_MEMORY * around + move
        states[call] = around
    wandering: Values = (pool[rng.integers(len(pool))] + states).astype(np.float32)
    return wandering


def campaign(pool: Values, rng: np.random.Generator, calls: int) -> Values:
    """Returns what a crowd asks that one message reached: records of one neighbourhood, wider than a client's habits are."""
    near = nearest(pool, rng, max(int(CAMPAIGN_SHARE * min(len(pool), REACH)), min(calls, len(pool) // 4)))
    asked: Values = pool[rng.choice(near, calls)]
    return asked


def viral(pool: Values, rng: np.random.Generator, calls: int) -> Values:
    """Returns one record again and again, a little changed in one or two features."""
    asked = np.repeat(pool[rng.integers(len(pool))][None], calls, axis=0)
    changed = rng.choice(pool.shape[1], min(VIRAL_FEATURES, pool.shape[1]), replace=False)
    asked[:, changed] += rng.normal(0, VIRAL_NOISE, (calls, len(changed)))
    shared: Values = asked.astype(np.float32)
    return shared


def nearest(pool: Values, rng: np.random.Generator, count: int) -> Ints:
    """Returns the numbers of `count` neighbours of some record, itself among them, in no order; distances in spreads."""
    among = rng.choice(len(pool), REACH, replace=False) if len(pool) > REACH else np.arange(len(pool))
    candidates = pool[among]
    spread = np.maximum(candidates.std(axis=0), 1e-6)
    distance = np.square((candidates - candidates[rng.integers(len(among))]) / spread).sum(axis=1)
    found: Ints = among[np.argpartition(distance, min(count, len(among)) - 1)[:count]]
    return found


def _ask(pick: Pick, pool: Values, rng: np.random.Generator, calls: int) -> Values:
    return pool[pick(pool, rng, calls)]


PICKS: Final[dict[str, Pick]] = {"iid": iid, "clustered": clustered, "bursty": bursty, "batch": batch}
"""Kind → which records one caller asks for, where it asks for records as they are."""

CLIENTS: Final[dict[str, Client]] = {**{kind: partial(_ask, pick) for kind, pick in PICKS.items()}, "sensor": sensor}
"""Kind → what one caller asks."""

CROWDS: Final[dict[str, Client]] = {"campaign": campaign, "viral": viral}
"""Kind → what many callers ask, each once or twice."""

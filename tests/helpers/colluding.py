"""Colluding: traffic in which a search for an adversarial input is spread over accounts that each ask once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.helpers.traffic import Times, Whos, hash_of, join, rows_at
from tocsin.rows import Rows

FRESH = 1 << 30
"""Number of the first account that an attacker makes."""
Values = NDArray[np.float32]


def calls(seed: int, count: int, per_s: float, callers: int) -> tuple[Times, Whos]:
    """Returns so many calls of ordinary callers, one as likely as the other."""
    rng = np.random.default_rng([seed, 11])
    return np.sort(rng.uniform(0, count / per_s, count)), rng.integers(0, callers, count)


def ordinary(seed: int, count: int, *, features: int = 8, callers: int = 2_000, per_s: float = 10.0) -> Rows:
    """Returns rows around eight centres: a score, and the label that follows from it."""
    return asked(rows_at(*calls(seed, count, per_s, callers), seed=seed), around(seed, count, features))


def around(seed: int, count: int, features: int) -> Values:
    """Returns records around eight centres, (features, rows)."""
    rng = np.random.default_rng([seed, 12])
    centres = np.random.default_rng(5).normal(0, 2, (8, features))
    return (centres[rng.integers(0, 8, count)] + rng.normal(0, 0.7, (count, features))).T.astype(np.float32)


def asked(rows: Rows, values: Values) -> Rows:
    """Returns the rows with these values and what the model answers to them."""
    score = (1 / (1 + np.exp(-0.5 * values.sum(axis=0)))).astype(np.float32)
    names = tuple(f"f{number}" for number in range(len(values)))
    return replace(rows, features=names, values=values, confidence=score, label=(score >= 0.5).astype(np.uint16))


def amid(rows: Rows, attack: Values, after: int, every: int, who: Whos | None = None) -> Rows:
    """Returns the rows with one of the attack's, by an account of its own, before every so many rows from row `after` on."""
    seconds = (rows.ts - rows.ts[0]) / 1_000.0
    count = attack.shape[1]
    places = after + np.arange(count) * every
    accounts = FRESH + np.arange(count) if who is None else who
    own = np.full(len(rows), -1)
    times, order = join((seconds, own), (seconds[places] - 1e-4, np.arange(count)))
    hostile = order >= 0
    mixed = rows_at(np.maximum(times, 0), np.zeros(len(times), np.int64))
    values = np.empty((len(rows.values), len(times)), np.float32)
    values[:, ~hostile], values[:, hostile] = rows.values, attack
    hashes = np.empty(len(times), np.uint64)
    hashes[~hostile], hashes[hostile] = rows.hash, hash_of(accounts)
    return asked(replace(mixed, ts=mixed.ts + int(rows.ts[0] - mixed.ts[0]), hash=hashes), values)


def homing(seed: int, count: int, features: int = 8) -> Values:
    """Returns queries that move around a point of the decision boundary, (features, queries)."""
    rng = np.random.default_rng([seed, 13])
    point = rng.normal(0, 1, features)
    point -= point.mean()
    return (point[:, None] + rng.normal(0, 0.15, (features, count))).astype(np.float32)


def form(seed: int, count: int, features: int = 8) -> Values:
    """Returns copies of one record that differ a little in one feature, (features, queries)."""
    rng = np.random.default_rng([seed, 14])
    copies = np.repeat((rng.normal(0, 1, features) + 1.0)[:, None], count, axis=1)
    copies[0] += rng.normal(0, 0.02, count)
    return copies.astype(np.float32)


def colluded() -> tuple[Rows, Rows, int]:
    """Returns golden rows, live rows that turn into a search after so many, and how many."""
    live = ordinary(2, 18_000)
    return ordinary(1, 20_000), amid(live, homing(3, 190), 16_000, 10), 16_000


def bisecting(seed: int, searches: int, steps: int = 10, features: int = 8) -> Values:
    """Returns a line search: bisections between records on either side of the boundary, (features, queries)."""
    ends = around(seed, 40 * searches, features)
    low, high = ends[:, ends.sum(axis=0) < 0][:, :searches], ends[:, ends.sum(axis=0) >= 0][:, :searches]
    queries = []
    for a, b in zip(low.T, high.T, strict=True):
        for _ in range(steps):
            middle = (a + b) / 2
            queries.append(middle)
            a, b = (middle, b) if middle.sum() < 0 else (a, middle)
    return np.array(queries, np.float32).T

"""Searches: a small model of two classes, honest callers of it, and callers who search its boundary, seeded."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline, Gate
from models.golden import Sample
from models.golden_sample import Golden
from models.paths_fit import fit
from tests.helpers.baselines import baseline_of
from tests.helpers.traffic import MODEL, SOURCE, START_MS, cut, hash_of
from tocsin.rows import Rows

FEATURES = ("a", "b", "c", "d", "e", "f")
Values = NDArray[np.float32]


def records(seed: int, count: int) -> Values:
    """Returns records around a few centres, (count, features)."""
    rng = np.random.default_rng([seed, 9])
    centres = np.random.default_rng(4).normal(0, 1.5, (8, len(FEATURES)))
    found: Values = (centres[rng.integers(0, 8, count)] + rng.normal(0, 0.6, (count, len(FEATURES)))).astype(np.float32)
    return found


def answers(values: Values) -> Values:
    """Returns what the model answers: the probability of `yes`, (rows,)."""
    level = np.sin(values[:, 0] * 1.5) + values[:, 1] - 0.5 * values[:, 2]
    found: Values = (0.5 + 0.5 * np.tanh(1.5 * level)).astype(np.float32)
    return found


def asked(values: Values, who: NDArray[np.int64], *, every_s: float = 1.0, begin_s: float = 0.0, model: str = MODEL) -> Rows:
    """Returns these questions as rows, one every so many seconds."""
    n, told = len(values), answers(values)
    names, caller = np.unique(who & 0x7FFF, return_inverse=True)
    return Rows(
        kind="inference",
        model=model,
        features=FEATURES,
        sources=(SOURCE,),
        callers=tuple((f"key_{name}", "api_key_hash") for name in names.tolist()),
        labels=("no", "yes"),
        source=np.zeros(n, np.uint8),
        position=np.arange(n, dtype=np.int64) << 16,
        ts=START_MS + ((begin_s + np.arange(n) * every_s) * 1_000).astype(np.int64),
        flags=np.zeros(n, np.uint8),
        caller=caller.astype(np.uint16),
        hash=hash_of(np.asarray(who)),
        values=np.ascontiguousarray(values.T, np.float32),
        confidence=told,
        latency_ms=np.full(n, 5.0, np.float32),
        status=np.full(n, 200, np.int16),
        label=(told >= 0.5).astype(np.uint16),
        text={},
    )


def mixed(seed: int, count: int, callers: int, first: int = 0) -> tuple[Values, NDArray[np.int64]]:
    """Returns what honest callers ask, at random, and who asks."""
    return records(seed, count), np.random.default_rng([seed, 1]).integers(0, callers, count) + first


def habit(seed: int, count: int) -> Values:
    """Returns what a customer asks whose questions all lie around one record."""
    rng, pool = np.random.default_rng([seed, 2]), records(seed, 20 * count)
    apart = np.square(pool - pool[0]).sum(axis=1)
    found: Values = pool[rng.permutation(np.argsort(apart)[: int(1.5 * count)])[:count]]
    return found


def bisections(seed: int, count: int) -> Values:
    """Returns what a line search asks: two records of different classes, then ten points between them, and so on."""
    pool, made = records(seed + 1_000, 8 * count), list[Values]()
    rng = np.random.default_rng([seed, 3])
    while len(made) < count:
        a, b = pool[rng.choice(len(pool), 2, replace=False)]
        own, other = answers(np.stack([a, b])) >= 0.5
        if own != other:
            made += [a, b]
            for _ in range(10):
                made.append((a + b) / 2)
                if (answers(made[-1][None])[0] >= 0.5) == own:
                    a = made[-1]
                else:
                    b = made[-1]
    return np.stack(made[:count])


def sweep(seed: int, count: int) -> Values:
    """Returns one record with one feature taken through its range."""
    rng = np.random.default_rng([seed, 4])
    made = np.repeat(records(seed + 2_000, 1), count, axis=0)
    made[:, int(rng.integers(len(FEATURES)))] = rng.permutation(np.linspace(-3, 3, count))
    return made


def sensor(seed: int, count: int) -> Values:
    """Returns a state that moves slowly around an ordinary one, far from the decision."""
    rng, pool = np.random.default_rng([seed, 5]), records(seed + 3_000, 64)
    ordinary = pool[np.argmax(np.abs(answers(pool) - 0.5))]
    moves: Values = (ordinary + np.cumsum(rng.normal(0, 0.005, (count, len(FEATURES))), axis=0)).astype(np.float32)
    return moves


def golden(rows: Rows) -> Golden:
    """Returns rows as a golden sample."""
    sample = Sample()
    for block in cut(rows, 1_024):
        sample.add(block)
    return sample.golden()


def golden_rows(seed: int = 50, count: int = 12_000, callers: int = 120) -> Rows:
    """Returns a fortnight of honest questions."""
    return asked(*mixed(seed, count, callers), every_s=14 * 86_400 / count, begin_s=-15 * 86_400)


@cache
def fitted() -> tuple[Baseline, Gate]:
    """Returns a baseline of honest callers, with their paths, and what the gate said."""
    rows = golden_rows()
    bare = baseline_of(rows, watches=("confidence", "envelope"))
    paths, gate = fit(golden(rows), bare, 0.1)
    return msgspec.structs.replace(bare, paths=paths), gate


def without_answers(rows: Rows) -> Rows:
    """Returns rows of a model that tells neither class nor confidence."""
    nothing = np.full(len(rows), np.nan, np.float32)
    return replace(rows, labels=("",), label=np.zeros(len(rows), np.uint16), confidence=nothing)

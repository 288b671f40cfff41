"""Traffic: rows made by numpy, seeded, for tests and benchmarks of detectors."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tocsin.event import Source
from tocsin.rows import Rows

MODEL = "fraud/card@3"
START_MS = 1_767_571_200_000
SOURCE = Source("t-1", "raw", 0)
FEATURES = ("amount", "km", "hour")

Times = NDArray[np.float64]
Whos = NDArray[np.int64]


def hash_of(who: Whos) -> NDArray[np.uint64]:
    """Returns a well mixed 64-bit hash of each caller number (SplitMix64, Steele et al. 2014)."""
    z = (who.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def rows_at(seconds: Times, who: Whos, *, seed: int = 0, model: str = MODEL, first: int = 0) -> Rows:
    """Returns rows of one model at these seconds after START_MS by these callers, with calm values.

    Args:
        seconds: in ledger order.
        who: caller numbers, may exceed 2**16 distinct ones: ids are then shared, hashes never.
        seed: of the values.
        model: `namespace/name@version`.
        first: position of the first row.
    """
    n = len(seconds)
    rng = np.random.default_rng([seed, zlib.crc32(model.encode())])
    names, caller = np.unique(who & 0x7FFF, return_inverse=True)
    return Rows(
        kind="inference",
        model=model,
        features=FEATURES,
        sources=(SOURCE,),
        callers=tuple((f"key_{name}", "api_key_hash") for name in names.tolist()),
        labels=("ok", "refused"),
        source=np.zeros(n, np.uint8),
        position=(np.arange(n, dtype=np.int64) + first) << 16,
        ts=START_MS + np.rint(np.asarray(seconds) * 1000).astype(np.int64),
        flags=np.zeros(n, np.uint8),
        caller=caller.astype(np.uint16),
        hash=hash_of(np.asarray(who)),
        values=np.stack([rng.lognormal(3.4, 0.7, n), rng.lognormal(1.5, 0.8, n), rng.uniform(0, 24, n)]).astype(np.float32),
        confidence=rng.beta(8, 2, n).astype(np.float32),
        latency_ms=rng.lognormal(3.0, 0.4, n).astype(np.float32),
        status=np.where(rng.random(n) < 0.002, 500, 200).astype(np.int16),
        label=(rng.random(n) < 0.05).astype(np.uint16),
        text={},
    )


def cut(rows: Rows, size: int) -> Iterator[Rows]:
    """Yields the rows in blocks of `size`."""
    for begin in range(0, len(rows), size):
        yield rows.select(slice(begin, begin + size))


def join(*parts: tuple[Times, Whos]) -> tuple[Times, Whos]:
    """Returns several callers' calls as one stream in time order."""
    seconds = np.concatenate([part[0] for part in parts])
    order = np.argsort(seconds, kind="stable")
    return seconds[order], np.concatenate([part[1] for part in parts])[order]


def poisson(seed: int, callers: int, rate: float, seconds: float) -> tuple[Times, Whos]:
    """Returns callers who all call at the same `rate` per second, independently."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(callers * rate * seconds)
    return np.sort(rng.uniform(0, seconds, n)), rng.integers(0, callers, n)


def steady(who: int, begin: float, rate: float, count: int) -> tuple[Times, Whos]:
    """Returns one caller that calls `count` times at a fixed `rate` per second from `begin` on."""
    return begin + np.arange(count) / rate, np.full(count, who)


def day_factor(seconds: Times) -> Times:
    """Returns the relative volume: 1.8 at noon, 0.2 at midnight, 1 on average."""
    factor: Times = 1.0 - 0.8 * np.cos(seconds * (2 * np.pi / 86_400))
    return factor


def sessions(
    seed: int,
    callers: int,
    per_s: float,
    seconds: float,
    *,
    length: float = 8.0,
    pause_s: float = 1.0,
    pareto: float = 1.6,
    diurnal: bool = True,
    promo: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> tuple[Times, Whos]:
    """Returns calls in sessions by callers of Pareto rates.

    Args:
        seed: of everything.
        callers: how many.
        per_s: calls per second by all of them, on average.
        seconds: how long.
        length: mean calls of a session (geometric).
        pause_s: mean pause within a session (exponential).
        pareto: tail index of the callers' rates; smaller is more unequal.
        diurnal: whether volume follows the hour.
        promo: (from, to, times): everyone calls `times` as often in between.
    """
    rng = np.random.default_rng(seed)
    share = rng.pareto(pareto, callers) + 1.0
    n = rng.poisson(per_s * seconds * max(1.8 if diurnal else 1.0, 1.0) * promo[2] / length)
    begin = np.sort(rng.uniform(0, seconds, n))
    ceiling = (1.8 if diurnal else 1.0) * promo[2]
    wanted = (day_factor(begin) if diurnal else 1.0) * np.where((begin >= promo[0]) & (begin < promo[1]), promo[2], 1.0)
    begin = begin[rng.random(n) * ceiling < wanted]
    who = rng.choice(callers, len(begin), p=share / share.sum())
    size = rng.geometric(1.0 / length, len(begin))
    start = np.cumsum(size) - size
    pause = rng.exponential(pause_s, int(size.sum()))
    pause[start] = 0.0
    since = np.cumsum(pause)
    return join((np.repeat(begin, size) + since - np.repeat(since[start], size), np.repeat(who, size)))


def with_values(rows: Rows, after: int, **columns: NDArray[np.generic]) -> Rows:
    """Returns the rows with these columns' values from row `after` on; `values` replaces features (features, rows)."""
    changed = {}
    for name, new in columns.items():
        old = getattr(rows, name).copy()
        old[..., after:] = new
        changed[name] = old
    return replace(rows, **changed)


def trickle(seed: int, count: int, seconds: float) -> tuple[Times, Whos]:
    """Returns `count` callers who call once each, at random times."""
    rng = np.random.default_rng([seed, 1])
    return np.sort(rng.uniform(0, seconds, count)), np.arange(count) + (1 << 20)

"""Arrivals: when who calls.

Sessions arrive as a Poisson process whose intensity follows the hour of the day; a session is a geometric number of events
with log-normal pauses between them. Counts are therefore more dispersed than Poisson, as real traffic is: a detector that
is quiet here has not been flattered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drills.population import Population

HOUR_MS = 3_600_000
PAUSE_MEDIAN_MS = 30_000.0
PAUSE_SIGMA = 0.8
WARM_MS = 600_000
"""Sessions that began before the start are still running at it; without them the first minutes would be too quiet."""

BATCH_EVENTS = 8192
MAX_SPAN_MS = 300_000

Volume = Callable[[float], float]
"""Time as a fraction of the drill in [0, 1] → how many times the usual volume."""


class Arrivals(NamedTuple):
    """Calls in time order.

    Attributes:
        ts: int64, Unix milliseconds.
        caller: int64, index into the population.
    """

    ts: NDArray[np.int64]
    caller: NDArray[np.int64]


def diurnal(ts_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the relative volume at these times, 1 on average over a day: low at 4 h, high from noon to 20 h UTC."""
    hour = ts_ms / HOUR_MS * (2 * np.pi / 24)
    return 1.0 - 0.55 * np.cos(hour - 2 * np.pi * 4 / 24) - 0.15 * np.cos(2 * hour - 2 * np.pi * 4 / 24)


def arrivals(
    rng: np.random.Generator, population: Population, rate: float, start_ms: int, seconds: float, volume: Volume = lambda _: 1.0
) -> Iterator[Arrivals]:
    """Yields the calls of one drill, span by span, in time order.

    Args:
        rng: where the chance comes from.
        population: who may call.
        rate: mean events a second over the drill, before `volume`.
        start_ms: when it begins, Unix milliseconds.
        seconds: how long it lasts.
        volume: how many times as many calls as usual, and when.
    """
    end_ms = start_ms + round(seconds * 1000)
    mean = diurnal(np.linspace(start_ms, end_ms, 1000)).mean()
    span = int(min(max(BATCH_EVENTS / rate * 1000, 1000), MAX_SPAN_MS))
    waiting = Arrivals(np.empty(0, np.int64), np.empty(0, np.int64))
    for begin in range(start_ms - WARM_MS, end_ms, span):
        usual = float(diurnal(np.array([begin + span / 2.0]))[0] / mean)
        part = max(0.0, (begin - start_ms) / (end_ms - start_ms))
        # A caller with long sessions starts fewer of them: `share` is a share of events.
        per_ms = population.share * (rate * usual * volume(part) / 1000) / population.session
        fresh = _sessions(rng, population, per_ms, begin, span)
        both = Arrivals(*(np.concatenate(pair) for pair in zip(waiting, fresh, strict=True)))
        order = np.argsort(both.ts, kind="stable")
        both = Arrivals(both.ts[order], both.caller[order])
        first, last = np.searchsorted(both.ts, [start_ms, min(begin + span, end_ms)]).tolist()
        if last > first:
            yield Arrivals(both.ts[first:last], both.caller[first:last])
        waiting = Arrivals(both.ts[last:], both.caller[last:])


def _sessions(rng: np.random.Generator, population: Population, per_ms: NDArray[np.float64], begin: int, span: int) -> Arrivals:
    """Returns all events of the sessions that begin in this span, session by session."""
    cumulative = np.cumsum(per_ms)
    sessions = int(rng.poisson(cumulative[-1] * span))
    who = np.searchsorted(cumulative, rng.random(sessions) * cumulative[-1], side="right")
    size = rng.geometric(1.0 / population.session[who])
    first = np.cumsum(size) - size
    pause = rng.lognormal(np.log(PAUSE_MEDIAN_MS), PAUSE_SIGMA, int(size.sum()))
    pause[first] = rng.random(sessions) * span
    elapsed = np.cumsum(pause)
    elapsed -= np.repeat(elapsed[first] - pause[first], size)
    return Arrivals(begin + elapsed.astype(np.int64), np.repeat(who, size).astype(np.int64))

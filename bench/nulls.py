"""Nulls: traffic in which nobody attacks, to count false alarms on.

TUNED is what the detectors' constants were chosen on: zeros there prove little. UNSEEN was written afterwards, of other
habits: shifts, nightly jobs, polling, self-exciting calls, launches, retries, newcomers. No constant was chosen on it, but what
came out of its first run changed two principles of `probe_rate` (strangers are held against busiest hours, nobody to less than
a stranger), so it is a second run, on fresh seeds, that is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.helpers.traffic import Times, Whos, join, poisson, sessions, steady

DAY_S = 86_400.0
DAYS = 3
SPAN_S = DAYS * DAY_S

Stream = Callable[[int], tuple[Times, Whos]]
Level = Callable[[np.random.Generator, Times, Whos], NDArray[np.float64]]
"""(chance, when a session would begin, whose) → probability that it does."""

TUNED: Final[dict[str, Stream]] = {
    "independent calls": lambda seed: poisson(seed, 1_000, 0.001, SPAN_S),
    "sessions of 8": lambda seed: sessions(seed, 1_000, 1.0, SPAN_S),
    "sessions of 20 in 10 s": lambda seed: sessions(seed, 1_000, 1.0, SPAN_S, length=20, pause_s=0.5),
    "very unequal callers": lambda seed: sessions(seed, 2_000, 2.0, SPAN_S, pareto=1.1, length=3, pause_s=10),
    "a sale triples everyone": lambda seed: sessions(seed, 1_000, 1.0, SPAN_S, promo=(1.4 * DAY_S, 1.8 * DAY_S, 3.0)),
    "few and slow callers": lambda seed: sessions(seed, 30, 0.02, SPAN_S, length=4),
}


def always(rng: np.random.Generator, begin: Times, who: Whos) -> NDArray[np.float64]:  # noqa: ARG001 - one signature for all
    """Returns 1: day and night."""
    return np.ones_like(begin)


def in_shifts(rng: np.random.Generator, begin: Times, who: Whos) -> NDArray[np.float64]:
    """Returns 1 in eight hours of the day, of each caller's own, else 0."""
    starts = rng.uniform(0.0, DAY_S, int(who.max()) + 1)
    return ((begin - starts[who]) % DAY_S < DAY_S / 3).astype(np.float64)


def growing(rng: np.random.Generator, begin: Times, who: Whos) -> NDArray[np.float64]:  # noqa: ARG001 - one signature for all
    """Returns a volume that doubles over the three days."""
    return (1.0 + begin / SPAN_S) / 2.0


def launching(rng: np.random.Generator, begin: Times, who: Whos) -> NDArray[np.float64]:
    """Returns 1 from when a caller comes, at some time in the first half day."""
    return (begin >= rng.uniform(0.0, DAY_S / 2, int(who.max()) + 1)[who]).astype(np.float64)


def lognormal_callers(
    seed: int, callers: int, per_s: float, level: Level = always, sigma: float = 1.3, length: float = 5.0
) -> tuple[Times, Whos]:
    """Returns DAYS of sessions (Poisson, thinned by `level`; log-normal pauses) of callers with log-normal rates."""
    rng = np.random.default_rng([seed, 7])
    share = rng.lognormal(0.0, sigma, callers)
    begin = np.sort(rng.uniform(0.0, SPAN_S, rng.poisson(per_s * SPAN_S / length)))
    who = rng.choice(callers, len(begin), p=share / share.sum())
    kept = rng.random(len(begin)) < level(rng, begin, who)
    return _clusters(rng, begin[kept], who[kept], rng.geometric(1.0 / length, int(kept.sum())), 20.0)


def _clusters(
    rng: np.random.Generator, begin: Times, who: Whos, size: NDArray[np.int64], median_s: float
) -> tuple[Times, Whos]:
    first = np.cumsum(size) - size
    pause = rng.lognormal(np.log(median_s), 0.8, int(size.sum()))
    pause[first] = 0.0
    since = np.cumsum(pause)
    return join((np.repeat(begin, size) + since - np.repeat(since[first], size), np.repeat(who, size)))


def nightly(seed: int) -> tuple[Times, Whos]:
    """Returns callers beside whom five jobs of 4,000 calls, 4 a second, run every night, from the first on."""
    jobs = [
        steady(2_000 + job, day * DAY_S + 3_600.0 * (1 + job) + float(late), 4.0, 4_000)
        for day in range(DAYS)
        for job, late in enumerate(np.random.default_rng([seed, 8]).uniform(0, 600, 5))
    ]
    return join(lognormal_callers(seed, 1_000, 3.0), *jobs)


def polling(seed: int) -> tuple[Times, Whos]:
    """Returns 300 clients that ask every 10 s to 10 min, each at its own fixed interval, among other callers."""
    rng = np.random.default_rng([seed, 9])
    every = np.exp(rng.uniform(np.log(10.0), np.log(600.0), 300))
    clients = [steady(2_000 + n, float(rng.uniform(0, s)), 1.0 / s, int(SPAN_S / s)) for n, s in enumerate(every.tolist())]
    return join(lognormal_callers(seed, 700, 1.0), *clients)


def self_exciting(seed: int) -> tuple[Times, Whos]:
    """Returns Hawkes processes, one a caller: every call causes .8 more on average, each half a minute later on average."""
    rng = np.random.default_rng([seed, 10])
    share = rng.lognormal(0.0, 1.0, 1_000)
    seconds = rng.uniform(0.0, SPAN_S, rng.poisson(2.0 * 0.2 * SPAN_S))
    parts = [(seconds, rng.choice(1_000, len(seconds), p=share / share.sum()))]
    while len(parts[-1][0]):
        children = rng.poisson(0.8, len(parts[-1][0]))
        seconds = np.repeat(parts[-1][0], children)
        parts.append((seconds + rng.exponential(30.0, len(seconds)), np.repeat(parts[-1][1], children)))
    return join(*parts)


def retry_storms(seed: int) -> tuple[Times, Whos]:
    """Returns callers who for ten minutes, once a day, repeat every call after some seconds because it failed."""
    rng = np.random.default_rng([seed, 11])
    seconds, who = lognormal_callers(seed, 1_000, 3.0)
    failing = np.zeros(len(seconds), np.bool_)
    for day in range(DAYS):
        start = day * DAY_S + rng.uniform(3_600, DAY_S - 3_600)
        failing |= (seconds >= start) & (seconds < start + 600)
    again = seconds[failing]
    return join((seconds, who), (again + rng.uniform(1, 5, len(again)), who[failing]))


def campaign(seed: int) -> tuple[Times, Whos]:
    """Returns callers joined on the second day, over four hours, by 5,000 new ones of a session each."""
    rng = np.random.default_rng([seed, 12])
    begin = np.sort(1.4 * DAY_S + rng.uniform(0, 4 * 3_600, 5_000))
    new = _clusters(rng, begin, 2_000 + np.arange(5_000), rng.geometric(1 / 8, 5_000), 10.0)
    return join(lognormal_callers(seed, 1_000, 2.0), new)


UNSEEN: Final[dict[str, Stream]] = {
    "log-normal callers in shifts": lambda seed: lognormal_callers(seed, 1_000, 9.0, in_shifts),
    "nightly jobs": nightly,
    "polling clients": polling,
    "self-exciting calls": self_exciting,
    "volume doubles in three days": lambda seed: lognormal_callers(seed, 1_000, 4.0, growing),
    "a launch: all come in half a day": lambda seed: lognormal_callers(seed, 2_000, 4.0, launching),
    "a launch, very unequal callers": lambda seed: lognormal_callers(seed, 2_000, 4.0, launching, sigma=2.0),
    "retries double everyone": retry_storms,
    "a campaign: 5,000 newcomers": campaign,
}

"""Calm: simulated traffic in which nothing happens, of the kinds that raise false alarms.

A model is called some thousand times a day by 5,000 callers of very unequal rates. A row's amount, confidence and latency are
its caller's habit and chance; `habit` is the share of variance that is habit (intra-class correlation). Seeds below 1,000 are
for development; what is reported was measured on others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter  # type: ignore[import-untyped]  # it ships no stubs

from tests.helpers.traffic import MODEL, SOURCE, START_MS, hash_of
from tocsin.rows import Rows

DAY_S: Final = 86_400.0
CALLERS: Final = 5_000
PER_DAY: Final = 2_500
LONGEST: Final = 500
"""Calls of one session."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of traffic.

    Attributes:
        callers: how many there are.
        habit: share of a value's variance that is its caller's.
        session: mean calls of a session; 1 for none.
        pause_s: mean seconds between a session's calls.
        heavy: whether sessions' lengths have a heavy tail.
        active: share of the callers that call at all on a day.
        lean: how much more those call whose amounts are high, in logs per standard deviation.
        diurnal: whether nights have a tenth of noon's calls.
        tide: standard deviations by which values move with the hour.
        memory: correlation of each row's chance with the row's before.
        promo: whether volume is five times as high for six hours once a week.
        drift: standard deviations by which values wander per day, as a random walk.
        golden_days: learnt from.
    """

    callers: int = CALLERS
    habit: float = 0.3
    session: float = 8.0
    pause_s: float = 60.0
    heavy: bool = False
    active: float = 1.0
    lean: float = 0.0
    diurnal: bool = False
    tide: float = 0.0
    memory: float = 0.0
    promo: bool = False
    drift: float = 0.0
    golden_days: int = 14


KINDS: Final[dict[str, Kind]] = {
    "independent calls": Kind(habit=0.0, session=1.0),
    "5,000 unequal callers": Kind(session=1.0),
    "sessions, habit .3": Kind(),
    "heavy sessions, habit .9": Kind(habit=0.9, heavy=True),
    "10 % of callers a day, habit .3": Kind(active=0.1),
    "10 % of callers a day, habit .9": Kind(active=0.1, habit=0.9),
    "ten calls by day to one by night": Kind(diurnal=True, tide=1.0),
    "AR(1) of .5": Kind(habit=0.0, session=1.0, memory=0.5),
    "a promotion every week": Kind(diurnal=True, promo=True),
    "a dozen callers, sessions": Kind(callers=12),
    "cold start: two golden days": Kind(golden_days=2, diurnal=True),
}
HOSTILE: Final[dict[str, Kind]] = {"drifts by itself, AR(1) of .9": Kind(habit=0.3, memory=0.9, drift=0.3)}
"""No null: a reference that must not be armed on."""


def month(kind: Kind, seed: int, days: int, per_day: int = PER_DAY) -> tuple[Rows, Rows]:
    """Returns golden rows, and the rows of the `days` after them."""
    rng = np.random.default_rng([seed, 31])
    habits = rng.normal(size=(3, kind.callers))
    rates = np.exp(1.5 * rng.normal(size=kind.callers) + kind.lean * habits[0])
    seconds, who = _calls(kind, rng, rates, kind.golden_days + days, per_day)
    rows = _rows(kind, rng, habits, seconds, who)
    cut = int(np.searchsorted(seconds, kind.golden_days * DAY_S))
    return rows.select(slice(0, cut)), rows.select(slice(cut, len(rows)))


def _calls(kind: Kind, rng: np.random.Generator, rates: Floats, days: int, per_day: int) -> tuple[Floats, Ints]:
    begin = _begins(kind, rng, days, per_day)
    who = _whos(kind, rng, rates, (begin // DAY_S).astype(np.int64))
    if kind.session == 1.0:
        return begin, who
    size = rng.geometric(1.0 / kind.session, len(begin))
    if kind.heavy:
        size = np.minimum(np.ceil((rng.pareto(1.3, len(begin)) + 1.0) * kind.session * 0.3), LONGEST).astype(np.int64)
    first = np.cumsum(size) - size
    since = np.cumsum(rng.exponential(kind.pause_s, int(size.sum())))
    seconds = np.repeat(begin - since[first], size) + since
    order = np.argsort(seconds, kind="stable")
    kept = order[seconds[order] < days * DAY_S]
    return seconds[kept], np.repeat(who, size)[kept]


def _begins(kind: Kind, rng: np.random.Generator, days: int, per_day: int) -> Floats:
    begin = rng.uniform(0.0, days * DAY_S, rng.poisson(days * per_day / kind.session * 5.0))
    level = np.full(len(begin), 0.2)
    if kind.diurnal:
        level *= (1.0 + 9.0 * (0.5 - 0.5 * np.cos(begin * (2 * np.pi / DAY_S)))) / 5.5
    if kind.promo:
        level[(begin % (7 * DAY_S) >= 3.4 * DAY_S) & (begin % (7 * DAY_S) < 3.65 * DAY_S)] *= 2.5
    kept: Floats = np.sort(begin[rng.random(len(begin)) < level])
    return kept


def _whos(kind: Kind, rng: np.random.Generator, rates: Floats, day: Ints) -> Ints:
    if kind.active == 1.0:
        return rng.choice(kind.callers, len(day), p=rates / rates.sum())
    who = np.empty(len(day), np.int64)
    for number in np.unique(day).tolist():
        today = np.flatnonzero(rng.random(kind.callers) < kind.active)
        here = day == number
        who[here] = rng.choice(today, int(here.sum()), p=rates[today] / rates[today].sum())
    return who


def _rows(kind: Kind, rng: np.random.Generator, habits: Floats, seconds: Floats, who: Ints) -> Rows:
    amount, sure, slow = (_latent(kind, rng, habit, seconds, who) for habit in habits)
    confidence = 1.0 / (1.0 + np.exp(-1.5 - sure))
    n = len(seconds)
    return Rows(
        kind="inference",
        model=MODEL,
        features=("amount",),
        sources=(SOURCE,),
        callers=(("", "api_key_hash"),),
        labels=("refused", "ok"),
        source=np.zeros(n, np.uint8),
        position=np.arange(n, dtype=np.int64) << 16,
        ts=START_MS + (seconds * 1000).astype(np.int64),
        flags=np.zeros(n, np.uint8),
        caller=np.zeros(n, np.uint16),
        hash=hash_of(who),
        values=np.exp(3.4 + 0.7 * amount)[None, :].astype(np.float32),
        confidence=confidence.astype(np.float32),
        latency_ms=np.exp(3.0 + 0.4 * slow).astype(np.float32),
        status=np.full(n, 200, np.int16),
        label=(confidence >= 0.5).astype(np.uint16),
        text={},
    )


def _latent(kind: Kind, rng: np.random.Generator, habit: Floats, seconds: Floats, who: Ints) -> Floats:
    """Returns standard normal values: habit and chance."""
    chance = rng.normal(size=len(who))
    if kind.memory:
        chance = lfilter([np.sqrt(1.0 - kind.memory**2)], [1.0, -kind.memory], chance)
    values: Floats = np.sqrt(kind.habit) * habit[who] + np.sqrt(1.0 - kind.habit) * chance
    if kind.tide:
        values += kind.tide * np.sin(seconds * (2 * np.pi / DAY_S))
    if kind.drift:
        walk = np.cumsum(rng.normal(size=int(seconds[-1] // DAY_S) + 1)) * kind.drift
        values += walk[(seconds // DAY_S).astype(np.int64)]
    return values


def shifted(rows: Rows, deviations: float) -> Rows:
    """Returns the rows with amounts moved by so many of their standard deviations."""
    return replace(rows, values=(rows.values * np.float32(np.exp(0.7 * deviations))).astype(np.float32))

"""Client months: simulated months of one model's benign clients, who differ from records drawn at random.

A model of four inputs is asked by a steady number of clients, each of whom stays for some months and then makes way for a new
one, so that there are newcomers every day. What a client asks is a point in a space of four dimensions, habit and chance;
inputs are bent from it, and the answer follows from it, so that margins, labels and neighbours mean something. Kinds after the
issue: published evaluations draw every record by itself, which hides most false alarms. Seeds below 1,000 are for development;
what is reported was measured on others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter  # type: ignore[import-untyped]  # it ships no stubs

from tests.helpers.traffic import MODEL, SOURCE, START_MS, hash_of
from tocsin.event import ROW_BITS
from tocsin.rows import Rows

DAY_S: Final = 86_400.0
WIDTH: Final = 4
"""Inputs of the model."""
GOLDEN_DAYS: Final = 14
PER_DAY: Final = 1_500
FEATURES: Final = ("amount", "balance", "age_days", "distance")
MIX: Final = np.array([[1, 0.6, 0, 0], [0, 0.8, 0.3, 0], [0, 0, 0.95, 0.4], [0, 0, 0, 0.92]])
"""Columns of which make inputs hang together; each has length 1."""
WEIGHTS: Final = np.array([1.6, -1.2, 0.8, 0.5])
MIGRATION: Final = (7.0, 12.0)
"""Live days between which every client gets a new key."""
CAMPAIGN_DAYS: Final = 7.0
NEW: Final = 1 << 32
"""Numbers of clients from here on are new keys of old ones, from twice that on a campaign's crowd."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clients:
    """A kind of clients.

    Attributes:
        count: how many at any time.
        stay_days: for how long one stays, on average.
        habit: share of an input's variance that is its client's.
        session: mean calls of a session; 1 for none.
        sensors: how many of the clients report a state that moves slowly, at a steady pace.
        sensor_share: of all calls that are theirs.
        batches: how many clients send `batch` calls within ten minutes every night.
        batch: calls of one such job.
        campaign: share of a day's calls that, once a week, are of a crowd from one neighbourhood, a call or two each.
        promo: whether volume is five times as high for six hours once a week.
        migrates: whether every client gets a new key in the second week.
        golden_days: learnt from.
    """

    count: int = 1_500
    stay_days: float = 90.0
    habit: float = 0.8
    session: float = 1.0
    sensors: int = 0
    sensor_share: float = 0.0
    batches: int = 0
    batch: int = 150
    campaign: float = 0.0
    promo: bool = False
    migrates: bool = False
    golden_days: int = GOLDEN_DAYS


CLIENTS: Final[dict[str, Clients]] = {
    "iid clients": Clients(habit=0.0),
    "clustered clients": Clients(),
    "400 clustered clients who stay a month": Clients(count=400, stay_days=30.0),
    "bursty clients": Clients(session=12.0),
    "sensor-like clients": Clients(sensors=20, sensor_share=0.5),
    "batch clients": Clients(batches=3),
    "a campaign every week": Clients(campaign=0.05),
    "clustered, a promotion every week": Clients(promo=True),
    "client migration": Clients(migrates=True),
    "clustered, two golden days": Clients(golden_days=2),
}


@dataclass(frozen=True, slots=True)
class _Calls:
    """Some calls: seconds since the beginning, client numbers, and points float64 (calls, WIDTH)."""

    seconds: Floats
    who: Ints
    points: Floats


def month(kind: Clients, seed: int, days: int, per_day: int = PER_DAY) -> tuple[Rows, Rows]:
    """Returns golden rows, and the rows of the `days` after them."""
    rng = np.random.default_rng([seed, 53])
    span = (kind.golden_days + days) * DAY_S
    parts = [_ordinary(kind, rng, span, per_day * (1.0 - kind.sensor_share))]
    if kind.sensors:
        parts.append(_sensors(kind, rng, span, per_day * kind.sensor_share))
    parts += [_job(rng, span, kind.batch, -1 - number) for number in range(kind.batches)]
    if kind.campaign:
        parts.append(_campaigns(kind, rng, span, per_day))
    calls = _merged(parts)
    if kind.migrates:
        calls = _migrated(calls, rng, kind.golden_days * DAY_S)
    rows = _rows(calls, rng)
    cut = int(np.searchsorted(calls.seconds, kind.golden_days * DAY_S))
    return rows.select(slice(0, cut)), rows.select(slice(cut, len(rows)))


def _ordinary(kind: Clients, rng: np.random.Generator, span: float, per_day: float) -> _Calls:
    """Returns the calls of clients of unequal rates, each of whom stays for a while."""
    begin = np.sort(rng.uniform(0.0, span, rng.poisson(span / DAY_S * per_day / kind.session)))
    if kind.promo:
        promoted = np.sort(rng.uniform(0.0, span, 4 * len(begin)))
        promoted = promoted[(promoted % (7 * DAY_S) >= 3.4 * DAY_S) & (promoted % (7 * DAY_S) < 3.65 * DAY_S)]
        begin = np.sort(np.concatenate((begin, promoted)))
    rates = rng.lognormal(0.0, 1.2, kind.count)
    slot = rng.choice(kind.count, len(begin), p=rates / rates.sum())
    who = _tenants(rng, kind, span, slot, begin)
    seconds, who = _in_sessions(kind, rng, begin, who, span)
    centres = rng.normal(size=(int(who.max()) + 1, WIDTH))
    chance = rng.normal(size=(len(who), WIDTH))
    return _Calls(seconds, who, np.sqrt(kind.habit) * centres[who] + np.sqrt(1.0 - kind.habit) * chance)


def _tenants(rng: np.random.Generator, kind: Clients, span: float, slot: Ints, seconds: Floats) -> Ints:
    """Returns who held each slot at these times: holders stay for exponential times, and none comes back."""
    stay_s = kind.stay_days * DAY_S
    most = int(span / stay_s * 4) + 8
    ends = np.cumsum(rng.exponential(stay_s, (kind.count, most)), axis=1)
    tenants: Ints = slot * most + np.minimum((ends[slot] <= seconds[:, None]).sum(axis=1), most - 1)
    return tenants


def _in_sessions(kind: Clients, rng: np.random.Generator, begin: Floats, who: Ints, span: float) -> tuple[Floats, Ints]:
    if kind.session == 1.0:
        return begin, who
    size = np.minimum(np.ceil((rng.pareto(1.5, len(begin)) + 1.0) * kind.session / 3.0), 300).astype(np.int64)
    first = np.cumsum(size) - size
    since = np.cumsum(rng.exponential(5.0, int(size.sum())))
    seconds, whose = np.repeat(begin - since[first], size) + since, np.repeat(who, size)
    kept = np.argsort(seconds, kind="stable")
    kept = kept[seconds[kept] < span]
    return seconds[kept], whose[kept]


def _sensors(kind: Clients, rng: np.random.Generator, span: float, per_day: float) -> _Calls:
    """Returns the calls of devices that report a slowly moving state: an AR(1) of .98 around each one's own place."""
    each = int(span / DAY_S * per_day / kind.sensors)
    parts = []
    for number in range(kind.sensors):
        pace = span / each
        seconds = (np.arange(each) + rng.uniform(0.0, 1.0)) * pace + rng.normal(0.0, 0.02 * pace, each)
        moved = lfilter([np.sqrt(1.0 - 0.98**2)], [1.0, -0.98], rng.normal(size=(each, WIDTH)), axis=0)
        points = rng.normal(size=WIDTH) * np.sqrt(0.7) + moved * np.sqrt(0.3)
        parts.append(_Calls(np.clip(seconds, 0.0, span).astype(np.float64), np.full(each, NEW // 2 + number), points))
    return _merged(parts)


def _job(rng: np.random.Generator, span: float, size: int, who: int) -> _Calls:
    """Returns the calls of a job that asks about anybody, every night, as fast as it goes."""
    nights = int(span / DAY_S)
    begin: Floats = (np.arange(nights, dtype=np.float64) + rng.uniform(0.05, 0.2)) * DAY_S
    seconds = (begin[:, None] + np.sort(rng.uniform(0.0, 600.0, (nights, size)), axis=1)).ravel()
    return _Calls(seconds, np.full(len(seconds), NEW // 4 - who), rng.normal(size=(len(seconds), WIDTH)))


def _campaigns(kind: Clients, rng: np.random.Generator, span: float, per_day: int) -> _Calls:
    """Returns the calls of crowds that a message reached: one day a week, new clients, near one another."""
    parts = []
    for number, day in enumerate(np.arange(3.0, span / DAY_S, CAMPAIGN_DAYS)):
        size = rng.poisson(kind.campaign * per_day)
        seconds = np.sort((day + 0.35 + 0.4 * rng.beta(1.5, 3.0, size)) * DAY_S)
        who = 2 * NEW + number * 1_000_000 + rng.integers(0, max(size * 2 // 3, 1), size)
        parts.append(_Calls(seconds, who, rng.normal(size=WIDTH) + 0.4 * rng.normal(size=(size, WIDTH))))
    return _merged(parts)


def _migrated(calls: _Calls, rng: np.random.Generator, golden_s: float) -> _Calls:
    """Returns the calls as if every client had changed its key, and nothing else, at some moment of a week."""
    distinct, which = np.unique(calls.who, return_inverse=True)
    moment = golden_s + rng.uniform(*MIGRATION, len(distinct)) * DAY_S
    return replace(calls, who=np.where(calls.seconds >= moment[which], calls.who + NEW, calls.who))


def _merged(parts: list[_Calls]) -> _Calls:
    seconds = np.concatenate([part.seconds for part in parts])
    order = np.argsort(seconds, kind="stable")
    who, points = np.concatenate([part.who for part in parts]), np.concatenate([part.points for part in parts])
    return _Calls(seconds[order], who[order], points[order])


def _rows(calls: _Calls, rng: np.random.Generator) -> Rows:
    """Returns the calls as the product sees them."""
    mixed, n = calls.points @ MIX, len(calls.seconds)
    values = np.stack([np.exp(3.4 + 0.7 * mixed[:, 0]), 100 * mixed[:, 1], np.exp(4 + mixed[:, 2]), mixed[:, 3] ** 3])
    slope = calls.points @ WEIGHTS + 0.6 * calls.points[:, 0] * calls.points[:, 2]
    confidence = 1.0 / (1.0 + np.exp(-1.0 - slope))
    return Rows(
        kind="inference",
        model=MODEL,
        features=FEATURES,
        sources=(SOURCE,),
        callers=(("", "api_key_hash"),),
        labels=("refused", "ok"),
        source=np.zeros(n, np.uint8),
        position=np.arange(n, dtype=np.int64) << ROW_BITS,
        ts=START_MS + (calls.seconds * 1000).astype(np.int64),
        flags=np.zeros(n, np.uint8),
        caller=np.zeros(n, np.uint16),
        hash=hash_of(calls.who),
        values=values.astype(np.float32),
        confidence=confidence.astype(np.float32),
        latency_ms=rng.lognormal(3.0, 0.4, n).astype(np.float32),
        status=np.full(n, 200, np.int16),
        label=(confidence >= 0.5).astype(np.uint16),
        text={},
    )

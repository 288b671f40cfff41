"""Detectors on traffic whose truth is known: false alarms, calls to alarm, cost.

`python -m bench.detectors null [days [detector …]]`: on the traffic that constants were chosen on · `… unseen [days …]`: on
other traffic, fresh seeds · `… probe` · `… golden [hours [days]]`: `probe_rate` against a baseline · `… cost`
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from bench.nulls import DAY_S, DAYS, TUNED, UNSEEN, Stream
from models.detector import Detector, Seat
from models.registry import DETECTORS
from tests.helpers.rates import baseline_of_rates, rates_of
from tests.helpers.traffic import MODEL, START_MS, Times, Whos, cut, join, poisson, rows_at, sessions, steady, trickle
from tocsin.clock import Clock
from tocsin.reading import Reading

FRESH = 5_000
"""Seeds of unseen traffic begin here."""

CLOCK = Clock()

PROBES: Final[dict[str, tuple[Stream, tuple[Times, Whos]]]] = {
    "5/s, a newcomer": (lambda seed: poisson(seed, 2_000, 0.01, 5_400), steady(9_999, 3_600, 5, 3_000)),
    "50/s, a newcomer": (lambda seed: poisson(seed, 2_000, 0.01, 5_400), steady(9_999, 3_600, 50, 3_000)),
    "5/s, a known caller": (lambda seed: poisson(seed, 2_000, 0.01, 5_400), steady(7, 3_600, 5, 3_000)),
    "1/s, a newcomer": (lambda seed: poisson(seed, 2_000, 0.01, 5_400), steady(9_999, 3_600, 1, 1_000)),
    "10 times its own 1/min": (lambda seed: poisson(seed, 500, 1 / 60, 20_000), steady(7, 14_400, 10 / 60, 800)),
    "5/s among a million one-shot ids": (
        lambda seed: join(poisson(seed, 2_000, 0.01, 5_400), trickle(seed, 1_000_000, 5_400)),
        steady(9_999, 4_500, 5, 3_000),
    ),
    "5/s among sessions of 20": (
        lambda seed: sessions(seed, 1_000, 1.0, 2 * DAY_S, length=20, pause_s=0.5),
        steady(9_999, 1.5 * DAY_S, 5, 3_000),
    ),
}
"""An attacker in calm traffic: name → (seed → traffic, the attacker's calls)."""


def build(name: str, shards: int = 1, rates: dict[str, float] | None = None) -> Detector:
    """Returns a cold detector as the default configuration seats it, behind a baseline of these rates."""
    entry = DETECTORS[name]
    budget = 4.0 if entry.scope == "shard" else 1.0
    baselines = {} if rates is None else {MODEL: baseline_of_rates(rates)}
    detector: Detector = entry.build(Seat(0, shards, MODEL, budget * entry.share, baselines=baselines))
    return detector


def part(stream: tuple[Times, Whos], begin: float, end: float) -> tuple[Times, Whos]:
    """Returns the calls of some seconds of a stream."""
    kept = slice(*np.searchsorted(stream[0], (begin, end)).tolist())
    return stream[0][kept], stream[1][kept]


def run(detector: Detector, stream: tuple[Times, Whos], seed: int) -> list[Reading]:
    """Returns all readings of a stream, in pieces that fit in memory."""
    readings: list[Reading] = []
    seconds, who = stream
    for begin in range(0, len(seconds), 1 << 18):
        piece = slice(begin, begin + (1 << 18))
        for block in cut(rows_at(seconds[piece], who[piece], seed=seed, first=begin), 512):
            readings += detector.observe(block, CLOCK)
    return readings


def null(nulls: Mapping[str, Stream], first_seed: int, days: int, detectors: list[str]) -> None:
    """Prints what these detectors say in `days` model-days of each kind of calm traffic, on its first day and later.

    A caller named on one day counts once, however often; so does what is said of no caller in one hour.
    """
    for name, stream in nulls.items():
        runs = -(-days // DAYS)
        false: dict[str, list[int]] = {detector: [0, 0] for detector in detectors}
        events = 0
        for seed in range(first_seed, first_seed + runs):
            traffic = stream(seed)
            events += len(traffic[0])
            for detector in detectors:
                seen: dict[tuple[object, float], bool] = {}
                for reading in run(build(detector), traffic, seed):
                    since_s = (reading.ts - START_MS) / 1000
                    seen[(reading.caller, since_s // (DAY_S if reading.caller else 3600))] = since_s < DAY_S
                false[detector][0] += sum(seen.values())
                false[detector][1] += len(seen) - sum(seen.values())
        told = ", ".join(f"{detector} {first} + {later}" for detector, (first, later) in false.items())
        print(f"{name:31} {events:>9} events, {runs} first days + {runs * (DAYS - 1)} later days: {told}", flush=True)


def probe() -> None:
    """Prints after how many calls an attacker is named, over five seeds, and who else was, without and behind a baseline.

    The baseline has the rates of the same kind of traffic by another seed, said to have lasted a day: it is the same all day.
    """
    for name, (stream, attack) in PROBES.items():
        told = []
        for rates in (None, rates_of(stream(99)) | {"span_min": float(DAY_S / 60)}):
            after, others = probed(stream, attack, rates)
            told.append(f"found {len(after)}/5 after {sorted(after)} calls, others named: {others}")
        print(f"{name:34} {told[0]}; behind a baseline {told[1]}", flush=True)


def probed(stream: Stream, attack: tuple[Times, Whos], rates: dict[str, float] | None) -> tuple[list[int], int]:
    """Returns after how many calls an attacker is named, for each of five seeds that it is, and how often others are."""
    after: list[int] = []
    others = 0
    for seed in range(5):
        readings = run(build("probe_rate", 1, rates), join(stream(seed), attack), seed)
        mine = [r for r in readings if r.caller and int(attack[1][0]) & 0x7FFF == int(r.caller.id.removeprefix("key_"))]
        others += len(readings) - len(mine)
        since = int(attack[0][0] * 1000)
        after += [int(np.searchsorted(attack[0] * 1000, mine[0].ts - rows_at(*attack).ts[0] + since)) + 1] if mine else []
    return after, others


def golden(hours: float, days: int) -> None:
    """Prints whom `probe_rate` names after the first day: what it learnt itself, and against a baseline of some hours.

    The baseline is of the first hours of the same traffic; the detector behind it sees traffic from the second day on only.
    """
    for first_seed, nulls in ((0, TUNED), (FRESH, UNSEEN)):
        for name, stream in nulls.items():
            named = [0, 0]
            runs = -(-days // (DAYS - 1))
            for seed in range(first_seed, first_seed + runs):
                traffic = stream(seed)
                rates = rates_of(part(traffic, 0, hours * 3_600))
                itself = run(build("probe_rate"), traffic, seed)
                behind = run(build("probe_rate", 1, rates), part(traffic, DAY_S, np.inf), seed)
                for arm, readings in enumerate((itself, behind)):
                    seen = {(r.caller, (r.ts - START_MS) // 86_400_000) for r in readings}
                    named[arm] += sum(day >= 1 for _, day in seen)
            print(f"{name:31} {runs * (DAYS - 1)} days: {named[0]} by itself, {named[1]} behind {hours:g} h", flush=True)


def cost() -> None:
    """Prints CPU microseconds per event and state bytes, at 512 rows a block, best of three."""
    streams = {
        "500/s of 5,000 callers": sessions(1, 5_000, 500.0, 600, length=4, pause_s=30, diurnal=False),
        "5/s of 500 callers": sessions(1, 500, 5.0, 20_000, length=4, pause_s=30, diurnal=False),
        "20,000/s of 1,000,000 callers": poisson(1, 1_000_000, 0.02, 30),
    }
    for label, (seconds, who) in streams.items():
        rows = rows_at(seconds, who)
        blocks = list(cut(rows, 512))
        for name in DETECTORS:
            best, size = np.inf, 0
            for _ in range(3):
                detector = build(name, 4)
                begin = time.process_time()
                for block in blocks:
                    detector.observe(block, CLOCK)
                best = min(best, (time.process_time() - begin) / len(rows) * 1e6)
                size = len(detector.dump())
            print(f"{label:30} {name:18} {best:6.2f} us/event, state {size:>9} bytes", flush=True)


def main(args: list[str]) -> None:
    """Runs one of the four."""
    what = args[0] if args else "cost"
    days, detectors = int(args[1]) if len(args) > 1 else 30, args[2:] or list(DETECTORS)
    if what == "null":
        null(TUNED, 0, days, detectors)
    elif what == "unseen":
        null(UNSEEN, FRESH, days, detectors)
    elif what == "probe":
        probe()
    elif what == "golden":
        golden(float((args[1:] or ["24"])[0]), int((args[2:] or ["10"])[0]))
    elif what == "cost":
        cost()
    else:
        sys.exit("bench.detectors: one of null, unseen, probe, golden, cost expected; got " + repr(what))


if __name__ == "__main__":
    main(sys.argv[1:])

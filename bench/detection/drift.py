"""Drift: how soon and how falsely the golden bank and River's detectors report a change of known moment.

`python -m bench.detection drift --json`. Every detector sees the same streams. River's run as they come, and at the best of
several settings, chosen per task on other streams than those reported: the soonest of those with at most 1 false alarm in
10,000 events, which nobody can know beforehand. Tocsin runs at one setting for all: A of 10,000 events, 20,000 golden
values, 32 rows a reading from 4 shards; what fewer golden values and other readings do to it is reported as well. A miss
counts as the longest delay.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.detection.drift_runs import DEFAULTS, TUNED, Peer, Run, baseline_of, cost, tocsin
from bench.detection.drift_tasks import Task, Values, tasks
from bench.detection.result import Result

PART: Final = "drift"
FALSE: Final = "false alarms per 10,000 events"
DELAY: Final = "delay, median events"
MISSED: Final = "share missed"
COST: Final = "us per event"
GOLDEN: Final = 20_000
"""Golden values: as many as a provisional baseline has."""
LITTLE_GOLDEN: Final = 5_000
READING: Final = (32, 4)
"""Rows per reading and shards."""
READINGS: Final = ((1, 1), (8, 1), (128, 4), (512, 4))
TUNING: Final = 1_000
TESTING: Final = 2_000
"""Seeds."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is run.

    Attributes:
        calm: streams without a change.
        calm_events: events in each.
        changes: streams with one.
        before: events before it.
        after: events after it.
    """

    calm: int = 10
    calm_events: int = 20_000
    changes: int = 20
    before: int = 1_500
    after: int = 6_000


WHOLE: Final = Effort()
QUICK: Final = Effort(1, 5_000, 3, 500, 2_000)
HALF: Final = Effort(calm=5, changes=10)
"""For choosing settings."""
SLOW: Final = Effort(calm=1, changes=5)
"""For a detector that takes more than 100 us per event."""


def run(quick: bool) -> Iterator[Result]:
    """Yields every number, task by task."""
    effort = QUICK if quick else WHOLE
    for task in tasks():
        golden = np.random.default_rng(GOLDEN).choice(task.before, GOLDEN)
        yield from _tocsin(task, golden, effort)
        for peer in DEFAULTS:
            yield from _measured(task, f"{peer.detector} as it comes", peer.on(golden), _effort(peer, effort))
        for choices in TUNED:
            best = _best(task, choices, golden, quick)
            name = f"{best.detector} tuned: {best.setting}"
            yield from _measured(task, name, best.on(golden), _effort(best, effort))


def _tocsin(task: Task, golden: Values, effort: Effort) -> Iterator[Result]:
    baseline, little = baseline_of(golden), baseline_of(golden[:LITTLE_GOLDEN])
    for rows, shards in (READING, *READINGS):
        name = f"tocsin, {rows} rows a reading, {shards} shards"
        yield from _measured(task, name, tocsin(baseline, rows, shards), effort, timed=False)
    yield from _measured(task, f"tocsin, {LITTLE_GOLDEN} golden values", tocsin(little, *READING), effort, timed=False)
    for rows in (READING[0], 512):
        yield Result(PART, task.label, f"tocsin, {rows} rows a reading", COST, cost(baseline, golden[:LITTLE_GOLDEN], rows))


def _effort(peer: Peer, effort: Effort) -> Effort:
    return SLOW if peer.slow and effort is not QUICK else effort


def _best(task: Task, choices: tuple[Peer, ...], golden: Values, quick: bool) -> Peer:
    """Returns the soonest of those that keep to 1 false alarm in 10,000 events, or else the one with the fewest."""

    def badness(peer: Peer) -> tuple[float, float]:
        tried = peer.on(golden)
        effort = _effort(peer, QUICK if quick else HALF)
        return max(_false(task, tried, TUNING, effort)[0], 1.0), float(np.median(_delays(task, tried, TUNING, effort)))

    return min(choices, key=badness)


def _measured(task: Task, method: str, tried: Run, effort: Effort, *, timed: bool = True) -> Iterator[Result]:
    false, spent = _false(task, tried, TESTING, effort)
    delays = _delays(task, tried, TESTING, effort)
    yield Result(PART, task.label, method, FALSE, round(false, 3))
    yield Result(PART, task.label, method, DELAY, float(np.median(delays)))
    yield Result(PART, task.label, method, MISSED, float(np.mean([delay == effort.after for delay in delays])))
    if timed:
        yield Result(PART, task.label, method, COST, spent)


def _false(task: Task, tried: Run, seed: int, effort: Effort) -> tuple[float, float]:
    """Returns false alarms per 10,000 events and CPU microseconds per event."""
    streams = [task.stream(np.random.default_rng([seed, number]), effort.calm_events, 0) for number in range(effort.calm)]
    start = time.process_time()
    found = sum(1 for stream in streams for _ in tried(stream))
    events = effort.calm * effort.calm_events
    return found / events * 1e4, (time.process_time() - start) / events * 1e6


def _delays(task: Task, tried: Run, seed: int, effort: Effort) -> list[int]:
    """Returns the events from each change to the next alarm; all of them where there was none."""
    delays = []
    for number in range(effort.changes):
        stream = task.stream(np.random.default_rng([seed, 99, number]), effort.before, effort.after)
        delays.append(next((at - effort.before + 1 for at in tried(stream) if at >= effort.before), effort.after))
    return delays

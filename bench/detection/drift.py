"""Drift: how soon and how falsely the golden bank and River's detectors report a change of known moment.

`python -m bench.detection drift --json`, or `python -m bench.detection.drift [part of a task's name]`.

Every detector sees the same streams. River's run as they come and at the best of several settings, chosen per task on other
streams than those reported: the one soonest of those with at most 1 false alarm in 10,000 events, which nobody can know
beforehand. Tocsin runs at one setting for all. One event is one minute of the
budget's time, A is 10,000 events, golden values are 5,000.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from bench.detection.drift_runs import DEFAULTS, THRESHOLD, TUNED, Peer, Run, baseline_of, cost, tocsin
from bench.detection.drift_tasks import Task, Values, tasks

GOLDEN: Final = 5_000
NULLS: Final = (10, 20_000)
"""Calm streams, and their events."""
CHANGES: Final = (20, 1_500, 6_000)
"""Streams with a change, events before it and after it."""
SLOW: Final = 10
"""Times fewer streams for a detector that is slower than 100 us per event."""
TUNING: Final = 1_000
TESTING: Final = 2_000
"""Seeds."""
READING: Final = (32, 4)
"""Rows per reading and shards of the comparison."""
READINGS: Final = ((1, 1), (8, 1), (32, 4), (128, 4), (512, 4))


class Row(msgspec.Struct, frozen=True):
    """One detector on one task.

    Attributes:
        part: `peers` or `readings`.
        task: name.
        dataset: where its values come from.
        detector: name.
        setting: how it was set.
        false_alarms_per_10k: events, on streams without a change.
        delay: median events from the change to the next alarm; a miss counts as all events after the change.
        missed: share of the changes that were not found.
        us_per_event: CPU.
    """

    part: str
    task: str
    dataset: str
    detector: str
    setting: str
    false_alarms_per_10k: float
    delay: float
    missed: float
    us_per_event: float


def measure(part_of_name: str = "") -> Iterator[Row]:
    """Yields every row, task by task."""
    for task in tasks():
        if part_of_name in task.name:
            golden = np.random.default_rng(GOLDEN).choice(task.before, GOLDEN)
            yield from _against_river(task, golden)
            yield from _by_reading(task, golden)


def _against_river(task: Task, golden: Values) -> Iterator[Row]:
    baseline = baseline_of(golden)
    yield _row("peers", task, ("tocsin", f"A {THRESHOLD}"), tocsin(baseline, *READING), cost(baseline, golden, READING[0]))
    for peer in DEFAULTS:
        yield _peer_row(task, peer, "", golden)
    for choices in TUNED:
        tried = [(_tried(task, peer, golden), peer) for peer in choices]
        best = min(tried, key=lambda found: (max(found[0][0], 1.0), found[0][1]))
        yield _peer_row(task, best[1], "tuned: ", golden)


def _by_reading(task: Task, golden: Values) -> Iterator[Row]:
    baseline = baseline_of(golden)
    for rows, shards in READINGS:
        run = tocsin(baseline, rows, shards)
        yield _row("readings", task, ("tocsin", f"{rows} rows per reading, {shards} shards"), run, 0.0)


def _tried(task: Task, peer: Peer, golden: Values) -> tuple[float, float]:
    run, part = peer.on(golden), SLOW if peer.slow else 2
    delays = _delays(task, run, TUNING, part)
    return _false(task, run, TUNING, part)[0], float(np.median(delays))


def _peer_row(task: Task, peer: Peer, how: str, golden: Values) -> Row:
    return _row("peers", task, (peer.detector, how + peer.setting), peer.on(golden), None, SLOW if peer.slow else 1)


def _row(part: str, task: Task, name: tuple[str, str], run: Run, us: float | None, fewer: int = 1) -> Row:
    false, spent = _false(task, run, TESTING, fewer)
    delays = _delays(task, run, TESTING, fewer)
    missed = float(np.mean([delay == CHANGES[2] for delay in delays]))
    cost = round(spent if us is None else us, 3)
    return Row(part, task.name, task.dataset, *name, round(false, 3), float(np.median(delays)), round(missed, 3), cost)


def _false(task: Task, run: Run, seed: int, fewer: int) -> tuple[float, float]:
    """Returns false alarms per 10,000 events and microseconds per event."""
    count, events = NULLS[0] // fewer, NULLS[1]
    streams = [task.stream(np.random.default_rng([seed, number]), events, 0) for number in range(count)]
    start = time.process_time()
    found = sum(1 for stream in streams for _ in run(stream))
    total = count * events
    return found / total * 1e4, (time.process_time() - start) / total * 1e6


def _delays(task: Task, run: Run, seed: int, fewer: int) -> list[int]:
    count, before, after = max(CHANGES[0] // fewer, 5), *CHANGES[1:]
    delays = []
    for number in range(count):
        stream = task.stream(np.random.default_rng([seed, 99, number]), before, after)
        delays.append(next((at - before + 1 for at in run(stream) if at >= before), after))
    return delays


def table(rows: Sequence[Row]) -> str:
    """Returns the rows for a terminal."""
    head = f"{'task':30} {'detector':12} {'setting':38} {'FA/10k':>7} {'delay':>7} {'missed':>7} {'us/event':>9}"
    lines = (
        f"{r.task:30} {r.detector:12} {r.setting:38} "
        f"{r.false_alarms_per_10k:7.2f} {r.delay:7.0f} {r.missed:7.2f} {r.us_per_event:9.2f}"
        for r in rows
    )
    return "\n".join([head, *lines])


if __name__ == "__main__":
    print(table(list(measure(*sys.argv[1:2]))))

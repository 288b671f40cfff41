"""Joint: how soon a change is seen that leaves every feature as it was, beside detectors that look at features one by one.

`python -m bench.detection joint --json`. Golden are 5,000 rows, readings 64; Tocsin's bank on all of a baseline's quantities of
features is held to one false alarm in 10,000 events, with joint quantities and without. Peers see one number per feature and
per value of a category, scaled by golden rows, any of them may alarm; ADWIN's delta is the greatest of several at which calm
tuning streams raise no more than that. Half-space trees learn golden rows and go on learning; an ADWIN reads their scores.
Delays are counted from the change, the whole horizon where nothing was seen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.detection.joint_runs import Method, adwin, always, forest, kswin, never, tocsin, tuned
from bench.detection.joint_tasks import Task, Values, tasks
from bench.detection.result import Result

PART: Final = "joint"
GOLDEN: Final = 5_000
BEFORE: Final = 1_536
FALSE: Final = "false alarms in 10,000 events"
DELAY: Final = "median delay, events"
MISSED: Final = "share missed"
COST: Final = "CPU us per event"
TESTING: Final = 40_000
DELTAS: Final = (0.2, 0.05, 0.02, 0.002, 1e-4, 1e-6)
FOREST_DELTAS: Final = (0.05, 0.002, 1e-4)
"""Greatest first."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is run.

    Attributes:
        streams: that change.
        horizon: events after the change.
        calm: events of the one calm stream.
    """

    streams: int
    horizon: int
    calm: int


WHOLE: Final = Effort(9, 12_000, 60_000)
SLOW: Final = Effort(1, 2_000, 2_000)
QUICK: Final = Effort(1, 1_024, 2_048)


def run(quick: bool) -> Iterator[Result]:
    """Yields every number, task by task, and medians over all data sets of each change."""
    delays: dict[tuple[str, str], list[float]] = {}
    for number, task in enumerate(tasks(quick)):
        golden = task.before(np.random.default_rng([TESTING, number]), GOLDEN)
        for method in _methods(task, golden, quick):
            for result in _measured(task, method, golden, number, quick):
                yield result
                if result.metric == DELAY:
                    delays.setdefault((task.name, result.method), []).append(result.value)
    for (change, name), found in delays.items():
        yield Result(PART, f"{change}: all data sets", name, DELAY, float(np.median(found)))


def _methods(task: Task, golden: Values, quick: bool) -> Iterator[Method]:
    yield tocsin("tocsin", joint=True)
    yield tocsin("tocsin, features one by one", joint=False)
    calm = task.before(np.random.default_rng([TESTING, 7]), 2_000 if quick else 20_000)
    yield tuned("river ADWIN per feature, tuned", adwin, DELTAS, golden, calm, task.features)
    yield tuned("river HalfSpaceTrees and ADWIN", forest, FOREST_DELTAS[-1:], golden, calm[:, :2_000], task.features)
    yield kswin("river KSWIN per feature, alpha .0001", 1e-4)
    yield never()
    yield always()


def _measured(task: Task, method: Method, golden: Values, number: int, quick: bool) -> Iterator[Result]:
    effort = QUICK if quick else SLOW if method.slow else WHOLE
    tried = method.build(golden, task.features)
    calm = task.stream([TESTING, number, 1], effort.calm, 0)
    start = time.process_time()
    false = sum(1 for _ in tried(calm))
    spent = (time.process_time() - start) / effort.calm * 1e6
    found = []
    for stream in range(effort.streams):
        events = task.stream([TESTING, number, 2, stream], BEFORE, effort.horizon)
        found.append(next((at - BEFORE + 1 for at in tried(events) if at >= BEFORE), effort.horizon))
    yield Result(PART, _label(task), method.name, FALSE, round(false / effort.calm * 1e4, 3))
    yield Result(PART, _label(task), method.name, DELAY, float(np.median(found)))
    yield Result(PART, _label(task), method.name, MISSED, float(np.mean([delay >= effort.horizon for delay in found])))
    yield Result(PART, _label(task), method.name, COST, round(spent, 2))


def _label(task: Task) -> str:
    return f"{task.name} ({task.dataset})"

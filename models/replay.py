"""Replay: golden rows once more through census and bank, at many thresholds at once.

False alarms caused by dependence grow with the threshold, and a few held-out days say little about one alarm a month. So the
same evidence is also weighed at lower thresholds, where alarms are many enough to be counted, and over months that are put
together from held-out days drawn with replacement. The recursion is the bank's, over all thresholds and months as one
array, and never rests after an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.census import Census
from models.experts import EXPERTS
from models.season import day_of
from models.shiryaev_roberts import BOUNDS, LARGEST, log_pay_offs
from tocsin.rows import Rows

STEP_ROWS: Final = 64
STEP_MS: Final = 600_000
"""A reading of the replay: at most so many rows and so much time."""
MOST_SECONDS: Final = 3_600.0
MOST_NUMBERS: Final = 1 << 26
"""Of evidence held at once; wide models are replayed in longer steps instead."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Steps:
    """A replay's readings.

    Attributes:
        gains: float32 (steps, quantities, experts), e of each reading.
        seconds: float64 (steps,), of the alert budget, each known before its reading was.
        day: int64 (steps,), local day.
    """

    gains: NDArray[np.float32]
    seconds: Floats
    day: Ints


def replayed(baseline: Baseline, quantities: list[int], rows: Rows, share: float = 1.0) -> Steps:
    """Returns the readings that these rows would have led to.

    Args:
        baseline: whose cells; of the rows' model.
        quantities: indices of those whose evidence is wanted.
        rows: in time order.
        share: of the model's rows that these are; the rest of the time earns no seconds.
    """
    ends = _ends(rows.ts, max(STEP_ROWS, len(rows) * len(quantities) * len(EXPERTS) // MOST_NUMBERS))
    census = Census(baseline, 1)
    counted = [
        found for begin, end in zip([0, *ends], ends, strict=False) for found in census.count(rows.select(slice(begin, end)))
    ]
    bucket = np.array([found.bucket for found in counted])
    weights = np.stack([found.weights[quantities] for found in counted], axis=1).astype(np.float32)
    gains = np.empty((len(counted), len(quantities), len(EXPERTS)), np.float32)
    for number in np.unique(bucket).tolist():
        here = np.flatnonzero(bucket == number)
        for index, quantity in enumerate(quantities):
            table = log_pay_offs(baseline.quantities[quantity], number).astype(np.float32)
            gains[here, index] = np.exp(np.clip(weights[index, here] @ table, *BOUNDS))
    latest = np.maximum.accumulate(np.array([found.last_ts for found in counted], np.int64))
    advance = np.minimum(np.diff(latest, prepend=latest[:1]) / 1000.0, MOST_SECONDS) * share
    return Steps(gains, np.concatenate(([0.0], advance[:-1])), day_of(baseline.season.zone, latest))


def alarms(steps: Steps, thresholds: Floats, order: Ints | None = None) -> Ints:
    """Returns how often a bank over these steps would have alarmed, (runs, thresholds).

    Args:
        steps: readings.
        thresholds: float64 (thresholds,), seconds.
        order: int64 (runs, steps), which steps each run consists of, -1 for none; one run over all steps when None.
    """
    runs = np.arange(len(steps.seconds))[None, :] if order is None else order
    shape = (len(runs), len(thresholds), *steps.gains.shape[1:])
    staked, raised = np.zeros(shape), np.zeros(shape[:2], np.int64)
    for now in runs.T:
        seconds = np.where(now >= 0, steps.seconds[now], 0.0)
        staked += seconds[:, None, None, None]
        staked *= np.where((now >= 0)[:, None, None], steps.gains[now], np.float32(1))[:, None]
        np.minimum(staked, LARGEST, out=staked)
        over = staked.mean(axis=(2, 3)) >= thresholds
        if over.any():
            raised += over
            staked[over] = 0.0
    return raised


def months(steps: Steps, days: int, runs: int, seed: int) -> Ints:
    """Returns `runs` months of `days` days each, drawn with replacement from the steps' days: see `order` of `alarms`."""
    numbers = np.unique(steps.day)
    of_day = [np.flatnonzero(steps.day == number) for number in numbers]
    drawn = np.random.default_rng(seed).integers(0, len(numbers), (runs, days))
    put = [np.concatenate([of_day[day] for day in month]) for month in drawn]
    order = np.full((runs, max(map(len, put))), -1, np.int64)
    for row, month in zip(order, put, strict=True):
        row[: len(month)] = month
    return order


def _ends(ts: Ints, most: int) -> list[int]:
    """Returns where each step ends."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(ts // STEP_MS)) + 1))
    sizes = np.diff(starts, append=len(ts))
    ends = [
        np.minimum(start + np.arange(most, size + most, most), start + size)
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
    ]
    return np.concatenate(ends).tolist() if len(ts) else []

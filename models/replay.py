"""Replay: golden rows once more through census and bank, at many thresholds at once.

False alarms caused by dependence grow with the threshold, and a few held-out days say little about one alarm a month. So the
same evidence is also weighed at lower thresholds, where alarms are many enough to be counted, and over months that are put
together from days drawn with replacement. The recursion is the bank's, over all thresholds and months as one array, and
never rests after an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS, Baseline
from models.census import Census
from models.season import day_of
from models.shiryaev_roberts import BOUNDS, LARGEST, MOST_SECONDS, log_pay_offs
from tocsin.rows import Rows

STEP_ROWS: Final = 64
STEP_MS: Final = 600_000
"""A reading of the replay: at most so many rows and so much time."""
MOST_NUMBERS: Final = 1 << 24
"""Of weights held per replay; wide models are replayed in longer steps instead."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Steps:
    """A replay's readings.

    Attributes:
        bucket: int64 (steps,), season bucket.
        weights: float32 (quantities, steps, CELLS), discounted rows.
        seconds: float64 (steps,), of the alert budget, each known before its reading was.
        day: int64 (steps,), local day.
    """

    bucket: Ints
    weights: NDArray[np.float32]
    seconds: Floats
    day: Ints


def replayed(baseline: Baseline, rows: Rows, share: float = 1.0) -> Steps:
    """Returns the readings that these rows would have led to.

    Args:
        baseline: whose cells; of the rows' model.
        rows: at least one, in time order.
        share: of the model's rows that these are; the rest of the time earns no seconds.
    """
    ends = cuts(rows.ts, max(STEP_ROWS, len(rows) * len(baseline.quantities) * CELLS // MOST_NUMBERS))
    census = Census(baseline, 1)
    counted = [
        found for begin, end in zip([0, *ends], ends, strict=False) for found in census.count(rows.select(slice(begin, end)))
    ]
    latest = np.maximum.accumulate(np.array([found.last_ts for found in counted], np.int64))
    advance = np.minimum(np.diff(latest, prepend=latest[:1]) / 1000.0, MOST_SECONDS) * share
    return Steps(
        np.array([found.bucket for found in counted]),
        np.stack([found.weights for found in counted], axis=1).astype(np.float32),
        np.concatenate(([0.0], advance[:-1])),
        day_of(baseline.season.zone, latest),
    )


def side_by_side(parts: list[Steps]) -> Steps:
    """Returns several replays as one whose days are all different."""
    apart = [part.day + number * (1 << 32) for number, part in enumerate(parts)]
    return Steps(
        np.concatenate([part.bucket for part in parts]),
        np.concatenate([part.weights for part in parts], axis=1),
        np.concatenate([part.seconds for part in parts]),
        np.concatenate(apart),
    )


def gains(steps: Steps, baseline: Baseline, quantities: list[int], experts: list[int]) -> NDArray[np.float32]:
    """Returns e of each reading, float32 (steps, quantities, experts).

    Args:
        steps: readings, counted over this baseline's cells.
        baseline: whose pay-offs.
        quantities: indices of those that bet.
        experts: indices in `EXPERTS` of those that bet.
    """
    found = np.empty((len(steps.bucket), len(quantities), len(experts)), np.float32)
    for bucket in np.unique(steps.bucket).tolist():
        here = np.flatnonzero(steps.bucket == bucket)
        for index, quantity in enumerate(quantities):
            table = log_pay_offs(baseline.quantities[quantity], bucket)[:, experts].astype(np.float32)
            found[here, index] = np.exp(np.clip(steps.weights[quantity, here] @ table, *BOUNDS))
    return found


def alarms(
    gained: NDArray[np.float32], seconds: Floats, thresholds: Floats, order: Ints | None = None, weights: Floats | None = None
) -> Ints:
    """Returns how often a bank over these readings would have alarmed, (runs, thresholds).

    Args:
        gained: float32 (steps, quantities, experts), see `gains`.
        seconds: float64 (steps,), of the alert budget.
        thresholds: float64 (thresholds,), seconds.
        order: int64 (runs, steps), which readings each run consists of, -1 for none; one run over all when None.
        weights: float64 (quantities,), their priors; all the same when None.
    """
    bets = gained.shape[1] * gained.shape[2]
    factors = np.concatenate((gained.reshape(-1, bets), np.ones((1, bets), np.float32)))  # -1 picks the last: nothing happens
    earned = np.append(seconds, 0.0)
    runs = np.arange(len(seconds))[None, :] if order is None else order
    staked, raised = np.zeros((len(runs), len(thresholds), bets)), np.zeros((len(runs), len(thresholds)), np.int64)
    shares = np.full(gained.shape[1], 1.0 / gained.shape[1]) if weights is None else weights
    shares = np.repeat(shares / gained.shape[2], gained.shape[2])  # a stake's weight in the sum may as well weigh the stake
    for now in runs.T:
        staked += earned[now, None, None] * shares
        staked *= factors[now, None]
        over = staked.sum(axis=2) >= thresholds
        if over.any():
            np.minimum(staked, LARGEST, out=staked)
            raised += over
            staked[over] = 0.0
    return raised


def months(steps: Steps, days: int, runs: int, seed: int) -> Ints:
    """Returns `runs` months of `days` days each, drawn with replacement from the readings' days: see `order` of `alarms`."""
    numbers = np.unique(steps.day)
    of_day = [np.flatnonzero(steps.day == number) for number in numbers]
    drawn = np.random.default_rng(seed).integers(0, len(numbers), (runs, days))
    put = [np.concatenate([of_day[day] for day in month]) for month in drawn]
    order = np.full((runs, max(map(len, put))), -1, np.int64)
    for row, month in zip(order, put, strict=True):
        row[: len(month)] = month
    return order


def cuts(ts: Ints, most: int, span_ms: int = STEP_MS) -> list[int]:
    """Returns where each reading ends that holds at most so many rows and so much time."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(ts // span_ms)) + 1))
    sizes = np.diff(starts, append=len(ts))
    ends = [
        np.minimum(start + np.arange(most, size + most, most), start + size)
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
    ]
    found: list[int] = np.concatenate(ends).tolist()
    return found

"""Table: what each allowance for dependence buys and costs, one feature, by the product's own census, fitting and bank.

False alarms are counted over 60 calm days against one allowed in 100,000 events, frames of 64 rows from four shards; the delay
is that of a quarter of a standard deviation, in events of the model. Two weeks of golden traffic, one season bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.detection.calm import Kind, month, shifted
from bench.detection.result import Result
from models.baseline import Baseline, Quantity, Season
from models.census import Census
from models.discount import WINDOW
from models.draft import drafted, ground_of
from models.experts import EXPERTS
from models.fitting import fitted
from models.golden import Sample
from models.replay import Steps, alarms, gains
from tocsin.rows import Rows

KINDS: Final[dict[str, Kind]] = {
    "independent": Kind(habit=0.0, session=1.0),
    "sessions, habit .3": Kind(pause_s=300.0),
    "heavy sessions, habit .9": Kind(pause_s=300.0, habit=0.9, heavy=True),
    "10 % active a day, habit .3": Kind(pause_s=300.0, active=0.1),
    "10 % active a day, habit .9": Kind(pause_s=300.0, active=0.1, habit=0.9),
    "activity leans on value": Kind(pause_s=300.0, lean=1.0),
    "AR(1) of .5": Kind(habit=0.0, session=1.0, memory=0.5),
}
PER_DAY: Final = 18_000
DAYS: Final = 60
SEEDS: Final = (6_001, 6_002)
ALLOWED_EVENTS: Final = 100_000.0
FRAME: Final = 64
SHARDS: Final = 4
DEVIATIONS: Final = 0.25
CALM_ROWS: Final = 2_000
HORIZON: Final = 40_000
STARTS: Final = 8

ALL: Final = list(range(len(EXPERTS)))


def methods(golden: Rows) -> dict[str, Baseline]:
    """Returns a baseline of the amount alone for each allowance."""
    sample = Sample()
    for begin in range(0, len(golden), 4_096):
        sample.add(golden.select(slice(begin, begin + 4_096)))
    together = sample.golden()
    season = Season("UTC", 24, 24)
    draft = drafted(together, "UTC", "simulated")
    ground = ground_of(together, season, WINDOW)
    outline, values = draft.outline.quantities[0], draft.values[0]
    alone = fitted(outline, values, replace(ground, harmless=float("inf")))
    by_caller = fitted(outline, values, ground)
    assert alone is not None
    assert by_caller is not None
    quantities = {
        "nothing": without(without(alone.plain, "margin"), "tempering"),
        "tempering": without(alone.plain, "margin"),
        "window discount": without(without(by_caller.plain, "margin"), "tempering"),
        "discount and day margin": without(by_caller.plain, "tempering"),
        "all, as in the product": by_caller.plain,
    }
    return {
        name: msgspec.structs.replace(draft.outline, season=season, quantities=(quantity,), envelope=None)
        for name, quantity in quantities.items()
    }


def readings(baseline: Baseline, rows: Rows) -> tuple[Steps, NDArray[np.int64]]:
    """Returns readings of frames as four shards close them, weighed in events, and the row at which each was closed."""
    shard = (rows.hash >> np.uint64(40)) % np.uint64(SHARDS)
    frames: list[tuple[int, NDArray[np.float64], int]] = []
    for number in range(SHARDS):
        mine, census = np.flatnonzero(shard == number), Census(baseline, SHARDS)
        for begin in range(0, len(mine) - FRAME, FRAME):
            frame = mine[begin : begin + FRAME]
            found = census.count(rows.select(frame))[0]
            frames.append((int(frame[-1]), found.weights, found.rows))
    frames.sort(key=lambda frame: frame[0])
    rows_before = np.concatenate(([0.0], [float(frame[2]) for frame in frames[:-1]]))
    weights = np.stack([frame[1] for frame in frames], axis=1).astype(np.float32)
    closed = np.array([frame[0] for frame in frames])
    zeros = np.zeros(len(frames), np.int64)
    return Steps(zeros, weights, rows_before, zeros), closed


def false_alarms(baseline: Baseline, calm: Rows) -> float:
    """Returns alarms per allowed alarm."""
    steps, _ = readings(baseline, calm)
    raised = alarms(gains(steps, baseline, [0], ALL), steps.seconds, np.array([ALLOWED_EVENTS]))[0, 0]
    return float(raised) / (float(steps.seconds.sum()) / ALLOWED_EVENTS)


def delays(baseline: Baseline, calm: Rows) -> list[int]:
    """Returns events from the change to the alarm, HORIZON where there is none, from several starts."""
    found = []
    for start in range(STARTS):
        begin = start * len(calm) // STARTS
        part = calm.select(slice(begin, begin + CALM_ROWS + HORIZON))
        before, after = part.select(slice(0, CALM_ROWS)), shifted(part.select(slice(CALM_ROWS, len(part))), DEVIATIONS)
        changed = replace(part, values=np.concatenate((before.values, after.values), axis=1))
        steps, closed = readings(baseline, changed)
        gained = gains(steps, baseline, [0], ALL)
        rows = closed[list(alarm_steps(gained, steps.seconds, ALLOWED_EVENTS))]
        first = next((row for row in rows.tolist() if row >= CALM_ROWS), CALM_ROWS + HORIZON)
        found.append(first - CALM_ROWS)
    return found


def run(quick: bool) -> Iterator[Result]:
    """Yields false alarms and delay per stream and allowance."""
    for name, kind in KINDS.items():
        for seed in SEEDS[:1] if quick else SEEDS:
            golden, calm = month(kind, seed, 3 if quick else DAYS, PER_DAY)
            for method, baseline in methods(golden).items():
                yield Result("table", name, method, "false alarms per allowed one", false_alarms(baseline, calm), seed)
                yield Result(
                    "table", name, method, "median delay of .25 sd, events", float(np.median(delays(baseline, calm))), seed
                )


def alarm_steps(gained: NDArray[np.float32], seconds: NDArray[np.float64], threshold: float) -> Iterator[int]:
    """Yields the numbers of the readings at which a bank would alarm, see `models.replay.alarms`."""
    staked = np.zeros(gained.shape[1:])
    for number, (gain, earned) in enumerate(zip(gained, seconds.tolist(), strict=True)):
        staked = (staked + earned) * gain
        if staked.mean() >= threshold:
            staked[:] = 0.0
            yield number


def without(quantity: Quantity, what: str) -> Quantity:
    """Returns the quantity with neutral `margin` or `tempering`."""
    neutral = np.zeros(len(EXPERTS), "<f4") if what == "margin" else np.ones(len(EXPERTS), "<f4")
    return msgspec.structs.replace(quantity, **{what: neutral.tobytes()})

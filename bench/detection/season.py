"""Season: one set of cells for the whole day against finer ones, on traffic whose values and volume move with the hour.

False alarms of the amount over 30 calm days, against one allowed in 100,000 events.
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
from bench.detection.table import alarm_steps, without
from models.baseline import Baseline, Season
from models.discount import WINDOW
from models.draft import drafted
from models.experts import EXPERTS
from models.fitting import Allowance
from models.golden import Sample
from models.replay import alarms, gains, replayed
from tocsin.rows import Rows

SEASONS: Final = (24, 6, 3, 1)
"""Hours per bucket."""
SEEDS: Final = (7_001, 7_002, 7_003)
PER_DAY: Final = 6_000
DAYS: Final = 30
KIND: Final = Kind(habit=0.0, session=1.0, diurnal=True, tide=1.0)
DEVIATIONS: Final = 0.5
STARTS: Final = 12
HORIZON: Final = 20_000
DATASET: Final = "ten calls by day to one by night"
ALLOWED_EVENTS: Final = 100_000.0


def run(quick: bool) -> Iterator[Result]:
    """Yields false alarms and delay for each season, with cells alone and with what the product allows for besides."""
    for seed in SEEDS[:1] if quick else SEEDS:
        golden, calm = month(KIND, seed, 5 if quick else DAYS, PER_DAY)
        sample = Sample()
        sample.add(golden)
        draft = drafted(sample.golden(), "UTC", "simulated")
        for hours in SEASONS:
            of_season = replace(draft, outline=msgspec.structs.replace(draft.outline, season=Season("UTC", 24, hours)))
            baseline = of_season.baseline(of_season.fits(WINDOW)[:1], lambda _: Allowance(), WINDOW)
            bare = without(without(baseline.quantities[0], "margin"), "tempering")
            for method, tried in (
                (f"{hours} h a bucket, cells alone", msgspec.structs.replace(baseline, quantities=(bare,))),
                (f"{hours} h a bucket, all allowances", baseline),
            ):
                found = false_alarms(tried, calm)
                yield Result("season", DATASET, method, "false alarms per allowed one", found, seed)
                yield Result("season", DATASET, method, "median delay of .5 sd, events", delay(tried, calm), seed)


def false_alarms(baseline: Baseline, calm: Rows) -> float:
    """Returns alarms per allowed alarm."""
    gained, events = _weighed(baseline, calm)
    raised = alarms(gained, events, np.array([ALLOWED_EVENTS]))[0, 0]
    return float(raised) / (float(events.sum()) / ALLOWED_EVENTS)


def delay(baseline: Baseline, calm: Rows) -> float:
    """Returns the median number of events from a change to the alarm, over changes at several hours; HORIZON for none."""
    found = []
    for start in range(STARTS):
        begin = start * (len(calm) - HORIZON) // STARTS
        gained, events = _weighed(baseline, shifted(calm.select(slice(begin, begin + HORIZON)), DEVIATIONS))
        first = next(alarm_steps(gained, events, ALLOWED_EVENTS), len(events) - 1)
        found.append(float(events[: first + 1].sum()))
    return float(np.median(found))


def _weighed(baseline: Baseline, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Returns e of each reading, and the events of the one before it: what the budget earns."""
    steps = replayed(baseline, rows)
    events = np.concatenate(([0.0], steps.weights[0].sum(axis=1)[:-1])).astype(np.float64)
    return gains(steps, baseline, [0], list(range(len(EXPERTS)))), events

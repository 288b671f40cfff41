"""Null: simulated months of calm traffic through baseline, gate, census and banks, and every alert counted.

Each stream is learnt from (two weeks; a cold start two days), gated, and then watched for a month in which nothing happens. An
armed detector's alert is a false alert; an advisory one's informs only and is told apart. Claimed: false alerts at most
1.2 times what the budget allows the armed detectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.detection.calm import HOSTILE, KINDS, PER_DAY, Kind, month
from bench.detection.result import Result
from models.baseline import Baseline, hash_of
from models.census import Census
from models.detector import Seat
from models.gate import WATCHED
from models.golden import Sample, build_baseline
from models.registry import DETECTORS
from models.replay import cuts
from models.shiryaev_roberts import MONTH_S
from tests.helpers.traffic import MODEL, SOURCE
from tocsin.event import Coordinates
from tocsin.reading import Counts
from tocsin.rows import Rows

BUDGET: Final = 1.0
"""False alerts a model-month."""
DAYS: Final = 30
STREAMS: Final = 20
"""Per kind."""
FIRST_SEED: Final = 8_000
QUICK_STREAMS: Final = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """One detector on one stream.

    Attributes:
        armed: what the gate said.
        share: of the budget that it may spend.
        months: watched.
        alerts: raised.
    """

    armed: bool
    share: float
    months: float
    alerts: int


def baseline_of(golden: Rows) -> Baseline:
    """Returns the baseline of these rows, as the product builds it."""
    sample = Sample()
    for begin in range(0, len(golden), 1_024):
        sample.add(golden.select(slice(begin, begin + 1_024)))
    return build_baseline(sample, zone="UTC", alerts_per_model_month=BUDGET, origin="simulated")


def watched(baseline: Baseline, rows: Rows, row_cap: int = 64, span_ms: int = 600_000) -> dict[str, list[int]]:
    """Returns when each detector alarmed over these rows: detector → times, Unix milliseconds."""
    names = [name for name in WATCHED if name in DETECTORS]
    seats = [Seat(model=MODEL, alerts_per_month=BUDGET * DETECTORS[name].share, baseline=baseline) for name in names]
    detectors = [DETECTORS[name].build(seat) for name, seat in zip(names, seats, strict=True)]
    census, hash_ = Census(baseline, 1), hash_of(baseline)
    raised: dict[str, list[int]] = {name: [] for name in names}
    clock = seconds = 0.0
    ends = cuts(rows.ts, row_cap, span_ms)
    for begin, end in zip([0, *ends], ends, strict=False):
        for found in census.count(rows.select(slice(begin, end))):
            counts = Counts(
                MODEL,
                hash_,
                0,
                "armed",
                found.bucket,
                found.rows,
                found.first_ts,
                found.last_ts,
                Coordinates(SOURCE, end, 0),
                b"",
                b"",
            )
            for name, detector in zip(names, detectors, strict=True):
                raised[name] += [reading.ts for reading in detector.weigh(counts, found.weights, seconds)]
            seconds = min(max(found.last_ts / 1000.0 - clock, 0.0), 3_600.0) if clock else 0.0
            clock = max(clock, found.last_ts / 1000.0)
    return raised


def outcomes(kind: Kind, seed: int, days: int = DAYS, per_day: int = PER_DAY) -> dict[str, Outcome]:
    """Returns how each detector that had something to watch fared on one stream."""
    golden, live = month(kind, seed, days, per_day)
    baseline = baseline_of(golden)
    months = float(live.ts[-1] - live.ts[0]) / 1000.0 / MONTH_S
    raised = watched(baseline, live)
    tried = {gate.detector for gate in baseline.gate if gate.trials}
    return {
        name: Outcome(baseline.armed(name), DETECTORS[name].share, months, len(times))
        for name, times in raised.items()
        if name in tried
    }


def run(quick: bool) -> Iterator[Result]:
    """Yields, for each kind of stream, what was armed and what it raised."""
    everything: list[Outcome] = []
    for name, kind in (KINDS | HOSTILE).items():
        found: list[Outcome] = []
        for seed in range(FIRST_SEED, FIRST_SEED + (QUICK_STREAMS if quick else STREAMS)):
            of_stream = list(outcomes(kind, seed).values())
            found += of_stream
            alerts = sum(outcome.alerts for outcome in of_stream if outcome.armed)
            yield Result("null", name, "armed detectors", "false alerts in the month", alerts, seed)
        yield from _summed(name, found)
        everything += found if name in KINDS else []
    yield from _summed("all kinds", everything)


def _summed(dataset: str, found: list[Outcome]) -> Iterator[Result]:
    armed = [outcome for outcome in found if outcome.armed]
    advisory = [outcome for outcome in found if not outcome.armed]
    yield Result("null", dataset, "gate", "share of detectors armed", len(armed) / max(len(found), 1))
    for method, group in (("armed detectors", armed), ("advisory detectors", advisory)):
        allowed = sum(outcome.share * BUDGET * outcome.months for outcome in group)
        if group:
            alerts = sum(outcome.alerts for outcome in group)
            yield Result("null", dataset, method, "false alerts per allowed one", alerts / allowed)
            yield Result("null", dataset, method, "false alerts allowed", float(np.round(allowed, 2)))

"""Null: simulated months in which nothing happens, through baseline, gate and folds, and every alert counted.

Each stream is learnt from (two weeks; a cold start two days), gated, and watched for two months. Claimed: the alerts of all
armed detectors together are at most 1.2 times what they may spend of "one false alert per model and month", for every kind of
traffic and over all; single detectors and the families that watch callers are told apart. What an unarmed detector or one of
River's says only informs and is told apart too. The fleet's `probe_rate` and River's detectors watch a quarter of the streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from bench.detection import calm, client_months
from bench.detection.result import Result
from bench.detection.watching import Said, watched
from models.baseline import Baseline
from models.golden import Sample, build_baseline
from models.registry import DETECTORS
from models.shiryaev_roberts import MONTH_S
from tocsin.rows import Rows

BUDGET: Final = 1.0
"""False alerts a model-month, and of the fleet."""
DAYS: Final = 60
PER_DAY: Final = 1_000
"""Calls; few, so that hundreds of months can be watched."""
STREAMS: Final = 8
"""Per kind: 336 model-months in all, about 50 minutes of CPU."""
FIRST_SEED: Final = 9_300
"""Those from 9,100 on were looked at, and led to a change: `models.fitting.FEW`."""
QUICK_STREAMS: Final = 1
QUICK_DAYS: Final = 10
WORKERS: Final = 2
"""Processes at once."""
EVERY: Final = 4
"""Of so many streams one is watched by what has no part in the model's budget as well."""

Month = Callable[[int, int, int], tuple[Rows, Rows]]
"""(seed, days, calls a day) → golden rows, and those of the days after them."""

CALM: Final[dict[str, Month]] = {
    **{name: partial(calm.month, kind) for name, kind in calm.KINDS.items()},
    **{name: partial(client_months.month, clients) for name, clients in client_months.CLIENTS.items()},
}
HOSTILE: Final[dict[str, Month]] = {name: partial(calm.month, kind) for name, kind in calm.HOSTILE.items()}
"""No null: a reference that must not be armed on."""

OURS: Final = {name: entry.share for name, entry in DETECTORS.items() if entry.reference == "frozen"}
"""Detector → share of the model's budget."""
CALLERS: Final = ("query_path", "membership_probe", "newcomer_cohort", "collusion")
"""Families that watch callers."""
APART: Final = tuple(name for name in DETECTORS if name not in OURS)
"""What has no part in it: the fleet's, and what moves with the stream."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One stream.

    Attributes:
        months: watched.
        armed: detectors that the gate armed.
        refused: those that it tried, or that had something to watch, and did not arm.
        said: what was said.
        whole: whether the detectors that are `APART` watched too.
    """

    months: float
    armed: tuple[str, ...]
    refused: tuple[str, ...]
    said: Said
    whole: bool


def baseline_of(golden: Rows) -> Baseline:
    """Returns the baseline of these rows, as the product builds it."""
    sample = Sample()
    for begin in range(0, len(golden), 1_024):
        sample.add(golden.select(slice(begin, begin + 1_024)))
    return build_baseline(sample, zone="UTC", alerts_per_model_month=BUDGET, origin="simulated")


def outcome(month: Month, seed: int, days: int = DAYS, per_day: int = PER_DAY, whole: bool = False) -> Outcome:
    """Returns how the product fared on one stream."""
    golden, live = month(seed, days, per_day)
    baseline = baseline_of(golden)
    months = float(live.ts[-1] - live.ts[0]) / 1000.0 / MONTH_S
    said = watched(baseline, live, BUDGET, () if whole else APART)
    armed = tuple(name for name in OURS if baseline.armed(name))
    refused = tuple(gate.detector for gate in baseline.gate if gate.detector in OURS and not gate.armed)
    return Outcome(months, armed, refused, said, whole)


def run(quick: bool) -> Iterator[Result]:
    """Yields, for each kind of stream, what was armed and what it raised."""
    everything: list[Outcome] = []
    days, seeds = (QUICK_DAYS, QUICK_STREAMS) if quick else (DAYS, STREAMS)
    tasks = [(name, seed, days) for name in CALM | HOSTILE for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
    with ProcessPoolExecutor(WORKERS) as pool:
        outcomes = pool.map(_outcome, tasks)
        for name in CALM | HOSTILE:
            found = list(islice(outcomes, seeds))
            for seed, one in enumerate(found, FIRST_SEED):
                yield from _of_stream(name, seed, one.said)
            yield from summed(name, found)
            everything += found if name in CALM else []
    yield from summed("all kinds", everything)
    for detector in OURS:
        yield from _realised("all kinds", detector, everything, (detector,))
    yield from _moving(everything)


def _outcome(task: tuple[str, int, int]) -> Outcome:
    name, seed, days = task
    return outcome((CALM | HOSTILE)[name], seed, days, whole=seed % EVERY == 0)


def _of_stream(name: str, seed: int, said: Said) -> Iterator[Result]:
    for detector, times in sorted(said.alerts.items()):
        yield Result("null", name, detector, "false alerts of one stream", len(times), seed)
    for fault in said.faults:
        yield Result("null", name, fault, "faults", 1, seed)


def summed(dataset: str, found: list[Outcome]) -> Iterator[Result]:
    """Yields what was armed on these streams, and what that raised, whole and for the families that watch callers."""
    armed, refused = sum(len(one.armed) for one in found), sum(len(one.refused) for one in found)
    months = sum(one.months for one in found)
    yield Result("null", dataset, "gate", "share of detectors armed", armed / max(armed + refused, 1))
    yield Result("null", dataset, "streams", "model-months", round(months, 2))
    yield from _realised(dataset, "armed detectors", found, tuple(OURS))
    yield from _realised(dataset, "families that watch callers", found, CALLERS)
    incidents = sum(len(one.said.incidents) for one in found)
    yield Result("null", dataset, "triage", "incidents a model-month, medium or above", incidents / months)
    proposed = sum(one.said.proposals.total() for one in found)
    yield Result("null", dataset, "triage", "proposals a model-month", proposed / months)
    informs = sum(count for one in found for name, count in one.said.informs.items() if name in OURS)
    yield Result("null", dataset, "unarmed detectors", "signals a model-month that only inform", informs / months)


def _realised(dataset: str, method: str, found: list[Outcome], names: Iterable[str]) -> Iterator[Result]:
    """Yields how many alerts these detectors raised for one that they were allowed where they were armed."""
    allowed = sum(OURS[name] * BUDGET * one.months for one in found for name in names if name in one.armed)
    alerts = sum(len(one.said.alerts.get(name, ())) for one in found for name in names)
    if allowed:
        yield Result("null", dataset, method, "false alerts", alerts)
        yield Result("null", dataset, method, "false alerts allowed", round(allowed, 2))
        yield Result("null", dataset, method, "false alerts per allowed one", alerts / allowed)


def _moving(found: list[Outcome]) -> Iterator[Result]:
    """Yields what the detectors without a part in the model's budget raised, alone: River's would be alerts if they counted."""
    whole = [one for one in found if one.whole]
    months = sum(one.months for one in whole)
    for name in APART if whole else ():
        raised = sum(len(one.said.alerts.get(name, ())) + one.said.informs[name] for one in whole)
        yield Result("null", "all kinds", name, "signals a model-month, alone", raised / months)

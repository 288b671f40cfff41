"""Newcomers: many new accounts that copy a model between them, told from campaigns that bring customers or batch clients.

600 customers and 12 batch clients begin each day. The customers ask twice a day in the median, by habits of their own; batch
clients a hundred times, about anything. Golden traffic is four weeks of it. Then a copier opens 1,200 accounts within two days
that ask 22 times a day each, about everything; or, in its place, a campaign brings 6,000 more customers, or 300 batch clients.
Everything goes through the detector's own fit, scout and judge, at its share of a budget of one false alert a month.

Beside it: the same without octaves of time; an alarm when more newcomers get going in a day than in any golden one, doubled;
one that never fires and one that always does. Sets and seeds are those kept for reporting (`bench.attacks.victims`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.attacks.victims import available, has_sklearn, victim
from bench.detection.result import Result
from models import evenness_fit
from models.baseline import Baseline
from models.evenness import Evenness
from models.golden_sample import Golden, Sample
from models.newcomer_cohort import NewcomerCohort
from models.newcomer_scout import TOLD, NewcomerScout
from models.registry import DETECTORS
from tests.helpers.baselines import baseline_of
from tests.helpers.cohorts import (
    BATCH,
    COPIERS,
    CUSTOMERS,
    DAY_S,
    Cohort,
    World,
    mixture,
    own_business,
    played,
    rows_of,
    world_between,
    world_of,
)
from tests.helpers.traffic import START_MS
from tocsin.event import Coordinates, Source
from tocsin.reading import Reports
from tocsin.rows import Rows

PART: Final = "newcomers"
OURS: Final = "newcomer_cohort"
MIXTURE: Final = "mixture of 40 parts"
SETS: Final = ("cover", "shuttle", "manifold", "agrawal")
SEED: Final = 1_000
GOLDEN_DAYS: Final = 28
BEGINS: Final = 31
"""Day on which copiers or campaigns begin; for two days."""
ENDS: Final = 36
CALM_RUNS: Final = 15
ATTACK_RUNS: Final = 9
MOST_KEPT: Final = 1 << 18

Told = NDArray[np.void]
Method = Callable[[Told], list[int]]
"""What scouts tell of all newcomers → when it alarms, Unix milliseconds."""

CALM: Final[dict[str, Cohort | None]] = {
    "quiet": None,
    "6,000 customers": replace(CUSTOMERS, a_day=3_000),
    "300 batch clients": replace(BATCH, a_day=150),
}
ATTACKS: Final[dict[str, Cohort]] = {
    "1,200 accounts": COPIERS,
    "300 accounts": replace(COPIERS, a_day=150),
    "1,200 accounts of unequal pace": replace(COPIERS, spread=1.2),
    "1,200 accounts that imitate habits": replace(COPIERS, asks=own_business),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What newcomers of one set are held against.

    Attributes:
        world: what can be asked.
        baseline: of four golden weeks.
        armed: the gate's word.
        unbinned: the same without octaves; None when that tells nothing.
        most_a_day: golden callers that had asked n0 times, on the busiest day.
    """

    world: World
    baseline: Baseline
    armed: bool
    unbinned: Evenness | None
    most_a_day: int


def ground_of(world: World, seed: int, days: int = GOLDEN_DAYS) -> Ground | None:
    """Returns the ground that golden weeks of this world are; None when the detector finds nothing to hold on to."""
    golden = _golden(_calm(world, (0, days), days, 0, seed))
    plain = baseline_of(golden.rows.select(slice(0, 8_192)), watches=("confidence", "envelope"))
    evenness, gate = evenness_fit.fit(golden, plain, DETECTORS[OURS].share)
    if evenness is None:
        return None
    baseline = msgspec.structs.replace(plain, evenness=evenness)
    clock = replace(golden.rows, ts=evenness_fit.kept_clock(golden))
    nobody = msgspec.structs.replace(evenness, known=evenness_fit.NOBODY)
    told = told_of(msgspec.structs.replace(baseline, evenness=nobody), clock)
    return Ground(world, baseline, gate.armed, evenness_fit.fitted(clock, plain, bins=1), int(_per_day(told).max()))


def told_of(baseline: Baseline, rows: Rows) -> Told:
    """Returns what one shard's scout tells of these rows."""
    scout = NewcomerScout(baseline, max(len(rows), 1))
    reports = [scout.look(rows.select(slice(at, at + 1_024))) for at in range(0, len(rows), 1_024)]
    return np.frombuffer(b"".join(report.body for report in reports if report is not None), TOLD)


def methods(ground: Ground) -> dict[str, Method]:
    """Returns every method, by name."""
    found: dict[str, Method] = {OURS: _cohort(ground.baseline)}
    if ground.unbinned is not None:
        found["without octaves of time"] = _cohort(msgspec.structs.replace(ground.baseline, evenness=ground.unbinned))
    found["twice as many newcomers as on any golden day"] = lambda told: _crowded(told, 2 * ground.most_a_day)
    found["dummy (never fires)"] = lambda told: told["last_ms"][:0].tolist()
    found["always fires"] = lambda told: told["last_ms"].tolist()
    return found


def _cohort(baseline: Baseline) -> Method:
    def alarms(told: Told) -> list[int]:
        judge = NewcomerCohort(baseline, DETECTORS[OURS].share)
        at = Coordinates(Source("", "", 0), 0, 0)
        reports = Reports(OURS, 1, baseline.model, "", 0, "armed", 0, 0, 0, at, (), told.tobytes())
        return [reading.ts for reading in judge.receive(reports, 0.0)]

    return alarms


def _crowded(told: Told, most: int) -> list[int]:
    days = (told["last_ms"] - START_MS) // int(DAY_S * 1000)
    full = [np.flatnonzero(days == day) for day in np.unique(days)]
    return [int(told["last_ms"][of_day[most]]) for of_day in full if len(of_day) > most]


def _per_day(told: Told) -> NDArray[np.int64]:
    return np.unique(told["last_ms"] // int(DAY_S * 1000), return_counts=True)[1]


def _golden(rows: Rows) -> Golden:
    sample = Sample(MOST_KEPT)
    for at in range(0, len(rows), 1_024):
        sample.add(rows.select(slice(at, at + 1_024)))
    return sample.golden()


def _calm(world: World, days: tuple[float, float], until: float, first: int, seed: int) -> Rows:
    return rows_of(
        played(world, CUSTOMERS, days, until, first, 10 * seed),
        played(world, BATCH, days, until, first + 1_000_000, 10 * seed + 1),
    )


def _merged(parts: list[Told]) -> Told:
    joined = np.concatenate(parts)
    return joined[np.argsort(joined["last_ms"], kind="stable")]


def measured(name: str, ground: Ground, calm_runs: int, attack_runs: int) -> Iterator[Result]:
    """Yields how each method fares on one set."""
    seeds = range(SEED, SEED + max(calm_runs, attack_runs))
    tried = methods(ground)
    usual = {seed: told_of(ground.baseline, _calm(ground.world, (GOLDEN_DAYS, ENDS), ENDS, 3_000_000, seed)) for seed in seeds}
    yield Result(PART, name, OURS, "armed by the replay gate", float(ground.armed), SEED)
    for kind, campaign in CALM.items():
        told = []
        for seed in seeds[:calm_runs]:
            brought = [] if campaign is None else [_cohort_of(ground, campaign, seed)[0]]
            told.append(_merged([usual[seed], *brought]))
        for method, alarms in tried.items():
            yield Result(
                PART, name, method, f"{kind}: runs of {calm_runs} with a false alarm", sum(bool(alarms(t)) for t in told)
            )
    for kind, cohort in ATTACKS.items():
        attacks = [(usual[seed], *_cohort_of(ground, cohort, seed)) for seed in seeds[:attack_runs]]
        for method, alarms in tried.items():
            yield from _found(name, kind, method, [_soonest(alarms(_merged([a, b])), asked) for a, b, asked in attacks])


def _cohort_of(ground: Ground, cohort: Cohort, seed: int) -> tuple[Told, NDArray[np.int64]]:
    """Returns what scouts tell of a cohort, and when its questions came."""
    rows = rows_of(played(ground.world, cohort, (BEGINS, BEGINS + 2), ENDS, 6_000_000, 10 * seed + 2))
    return told_of(ground.baseline, rows), rows.ts


def _soonest(alarms: list[int], asked: NDArray[np.int64]) -> tuple[float, float] | None:
    """Returns days from the attack's beginning to the next alarm, and its questions by then; None when there is none."""
    begins = START_MS + int(BEGINS * DAY_S * 1000)
    soonest = next((alarm for alarm in alarms if alarm >= begins), None)
    if soonest is None:
        return None
    return (soonest - begins) / (DAY_S * 1000), float(np.searchsorted(asked, soonest, side="right"))


def _found(name: str, kind: str, method: str, found: list[tuple[float, float] | None]) -> Iterator[Result]:
    hits = [one for one in found if one is not None]
    yield Result(PART, name, method, f"{kind}: found of {len(found)}", len(hits))
    if hits:
        yield Result(PART, name, method, f"{kind}: days to alarm, median", median(days for days, _ in hits))
        yield Result(PART, name, method, f"{kind}: days to alarm, longest", max(days for days, _ in hits))
        yield Result(PART, name, method, f"{kind}: their questions by then, median", median(asked for _, asked in hits))


def run(quick: bool) -> Iterator[Result]:
    """Yields every number of this part; a quick run has two weeks of one set and one run of each kind."""
    for name in (MIXTURE, *(available(SETS) if has_sklearn() and not quick else ())):
        ground = ground_of(_world_of(name), SEED, 14 if quick else GOLDEN_DAYS)
        if ground is None:
            yield Result(PART, name, OURS, "armed by the replay gate", 0.0, SEED)
        else:
            yield from measured(name, ground, 1 if quick else CALM_RUNS, 1 if quick else ATTACK_RUNS)


def _world_of(name: str) -> World:
    if name == MIXTURE:
        return world_of(mixture(SEED), SEED)
    one = victim(name, SEED)
    return world_between(np.ascontiguousarray(one.golden.T), np.ascontiguousarray(one.benign.T), SEED)

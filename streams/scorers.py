"""Scorers: what each detector makes of each event. One literal table.

Two kinds of numbers. An event's own: `envelope` (LODA score in nats, conformal p, the features to blame), `collusion` (nats by
which callers crowd around it more than golden traffic explains, 0 where they do not); or that of its caller after it:
`query_path` and `membership_probe` (R in seconds). And its model's, the same for all events of a block, as it stands after
them: R of the detectors that weigh counts, of `boundary_probe`'s search, and of `newcomer_cohort`.

Wherever the number is a Shiryaev-Roberts statistic R of e-values, E[R] is at most the seconds staked so far, so that
P(R ≥ r) ≤ staked / r (Markov's inequality): that is the p. `collusion` comes with no p: its threshold is set by golden traffic
that was held out. Nothing is reset here, whatever a score says: thresholds are out of reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from models import (
    boundary_probe,
    collusion,
    confidence_shift,
    envelope,
    feature_drift,
    latency_shift,
    membership_probe,
    newcomer_cohort,
    newcomer_scout,
    query_path,
)
from models.baseline import Baseline, hash_of
from models.boundary_scout import near_of
from models.caller_counts import CallerCounts
from models.caller_shares import CallerShares
from models.cell_tables import TABLES, face_of
from models.collusion_reports import decoded
from models.crowd_scan import CrowdScan
from models.detector import Report, Seat
from models.envelope_scout import because
from models.gate import WATCHED
from models.margins import scale_of
from models.panes import slots_for
from models.quantity import features_of
from models.search import Search
from models.shiryaev_roberts import LARGEST, Bank
from streams.score_block import Block, Floats, Numbers, Scorer, nothing, of_callers, running
from tocsin.reading import Reports
from tocsin.rows import Rows

NEVER: Final = 1.0 / LARGEST
"""False alarms a month that put every threshold out of reach."""


def _bank(detector: str) -> Callable[[Baseline], Scorer]:
    """Returns what makes the scorer of a detector that weighs counts."""

    def build(baseline: Baseline) -> Scorer:
        watches, directions = WATCHED[detector]
        bank, staked_s = Bank(baseline, baseline.of(*watches), NEVER, directions, owner=detector), 0.0

        def score(block: Block) -> Numbers:
            nonlocal staked_s
            for counts, weights, seconds in block.counted:
                bank.weigh(counts, weights, seconds)
                staked_s += seconds
            return running(block.rows, bank.statistic, staked_s)

        return score

    return build


def _envelope(baseline: Baseline) -> Scorer:
    def score(block: Block) -> Numbers:
        found = because(baseline, block.rows)
        return nothing(block.rows) if found is None else Numbers(found.score, found.p, found.features)

    return score


def _query_path(baseline: Baseline) -> Scorer:
    path = query_path.QueryPath(NEVER, 1, {baseline.model: baseline})

    def score(block: Block) -> Numbers:
        course = path.follow([block.rows])
        return of_callers(course.level, course.staked)

    return score


def _membership_probe(baseline: Baseline) -> Scorer:
    fingerprints = baseline.fingerprints
    if fingerprints is None:
        return _nothing
    shares = CallerShares(fingerprints.usual, LARGEST)
    watch = membership_probe.Watch(hash_of(baseline), fingerprints.usual, shares, CallerCounts())

    def level(row: Rows) -> float:
        watch.hits(row, features_of(baseline.features, row), fingerprints, 1)
        return shares.level(int(row.hash[0]))

    def score(block: Block) -> Numbers:
        # Row by row: what a caller asks later in the block is not known yet.
        levels: Floats = np.array([level(block.rows.select(slice(row, row + 1))) for row in range(len(block.rows))])
        return of_callers(levels, block.elapsed_s)

    return score


def _boundary_probe(baseline: Baseline) -> Scorer:
    if baseline.margins is None:
        return _nothing
    scout = boundary_probe.scout(_seat(baseline))
    search, staked_s = Search(scale_of(baseline.margins), baseline.margins.kinds, LARGEST), 0.0

    def score(block: Block) -> Numbers:
        nonlocal staked_s
        report = scout.look(block.rows)
        if report is not None:
            near = near_of(report.body, "score")
            search.weigh(near.distance, near.kind.tolist(), near.far, block.earned_s)
            staked_s += block.earned_s
        return running(block.rows, search.statistic, staked_s)

    return score


def _collusion(baseline: Baseline) -> Scorer:
    tables = baseline.cells
    if tables is None:
        return _nothing
    scout, seen = collusion.scout(_seat(baseline)), 0
    crowds = CrowdScan(face_of(tables.grid), tables.events, slots_for(tables.events * TABLES))

    def score(block: Block) -> Numbers:
        nonlocal seen
        nats, last = np.zeros(len(block.rows)), len(block.rows) - 1
        report, seen = scout.look(block.rows), seen + len(block.rows)
        if report is not None:
            told = decoded(report.body)
            records = told.rows[told.rows["near"] == 0]
            behind = records["after"].astype(np.int64)
            nats[last - behind] = crowds.add(told, records, seen - behind, report.callers)
        return Numbers(nats, np.full(len(nats), np.nan))

    return score


def _newcomer_cohort(baseline: Baseline) -> Scorer:
    cohort, scout = newcomer_cohort.NewcomerCohort(baseline, NEVER), newcomer_scout.build(_seat(baseline))
    if not cohort.sums.size:
        return _nothing

    def score(block: Block) -> Numbers:
        report = scout.look(block.rows)
        if report is not None:
            cohort.receive(_reports(newcomer_cohort.ID, block, report), block.earned_s)
        return running(block.rows, float(cohort.sums.mean()), block.elapsed_s)

    return score


def _nothing(block: Block) -> Numbers:
    """Returns no numbers: the baseline has not what the detector needs."""
    return nothing(block.rows)


def _seat(baseline: Baseline) -> Seat:
    return Seat(model=baseline.model, alerts_per_month=NEVER, baseline=baseline)


def _reports(detector: str, block: Block, report: Report) -> Reports:
    """Returns a scout's report of a block as judge's detectors are given it."""
    rows, times = block.rows, (int(block.rows.ts.min()), int(block.rows.ts.max()))
    at = rows.coordinates(len(rows) - 1)
    return Reports(detector, 0, rows.model, "", 0, "armed", len(rows), *times, at, report.callers, report.body)


SCORERS: Final[dict[str, Callable[[Baseline], Scorer]]] = {
    query_path.ID: _query_path,
    feature_drift.ID: _bank(feature_drift.ID),
    confidence_shift.ID: _bank(confidence_shift.ID),
    latency_shift.ID: _bank(latency_shift.ID),
    envelope.ID: _envelope,
    boundary_probe.ID: _boundary_probe,
    membership_probe.ID: _membership_probe,
    collusion.ID: _collusion,
    newcomer_cohort.ID: _newcomer_cohort,
}
"""Detector → its scorer on a model, from its baseline. All that have a frozen reference and watch traffic."""

"""Margins, fitted: where golden rows lie near the boundary, tried on those that came last.

Searching and sweeping are weighed as they will be live, over the held-out golden rows, at the threshold that the budget
asks for and at lower ones, where alarms are many enough to be counted; more alarms than Σ seconds / A at any of them
leave the detector advisory.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from models.baseline import Baseline, Gate
from models.boundary_probe import ID, SEARCH, SWEEP
from models.boundary_scout import BoundaryScout, near_of
from models.caller_counts import CallerCounts, places_of
from models.caller_shares import CallerShares, usual_share
from models.gate import LEVELS, split
from models.golden_sample import Golden
from models.margins import FIRST_KNOT, Margins, knots_of, scale_of, signed_distance
from models.replay import cuts
from models.search import Search
from models.season import DAY_MS
from models.shiryaev_roberts import MONTH_S, MOST_SECONDS
from models.strangers import golden_shares, kinds_of
from tocsin.event import Source
from tocsin.rows import Rows

LEAST_NEAR: Final = 4 * FIRST_KNOT
STEP_ROWS: Final = 64
GOLDEN: Final = Source("", "golden", 0)
"""Golden rows no longer know where they came from."""


def fit(golden: Golden, baseline: Baseline, alerts_per_month: float) -> tuple[Margins | None, Gate]:
    """Returns the margins, None when too few golden rows are near a boundary, and the gate's word on all of `boundary_probe`.

    Args:
        golden: all golden rows.
        baseline: theirs, with the gate's word on the crowding of counts.
        alerts_per_month: that the detector may raise.
    """
    crowding = next((gate for gate in baseline.gate if gate.detector == ID), Gate(ID, False, 1.0, 0.0, (), "not tried"))
    margins = margins_of(golden.rows, baseline)
    if margins is None:
        return None, crowding
    first, last = split(golden, baseline.season.zone)
    learnt = margins_of(first.rows, baseline) if len(first.rows) else None
    if learnt is None or not len(last.rows):
        return margins, msgspec.structs.replace(
            crowding, armed=False, says="advisory: too few golden rows near the boundary to try"
        )
    trials = trials_of(msgspec.structs.replace(baseline, margins=learnt), last.rows, alerts_per_month, golden.share)
    failed = [trial for trial in trials if trial[1] > trial[2]]
    if not failed or not crowding.armed:
        return margins, msgspec.structs.replace(crowding, trials=(*crowding.trials, *trials))
    budget, raised, allowed = failed[0]
    days = float(last.rows.ts[-1] - last.rows.ts[0]) / DAY_MS
    says = (
        f"advisory: searching or sweeping in {days:.1f} held-out days: {raised:g}, {allowed:.3g} allowed, at {budget:g} a month"
    )
    return margins, msgspec.structs.replace(crowding, armed=False, trials=(*crowding.trials, *trials), says=says)


def margins_of(rows: Rows, baseline: Baseline) -> Margins | None:
    """Returns the margins of these rows, None when fewer than LEAST_NEAR are near, or nobody knows where the boundary is."""
    distance = signed_distance(rows, baseline.boundary)
    known = ~np.isnan(distance)
    near = np.abs(distance) <= np.float32(baseline.near)
    if int(near.sum()) < LEAST_NEAR:
        return None
    distances, shares = knots_of(np.abs(distance[near]))
    confidence = rows.confidence[known]
    kinds = kinds_of(*CallerCounts().count(rows.hash[known], near[known]))
    return Margins(
        distances=distances,
        shares=shares,
        near_rows=int(near.sum()),
        near_share=float(near.sum() / known.sum()),
        usual=usual_share(rows.hash[known], near[known]),
        kinds=golden_shares(kinds, near[known]),
        low=float(confidence.min()),
        high=float(confidence.max()),
        callers=places_of(rows.hash),
    )


def trials_of(baseline: Baseline, rows: Rows, alerts_per_month: float, share: float) -> tuple[tuple[float, float, float], ...]:
    """Returns (alerts a month allowed, raised, allowed) by searching and sweeping over these rows, one per level.

    Args:
        baseline: with margins that do not know these rows.
        rows: in time order.
        alerts_per_month: that the whole detector may raise.
        share: of the model's rows that these are; the rest of the time earns no seconds.
    """
    margins = baseline.margins
    if margins is None:
        return ()
    levels = [alerts_per_month * level for level in LEVELS]
    searches = [Search(scale_of(margins), margins.kinds, MONTH_S / (level * SEARCH)) for level in levels]
    sweeps = [CallerShares(margins.usual, MONTH_S / (level * SWEEP)) for level in levels]
    rows = replace(rows, sources=(GOLDEN,))
    raised, spent, before, seconds = np.zeros(len(levels)), 0.0, int(rows.ts[0]), 0.0
    scout, ends = BoundaryScout(baseline), cuts(rows.ts, STEP_ROWS)
    for begin, end in zip([0, *ends], ends, strict=False):
        report = scout.look(rows.select(slice(begin, end)))
        if report is None:
            continue
        near = near_of(report.body, "held-out golden rows")
        stake, kinds = seconds / len(near.distance), near.kind.tolist()
        columns = (near.caller.tolist(), near.number.tolist(), near.questions(), near.ts.tolist(), near.at)
        spent += seconds
        for level, (search, sweep) in enumerate(zip(searches, sweeps, strict=True)):
            raised[level] += search.weigh(near.distance, kinds, near.far, seconds) is not None
            for index, number, question, ts, at in zip(*columns, strict=True):
                caller = report.callers[index].hash
                raised[level] += sweep.mark(caller, number, question, ts, stake, at) is not None
        latest = max(int(near.ts.max()), before)
        seconds, before = min((latest - before) / 1_000.0, MOST_SECONDS) * share, latest
    allowed = [spent * level * (SEARCH + SWEEP) / MONTH_S for level in levels]
    return tuple(zip(levels, raised.tolist(), allowed, strict=True))

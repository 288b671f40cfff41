"""Cell tables fit: the cells of golden traffic, and how crowded they get when nobody colludes.

Calibrated on golden time: cells are filled with its first part, the next part is replayed through scout and judge as they are,
and the threshold is set half as high again as the highest score there; then the last part, which neither has seen, must
raise no alarm. In force are cells of all golden rows, in which counts surprise less often, for more of them are expected.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline, Gate
from models.cell_tables import CellTables, Grid, Keys, drawn, face_of, filled, surprise
from models.collusion import ID, VERSION, Collusion
from models.collusion_reports import decoded
from models.collusion_scout import CollusionScout
from models.crowd_reading import SEARCH
from models.gate import split
from models.golden_sample import Golden
from models.loda import face_of as envelope_of
from models.margin_scan import RHO
from models.quantity import features_of
from models.season import DAY_MS
from models.standardise import Column, Standard
from tocsin.errors import StateError
from tocsin.event import Source
from tocsin.reading import Reading, Reports
from tocsin.rows import Rows

CUTS: Final = ((6, 1.0), (9, 1.0), (12, 1.0), (16, 1.0), (24, 1.0))
"""Features read and step of the tables, coarsest first: the first that is fine enough is taken."""
FINE: Final = 300.0
"""Cells that traffic is spread over, as many as equally frequent ones would have its entropy."""
FINE_OF: Final = 0.2
"""Of the golden rows, that is enough as well."""
TRIED_ROWS: Final = 16_384
PRIOR: Final = 1.0
NEAR_PRIOR: Final = 0.2
FINER: Final = 0.5
"""Times the step, where rows are near."""
NEAR_SHARE: Final = 0.05
"""Of the golden rows, those closest to the decision boundary, are near."""
MOST_NEAR: Final = 0.1
"""Where more golden rows lie at that distance or closer, it is no measure."""
LEAST_NEAR: Final = 1_000
"""Golden near rows, for fewer leave too many cells empty."""
LEAST_NEAR_EVENTS: Final = 200
WINDOW: Final = (2_000, 10_000)
"""Events: at least, at most; in between, a quarter of the golden rows."""
WINDOWS: Final = 4
LEAST_ROWS: Final = 1_500
LEAST_CALLERS: Final = 20
LEAST_HELD_OUT: Final = 400
LOWEST: Final = 15.0
"""Nats: no threshold is lower, however quiet the golden traffic."""
MARGIN: Final = 1.5
EVERYWHERE: Final = 0.2
"""Of recent rows, that are in hot cells: as little as that may still be a search."""
EVEN_ONCE: Final = 1.05
"""Times the surprise of two callers in a cell that golden rows leave empty: what a near row needs to be a hit."""
MISSED: Final = 0.01
"""Share of golden rows without a feature from which on its absence says nothing."""
BLOCK: Final = 512
NOWHERE: Final = Source("", "golden", 0)


def fit(golden: Golden, baseline: Baseline, alerts_per_month: float) -> tuple[CellTables | None, Gate]:
    """Returns the cell tables, and whether they raised no alarm on golden traffic that they were not made from.

    Args:
        golden: all golden rows.
        baseline: with its envelope, by whose scales features are standardised.
        alerts_per_month: that may be raised.
    """
    lacking = _lacking(golden, baseline)
    if lacking:
        return None, _gate(armed=False, says=f"advisory: {lacking}")
    first, last = split(golden, baseline.season.zone)
    middle = len(first.rows) // 2
    before, after = first.select(slice(0, middle)), first.select(slice(middle, len(first.rows)))
    if min(len(after.rows), len(last.rows)) < LEAST_HELD_OUT:
        found = f"found {len(after.rows)} and {len(last.rows)}"
        return None, _gate(armed=False, says=f"advisory: {LEAST_HELD_OUT} golden rows to set and to try it on needed; {found}")
    events = min(max(len(golden.rows) // WINDOWS, WINDOW[0]), WINDOW[1])
    judge, told, _ = _replayed(_made(before, baseline, events, float("inf")), after, baseline, alerts_per_month)
    highest = judge.highest * max(events / len(after.rows), 1.0)  # what a shorter replay did not have time to gather
    threshold = max(LOWEST, MARGIN * highest + 1.0)
    judge, _, alarms = _replayed(_made(first, baseline, events, threshold), last, baseline, alerts_per_month)
    tables = msgspec.structs.replace(_made(golden, baseline, events, threshold), everywhere=max(EVERYWHERE, 2.0 * told))
    if judge.hits[0] > RHO / 2 * judge.hits[1] + 1 or any(alarm.evidence["signal"] == SEARCH for alarm in alarms):
        tables = msgspec.structs.replace(tables, near=None, margin=float("nan"))
    raised = sum(alarm.evidence["signal"] != SEARCH for alarm in alarms)
    days = int(last.rows.ts[-1] - last.rows.ts[0]) / DAY_MS
    near = "near rows too" if tables.near is not None else "near rows not scanned"
    says = f"armed: {len(last.rows)} held-out rows stayed below a threshold of {threshold:.0f} nats, set on others; {near}"
    if raised:
        says = (
            f"advisory: alarms on {len(last.rows)} held-out rows: {raised}, 0 allowed, at a threshold of {threshold:.0f} nats"
        )
    return tables, _gate(armed=not raised, says=says, days=days, trials=((alerts_per_month, float(raised), 0.0),))


def _gate(*, armed: bool, says: str, days: float = 0.0, trials: tuple[tuple[float, float, float], ...] = ()) -> Gate:
    return Gate(ID, armed, 1.0, days, trials, says)


def _lacking(golden: Golden, baseline: Baseline) -> str:
    """Returns what golden traffic lacks for cells to be filled, "" for nothing."""
    if baseline.envelope is None or not len(_standard(baseline).usable):
        return "a feature that varies needed; found none"
    if len(golden.rows) < LEAST_ROWS or golden.callers < LEAST_CALLERS:
        return f"{LEAST_ROWS} golden rows of {LEAST_CALLERS} callers needed; found {len(golden.rows)} of {golden.callers}"
    return ""


def _standard(baseline: Baseline) -> Standard:
    """Returns how features are standardised; raises StateError for a baseline without an envelope."""
    if baseline.envelope is None:
        raise StateError(f"{ID}: a baseline with an envelope expected; that of {baseline.model} has none")
    return envelope_of(baseline.envelope).standard


def _made(golden: Golden, baseline: Baseline, events: int, threshold: float) -> CellTables:
    """Returns cell tables of these golden rows."""
    standard = _standard(baseline)
    values = features_of(baseline.features, golden.rows)
    absent = np.isnan(values)
    habitual = absent.mean(axis=1) >= MISSED
    standardised, absent = standard.apply(values), absent & ~habitual[:, None]
    grid, near_grid = _grids(standard.usable, standardised, zlib.crc32(baseline.references))
    tables = CellTables(
        events=events,
        habitual=habitual.astype("u1").tobytes(),
        grid=filled(grid, face_of(grid).keys(standardised), face_of(grid).void(absent)),
        threshold=threshold,
    )
    distance = np.abs(golden.rows.confidence - np.float32(baseline.boundary))
    margin = _margin(distance)
    near = distance <= np.float32(margin)
    if int(near.sum()) < LEAST_NEAR:
        return tables
    keys, void = face_of(near_grid).keys(standardised[:, near]), face_of(near_grid).void(absent[:, near])
    near_events = max(LEAST_NEAR_EVENTS, round(events * NEAR_SHARE))
    emptiest = near_events * NEAR_PRIOR / (int(near.sum()) + NEAR_PRIOR)
    hit = EVEN_ONCE * float(surprise(np.array([2.0]), np.array([emptiest]))[0])
    return msgspec.structs.replace(tables, margin=margin, near=filled(near_grid, keys, void), near_events=near_events, hit=hit)


def _grids(usable: NDArray[np.int64], standardised: Column, seed: int) -> tuple[Grid, Grid]:
    """Returns the coarsest grid that is fine enough for these golden rows, or the finest, and one for near rows; both empty."""
    tried = standardised[:, :: max(standardised.shape[1] // TRIED_ROWS, 1)]
    enough = min(FINE, FINE_OF * tried.shape[1])
    for width, step in CUTS:
        grid = drawn(usable, width, step, PRIOR, np.random.default_rng(seed))
        if _spread_over(face_of(grid).keys(tried)) >= enough:
            break
    return grid, drawn(usable, width, FINER * step, NEAR_PRIOR, np.random.default_rng(seed + 1))


def _spread_over(keys: Keys) -> float:
    """Returns how many equally frequent cells would be as hard to guess as the rows' (perplexity), the median of the tables."""
    counts = (np.unique(mine, return_counts=True)[1] / len(keys) for mine in keys.T)
    return float(np.median([np.exp(-(shares * np.log(shares)).sum()) for shares in counts]))


def _margin(distance: NDArray[np.float32]) -> float:
    """Returns up to which distance from the decision boundary a row is near; NaN when golden distances do not tell."""
    known = distance[~np.isnan(distance)]
    if not len(known):
        return float("nan")
    margin = float(np.quantile(known, NEAR_SHARE))
    return margin if float((known <= np.float32(margin)).mean()) <= MOST_NEAR else float("nan")


def _replayed(
    tables: CellTables, golden: Golden, baseline: Baseline, alerts_per_month: float
) -> tuple[Collusion, float, list[Reading]]:
    """Returns judge after these rows, what share of them it was told, and what would have been read.

    There is one shard: in it crowds are whole.
    """
    scout, judge = CollusionScout(baseline, tables, 1), Collusion(tables, alerts_per_month)
    readings: list[Reading] = []
    looked, before, earned, told = 0, 0, 0.0, 0
    for begin in range(0, len(golden.rows), BLOCK):
        rows = _placed(golden.rows.select(slice(begin, begin + BLOCK)))
        looked += len(rows)
        report = scout.look(rows)
        if report is None:
            continue
        told += int((decoded(report.body).rows["near"] == 0).sum())
        ends = int(rows.ts[0]), int(rows.ts[-1])
        reports = Reports(
            ID,
            VERSION,
            rows.model,
            "",
            0,
            "provisional",
            looked,
            *ends,
            rows.coordinates(len(rows) - 1),
            report.callers,
            report.body,
        )
        readings += judge.receive(reports, earned)
        looked, earned, before = 0, (ends[1] - before) / 1_000.0 if before else 0.0, ends[1]
    return judge, told / len(golden.rows), readings


def _placed(rows: Rows) -> Rows:
    """Returns golden rows, which no longer know where they entered, as if all of them had come from one place."""
    return replace(rows, sources=(NOWHERE,), source=np.zeros(len(rows), np.uint8))

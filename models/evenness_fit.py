"""Evenness fit: how golden callers began, how many questions are enough to tell, and whether golden traffic keeps to it.

Golden callers go through the very scout that newcomers will go through. After 16 or after 32 questions, and at every number of
cells, one number says how fast evidence would grow against accounts that ask questions drawn from all golden traffic, at
golden callers' own pace: the mean log pay-off of the best bet. The pair that grows most per question is taken. Where not
even that one grows, golden callers are as even as anybody who copies everything, and the detector stays advisory.

Golden rows are a sample in stretches, so a caller's pace is measured on a clock that stands still between them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import loda
from models.baseline import Baseline, Gate
from models.evenness import BINS, CELLS, Evenness, bin_of, bloom_of, cells_visited, fastest_of, tolerated_of
from models.gate import LEVELS, split
from models.golden_sample import STRETCH, Golden
from models.k_means import k_means, nearest
from models.newcomer_cohort import BETS, ID, VERSION, NewcomerCohort
from models.newcomer_scout import TOLD, NewcomerScout
from models.quantity import features_of
from models.season import DAY_MS
from models.shiryaev_roberts import MONTH_S
from tocsin.event import Coordinates, Source
from tocsin.reading import Reports
from tocsin.rows import Rows

QUESTIONS: Final = (16, 32)
LEAST_CALLERS: Final = 200
"""Golden callers that must have asked as much as newcomers will be judged by."""
LEAST_HELD_OUT: Final = 50
LEAST_GROWTH: Final = 0.02
"""Nats per account below which nobody is told apart."""
SEED: Final = 20_260_102
FIT_ROWS: Final = 8_192
COPIES: Final = 4_096
"""Accounts that are drawn from golden rows."""

Told = NDArray[np.void]
Column = NDArray[np.float32]
Floats = NDArray[np.float64]
Trial = tuple[float, float, float]
"""(false alerts a month allowed, alarms raised, alarms allowed)."""
NOBODY: Final = bloom_of(np.empty(0, np.uint64))
NOWHERE: Final = Coordinates(Source("", "", 0), 0, 0)


def fit(golden: Golden, baseline: Baseline, alerts_per_month: float) -> tuple[Evenness | None, Gate]:
    """Returns how golden callers began, and what its trial on the last golden days said; see `models.parts.Part`."""
    if baseline.envelope is None or not len(loda.face_of(baseline.envelope).standard.usable):
        return None, _advisory("blind: golden traffic has no features that vary")
    cut = len(split(golden, baseline.season.zone)[0].rows)
    rows = replace(golden.rows, ts=kept_clock(golden))
    begun, held_out = rows.select(slice(0, cut)), rows.select(slice(cut, None))
    tried, whole = fitted(begun, baseline), fitted(rows, baseline)
    if tried is None or whole is None:
        often = min(_asking(part, min(QUESTIONS)) for part in (begun, rows))
        few = f"{LEAST_CALLERS} golden callers that ask {min(QUESTIONS)} times needed; found {often}"
        return None, _advisory(f"advisory: {few if often < LEAST_CALLERS else 'golden callers keep to no habits'}")
    return whole, _gate(tried, whole, baseline, held_out, alerts_per_month)


def _gate(tried: Evenness, whole: Evenness, baseline: Baseline, held_out: Rows, alerts_per_month: float) -> Gate:
    """Returns what the held-out rows say: their newcomers must raise no alarms, nor must all their callers as if new."""
    nobody = msgspec.structs.replace(tried, known=NOBODY)
    newcomers, everybody = (_told(baseline, evenness, held_out) for evenness in (tried, nobody))
    if len(everybody) < LEAST_HELD_OUT:
        needed = f"{LEAST_HELD_OUT} callers of the held-out days that ask {tried.n0} times needed; found {len(everybody)}"
        return _advisory(f"advisory: {needed}")
    days = float(held_out.ts[-1] - held_out.ts[0]) / DAY_MS
    trial = msgspec.structs.replace(baseline, evenness=tried)
    budgets = [times * alerts_per_month for times in LEVELS]
    trials = tuple(max(_trial(trial, told, budget, days) for told in (newcomers, everybody)) for budget in budgets)
    passed = all(raised <= allowed for _, raised, allowed in trials)
    return Gate(ID, passed, 1.0, days, trials, _says(whole, trials, days, len(everybody)))


def fitted(rows: Rows, baseline: Baseline, bins: int = BINS) -> Evenness | None:
    """Returns how the callers of these rows began; None when they are too few, or as even as who copies them all.

    Args:
        rows: in time order.
        baseline: with features and envelope.
        bins: octaves to tell apart.
    """
    best: tuple[float, Evenness] | None = None
    if _asking(rows, min(QUESTIONS)) < LEAST_CALLERS:
        return None
    centres = k_means(_thinned(rows, baseline), CELLS, SEED)
    for n0 in QUESTIONS:
        draft = Evenness(centres.astype("<f4").tobytes(), n0, CELLS + 1, 1.0, b"", b"", 0.0, NOBODY)
        told = _told(baseline, draft, rows)
        if len(told) < LEAST_CALLERS:
            break
        grown, evenness = _chosen(draft, told, _copies(rows, baseline, centres, n0), bins)
        if grown >= LEAST_GROWTH and (best is None or grown / n0 > best[0] / best[1].n0):
            best = grown, evenness
    return None if best is None else msgspec.structs.replace(best[1], known=bloom_of(rows.hash))


def kept_clock(golden: Golden) -> NDArray[np.int64]:
    """Returns times that do not advance between the stretches that the sample kept, int64 (rows,), milliseconds."""
    ts = golden.rows.ts
    if golden.share >= 1.0:
        return ts
    gaps = np.diff(ts, prepend=ts[0])
    gaps[::STRETCH] = 0
    clock: NDArray[np.int64] = ts[0] + np.cumsum(gaps)
    return clock


def growth(copying: float, tolerated: Floats) -> Floats:
    """Returns the mean log pay-off per account of the best bet, for a share `copying` of even accounts, in nats."""
    bets = BETS[:, None]
    gained: Floats = copying * np.log1p(bets * (1.0 / tolerated - 1.0)) + (1.0 - copying) * np.log1p(-bets)
    best: Floats = np.maximum(gained.max(axis=0), 0.0)
    return best


def _chosen(draft: Evenness, told: Told, copies: NDArray[np.int64], bins: int) -> tuple[float, Evenness]:
    """Returns the threshold at which evidence grows fastest: nats per account, and what it makes of the golden callers."""
    took = told["last_ms"] - told["first_ms"]
    fastest = fastest_of(took, bins)
    octave, cells = bin_of(fastest, bins, took), cells_visited(told["mask"])
    callers = np.bincount(octave, minlength=bins).astype(np.float64)
    best = (-1.0, draft)
    for threshold in range(2, draft.n0 + 1):
        even = np.bincount(octave[cells >= threshold], minlength=bins).astype(np.float64)
        copying = float((copies >= threshold).mean())
        grown = float(growth(copying, tolerated_of(callers, even)) @ callers / callers.sum())
        if grown > best[0]:
            counted = (callers.astype("<f8").tobytes(), even.astype("<f8").tobytes())
            best = (
                grown,
                msgspec.structs.replace(
                    draft, threshold=threshold, fastest_ms=fastest, callers=counted[0], even=counted[1], copying=copying
                ),
            )
    return best


def _copies(rows: Rows, baseline: Baseline, centres: Column, n0: int) -> NDArray[np.int64]:
    """Returns how many cells accounts visit that ask n0 questions drawn from all golden rows."""
    drawn = np.random.default_rng(SEED).integers(len(rows), size=(COPIES, n0))
    used, place = np.unique(drawn, return_inverse=True)
    cells = nearest(centres, _standardised(rows.select(used), baseline)).astype(np.uint64)
    visited = np.left_shift(np.uint64(1), cells)[place.reshape(drawn.shape)]
    return cells_visited(np.bitwise_or.reduce(visited, axis=1))


def _thinned(rows: Rows, baseline: Baseline) -> Column:
    """Returns at most FIT_ROWS of the rows, evenly spaced, standardised."""
    some = min(FIT_ROWS, len(rows))
    return _standardised(rows.select(np.arange(some) * len(rows) // some), baseline)


def _standardised(rows: Rows, baseline: Baseline) -> Column:
    if baseline.envelope is None:
        return np.empty((0, len(rows)), np.float32)
    return loda.face_of(baseline.envelope).standard.apply(features_of(baseline.features, rows))


def _asking(rows: Rows, times: int) -> int:
    """Returns how many callers have at least so many rows."""
    return int((np.unique(rows.hash, return_counts=True)[1] >= times).sum())


def _told(baseline: Baseline, evenness: Evenness, rows: Rows) -> Told:
    """Returns what a scout of the baseline would tell of these rows, had it this evenness and room for all."""
    report = NewcomerScout(msgspec.structs.replace(baseline, evenness=evenness), max(len(rows), 1)).look(rows)
    return np.frombuffer(b"" if report is None else report.body, TOLD)


def _trial(baseline: Baseline, told: Told, budget: float, days: float) -> Trial:
    judge = NewcomerCohort(baseline, budget)
    reports = Reports(ID, VERSION, baseline.model, "", 0, "armed", 0, 0, 0, NOWHERE, (), told.tobytes())
    raised = sum(reading.evidence["told"] == 1 for reading in judge.receive(reports, 0.0))
    return budget, float(raised), budget * days * DAY_MS / 1_000.0 / MONTH_S


def _says(evenness: Evenness, trials: tuple[Trial, ...], days: float, callers: int) -> str:
    even, golden = (np.frombuffer(counted, "<f8").sum() for counted in (evenness.even, evenness.callers))
    tells = (
        f"with {evenness.n0} questions {100 * even / golden:.1f} % of golden callers see {evenness.threshold} of {CELLS} cells "
        f"and {100 * evenness.copying:.0f} % of those who copy everything"
    )
    for budget, raised, allowed in trials:
        if raised > allowed:
            held = f"{raised:g} alarms in {days:.1f} held-out days, {allowed:.3g} allowed, at {budget:g} a month"
            return f"advisory: {held}; {tells}"
    return f"armed: {callers} callers of {days:.1f} held-out days raised no more alarms than allowed; {tells}"


def _advisory(says: str) -> Gate:
    return Gate(ID, False, 1.0, 0.0, (), says)

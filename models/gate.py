"""The replay gate: a detector may alarm in earnest only if held-out golden traffic shows that it can keep its promise.

Theory. The bank's bound holds for rows as independent as the golden sample says. Discount, tempering and margin make that
nearly true of most traffic, and of some traffic nothing does: it drifts by itself. So cells are cut from the first part
of the golden days and the last part is replayed. A detector is armed if it raised no more alarms than Σ seconds / A at the
A that the budget asks for and at A/10 to A/10⁴ (dependence makes alarms at every level, and at low ones they can be
counted); with 14 golden days or more, also in months drawn from the held-out days, by day and by caller. If not, it is
tried again with twice the margin, with tempering, with a wider window, and at last it stays advisory, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.baseline import Baseline, Gate, Watched
from models.draft import Draft
from models.fitting import Allowance
from models.golden_sample import LEAST_ROWS, WINDOWS, Golden
from models.replay import alarms, months, replayed
from models.season import DAY_MS, day_of
from models.shiryaev_roberts import MONTH_S
from tocsin.rows import Rows

WATCHES: Final[dict[str, tuple[Watched, ...]]] = {
    "feature_drift": ("feature", "missing"),
    "confidence_shift": ("confidence", "label"),
    "latency_shift": ("latency",),
    "envelope": ("envelope",),
    "boundary_probe": ("margin",),
}
"""Detectors that must pass, and what of a row each one's evidence rests on."""
LEVELS: Final = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
"""How many times the budget is allowed at each threshold tried."""
ALLOWANCES: Final = (Allowance(1.0, False), Allowance(2.0, False), Allowance(2.0, True))
HELD_OUT: Final = 0.27
"""Of the golden days."""
LEAST_HELD_OUT: Final = 100
"""Rows."""
LONG_DAYS: Final = 13.5
"""Golden days from which months can be drawn."""
MONTH_DAYS: Final = 30
MONTHS: Final = 12
DRAWS: Final = 4
"""Of callers; each makes its share of MONTHS."""
MANY_CALLERS: Final = 100
"""Fewer are no sample of all that might call: they are not drawn."""

Trials = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one detector was found fit for.

    Attributes:
        gate: as the baseline tells it.
        allowance: how careful its quantities must be.
    """

    gate: Gate
    allowance: Allowance


def split(golden: Golden, zone: str) -> tuple[Golden, Golden]:
    """Returns the golden rows before and after a local midnight such that about a quarter of the days come after it.

    With less than four days, it is about a quarter of the time instead.
    """
    ts = golden.rows.ts
    days = day_of(zone, ts)
    if days[-1] - days[0] >= 3:
        held_out = max(1, round((int(days[-1]) - int(days[0]) + 1) * HELD_OUT))
        cut = int(np.searchsorted(days, days[-1] + 1 - held_out))
    else:
        cut = int(np.searchsorted(ts, ts[-1] - HELD_OUT * (ts[-1] - ts[0])))
    return golden.select(slice(0, cut)), golden.select(slice(cut, len(ts)))


def too_little(first: Golden, last: Golden) -> str:
    """Returns why these parts cannot be tried, "" if they can."""
    if len(first.rows) < LEAST_ROWS or len(last.rows) < LEAST_HELD_OUT:
        return (
            f"advisory: {LEAST_ROWS} rows to learn from and {LEAST_HELD_OUT} to try on needed; "
            f"found {len(first.rows)} and {len(last.rows)}"
        )
    return ""


def verdicts(draft: Draft, held_out: Golden, budgets: dict[str, float]) -> tuple[int, dict[str, Verdict]]:
    """Returns the window that arms most detectors, and what each was found fit for with it.

    Args:
        draft: on the first part of the golden rows.
        held_out: the last.
        budgets: detector → false alerts a month that it may raise; keys of WATCHES.
    """
    tried = []
    for window in WINDOWS:
        found = {detector: _verdict(draft, held_out, detector, window, budget) for detector, budget in budgets.items()}
        tried.append((window, found))
        if all(verdict.gate.armed or not verdict.gate.trials for verdict in found.values()):
            break
    return max(tried, key=lambda of: sum(verdict.gate.armed for verdict in of[1].values()))


def _verdict(draft: Draft, held_out: Golden, detector: str, window: int, budget: float) -> Verdict:
    """Returns the first allowance that the detector passed with, or the last that it failed with."""
    watches = WATCHES[detector]
    days = _days(held_out, held_out)
    if not draft.baseline(lambda _: ALLOWANCES[0], window, watches).quantities:
        says = f"nothing to watch: golden traffic has no {' or '.join(watches)}"
        return Verdict(Gate(detector, False, 1.0, days, (), says), ALLOWANCES[0])
    for allowance in ALLOWANCES:
        baseline = draft.baseline(lambda _, given=allowance: given, window, watches)  # type: ignore[misc]
        trials: Trials = ()
        passed = True
        for trial in _trials(baseline, held_out, budget, _days(draft.golden, held_out) >= LONG_DAYS):
            trials += trial
            passed = all(raised <= allowed for _, raised, allowed in trial)
            if not passed:
                break
        if passed:
            break
    return Verdict(Gate(detector, passed, allowance.sigmas, days, trials, _says(passed, trials, days)), allowance)


def _trials(baseline: Baseline, held_out: Golden, budget: float, long: bool) -> Iterator[Trials]:
    """Yields the trials, cheapest first: the held-out days at all levels, then months of days, then of callers and days."""
    quantities = list(range(len(baseline.quantities)))
    steps = replayed(baseline, quantities, held_out.rows, held_out.share)
    levels = np.array(LEVELS) * budget
    raised = alarms(steps, MONTH_S / levels)[0]
    yield tuple(zip(levels.tolist(), raised.tolist(), (steps.seconds.sum() * levels / MONTH_S).tolist(), strict=True))
    if not long:
        return
    claimed = np.array([MONTH_S / budget])
    raised = alarms(steps, claimed, months(steps, MONTH_DAYS, MONTHS, 0))
    yield ((budget, float(raised.sum()), MONTHS * budget),)
    if held_out.callers >= MANY_CALLERS:
        total = 0
        for draw in range(1, DRAWS + 1):
            again = replayed(baseline, quantities, _callers_drawn(held_out.rows, draw), held_out.share)
            total += int(alarms(again, claimed, months(again, MONTH_DAYS, MONTHS // DRAWS, draw)).sum())
        yield ((budget, float(total), MONTHS * budget),)


def _days(first: Golden, last: Golden) -> float:
    return float(last.rows.ts[-1] - first.rows.ts[0]) / DAY_MS


def _callers_drawn(rows: Rows, seed: int) -> Rows:
    """Returns the rows of as many callers as there are, drawn with replacement; one drawn twice is two callers."""
    distinct, which = np.unique(rows.hash, return_inverse=True)
    drawn = np.random.default_rng(seed).integers(0, len(distinct), len(distinct))
    times = np.bincount(drawn, minlength=len(distinct))[which]
    picked = np.repeat(np.arange(len(rows)), times)
    copy = np.arange(len(picked)) - np.repeat(np.cumsum(times) - times, times)
    chosen = rows.select(picked)
    return replace(chosen, hash=chosen.hash + copy.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _says(passed: bool, trials: Trials, days: float) -> str:
    months_tried = "" if len(trials) == len(LEVELS) else " and in months drawn from them"
    if passed:
        return f"armed: {days:.1f} held-out days{months_tried} raised no more alarms than allowed at {len(LEVELS)} thresholds"
    budget, raised, allowed = next(trial for trial in trials if trial[1] > trial[2])
    where = "" if len(trials) == len(LEVELS) else " in drawn months"
    return (
        f"advisory: {raised:g} alarms{where} where {allowed:.3g} are allowed, at {budget:g} a month ({days:.1f} held-out days)"
    )

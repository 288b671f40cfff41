"""The replay gate: a detector may alarm in earnest only if held-out golden traffic shows that it can keep its promise.

Theory. The bank's bound holds for rows as independent as the golden sample says. Discount, tempering and margin make that
nearly true of most traffic, and of some traffic nothing does: it drifts by itself. So cells are cut from the first part
of the golden days and the last part is replayed. A detector is armed if it raised no more alarms than Σ seconds / A at the
A that the budget asks for and at A/10 to A/10⁴ (dependence makes alarms at every level, and at low ones they can be
counted); with 14 golden days or more, also in months drawn from the held-out days, by day and by caller. If not, it is
tried again with twice the margin, with tempering, with a wider window, and at last it stays advisory, and says so. It
also stays advisory if golden days drift, each going on from the one before: that is no reference, whatever it raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import atan, pi, tan
from typing import Final

import msgspec
import numpy as np

from models import boundary_probe, confidence_shift, disagreement, envelope, feature_drift, latency_shift
from models.baseline import Baseline, Gate, Watched
from models.draft import Draft
from models.experts import EXPERTS, Direction
from models.fitting import Allowance, Fit
from models.golden_sample import LEAST_ROWS, WINDOWS, Golden
from models.priors import priors
from models.quantity import JOINT
from models.replay import Steps, alarms, gains, months, replayed, side_by_side
from models.season import DAY_MS, day_of
from models.shiryaev_roberts import MONTH_S
from tocsin.rows import Rows

WATCHED: Final[dict[str, tuple[tuple[Watched, ...], tuple[Direction, ...]]]] = {
    watch.ID: (watch.WATCHES, watch.BETS)
    for watch in (feature_drift, confidence_shift, latency_shift, envelope, boundary_probe)
}
"""Detectors that must pass, what of a row each one's evidence rests on, and which way its experts bet (all when empty)."""
LEVELS: Final = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
"""How many times the budget is allowed at each threshold tried."""
ALLOWANCES: Final = (Allowance(1.0, False), Allowance(2.0, False), Allowance(2.0, True))
MANY_ROWS: Final = 5_000
"""Golden rows below which twice the margin is where it begins."""
HELD_OUT: Final = 0.27
"""Of the golden days."""
LEAST_HELD_OUT: Final = 100
"""Rows."""
DRIFTING: Final = 0.05
"""Probability, over all that a detector watches, below which golden days are said to drift."""
MADE_OF_OTHERS: Final[tuple[Watched, ...]] = ("tail", "pair", "projection")
"""Quantities whose drift others show: three dozen more of them would only let each be blamed for less."""
LONG_DAYS: Final = 13.5
"""Golden days from which months can be drawn."""
MONTH_DAYS: Final = 30
MONTHS: Final = 12
DRAWS: Final = 6
"""Of callers."""
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
        budgets: detector → false alerts a month that it may raise; keys of WATCHED.
    """
    tried = []
    for window in WINDOWS:
        bench = _bench(draft, held_out, window)
        found = {detector: _verdict(bench, detector, budget) for detector, budget in budgets.items()}
        tried.append((window, found))
        if all(verdict.gate.armed or not verdict.gate.trials for verdict in found.values()):
            break
    return max(tried, key=lambda of: sum(verdict.gate.armed for verdict in of[1].values()))


@dataclass(frozen=True, slots=True)
class _Bench:
    """Everything that detectors are tried on, counted once: cells do not depend on the allowance.

    Attributes:
        draft: on the first part.
        fits: its quantities.
        window: of the discount.
        held_out: readings of the last part.
        drawn: readings of the last part as other callers might have made it; None when it is not long or not of many.
        long: whether months are drawn.
        days: held out.
        allowances: to try, least first.
    """

    draft: Draft
    fits: list[Fit]
    window: int
    held_out: Steps
    drawn: Steps | None
    long: bool
    days: float
    allowances: tuple[Allowance, ...]

    def baseline(self, allowance: Allowance) -> Baseline:
        return self.draft.baseline(self.fits, lambda _: allowance, self.window)


def _bench(draft: Draft, held_out: Golden, window: int) -> _Bench:
    fits = draft.fits(window)
    baseline = draft.baseline(fits, lambda _: Allowance(), window)
    ts = held_out.rows.ts
    long = int(ts[-1] - draft.golden.rows.ts[0]) >= LONG_DAYS * DAY_MS
    drawn = None
    if long and held_out.callers >= MANY_CALLERS:
        draws = range(1, DRAWS + 1)
        drawn = side_by_side([replayed(baseline, _half_of_callers(held_out.rows, draw), held_out.share / 2) for draw in draws])
    steps = replayed(baseline, held_out.rows, held_out.share)
    allowances = ALLOWANCES if len(draft.golden.rows) + len(ts) >= MANY_ROWS else ALLOWANCES[1:]
    return _Bench(draft, fits, window, steps, drawn, long, int(ts[-1] - ts[0]) / DAY_MS, allowances)


def _verdict(bench: _Bench, detector: str, budget: float) -> Verdict:
    """Returns the first allowance that the detector passed with, or the last that it failed with."""
    watches, directions = WATCHED[detector]
    quantities = bench.baseline(bench.allowances[0]).of(*watches)
    if not quantities:
        says = f"blind: golden traffic has no {' or '.join(watched for watched in watches if watched not in JOINT)}"
        return Verdict(Gate(detector, False, 1.0, bench.days, (), says), bench.allowances[0])
    experts = [at for at, expert in enumerate(EXPERTS) if not directions or expert.direction in directions]
    for allowance in bench.allowances:
        trials: Trials = ()
        for trial in _trials(bench, bench.baseline(allowance), quantities, experts, budget):
            trials += trial
            if _failed(trials):
                break
        if not _failed(trials):
            break
    gate = Gate(detector, not _failed(trials), allowance.sigmas, bench.days, trials, _says(trials, bench.days))
    return Verdict(gate, allowance)


def _trials(bench: _Bench, baseline: Baseline, quantities: list[int], experts: list[int], budget: float) -> Iterator[Trials]:
    """Yields the trials, cheapest first: the held-out days at all levels, then months of days, then of callers and days."""
    steps = bench.held_out
    gained, weights = gains(steps, baseline, quantities, experts), priors(baseline, quantities)
    levels = np.array(LEVELS) * budget
    raised = alarms(gained, steps.seconds, MONTH_S / levels, None, weights)[0]
    yield tuple(zip(levels.tolist(), raised.tolist(), (steps.seconds.sum() * levels / MONTH_S).tolist(), strict=True))
    claimed = np.array([MONTH_S / budget])
    if bench.long:
        raised = alarms(gained, steps.seconds, claimed, months(steps, MONTH_DAYS, MONTHS, 0), weights)
        yield ((budget, float(raised.sum()), MONTHS * budget),)
    if bench.drawn is not None:
        gained = gains(bench.drawn, baseline, quantities, experts)
        raised = alarms(gained, bench.drawn.seconds, claimed, months(bench.drawn, 2 * MONTH_DAYS, MONTHS, 1), weights)
        yield ((budget, float(raised.sum()), MONTHS * budget),)


def unless_drifting(gates: tuple[Gate, ...], fits: list[Fit]) -> tuple[Gate, ...]:
    """Returns the gates, closed where golden days drifted.

    Latencies wander with every deployment, and that closes no other gate; if anything else drifts, the whole is no reference.

    Args:
        gates: what the replay said.
        fits: all quantities, fitted on all golden rows.
    """
    everything = _drifting([fit for fit in fits if fit.plain.watches not in ("latency", *MADE_OF_OTHERS)])
    latency = everything or _drifting([fit for fit in fits if fit.plain.watches == "latency"])
    reasons = [latency if gate.detector == "latency_shift" else everything for gate in gates]
    return tuple(
        msgspec.structs.replace(gate, armed=False, says=reason) if gate.armed and reason else gate
        for gate, reason in zip(gates, reasons, strict=True)
    )


def _drifting(fits: list[Fit]) -> str:
    """Returns which quantity's golden days drift most, "" when all together do not.

    Their probabilities are put together by the Cauchy combination (Liu and Xie 2020, Journal of the American Statistical
    Association 115), which holds however they depend on each other, and sees several that are a little improbable.
    """
    told = [fit for fit in fits if fit.steady < 1.0]
    worst = min(told, key=lambda fit: fit.steady, default=None)
    if worst is None:
        return ""
    tangents = [tan((0.5 - max(fit.steady, 1e-12)) * pi) for fit in told]
    if 0.5 - atan(sum(tangents) / len(told)) / pi >= DRIFTING:
        return ""
    often = 1.0 / max(worst.steady, 1e-6)
    return (
        f"advisory: golden days of {worst.plain.name} go on from one another as chance lets them once in {often:.0f} baselines"
    )


def _failed(trials: Trials) -> bool:
    return any(raised > allowed for _, raised, allowed in trials)


def _half_of_callers(rows: Rows, seed: int) -> Rows:
    """Returns the rows of a random half of the callers.

    Drawn with replacement instead, a caller's rows would stand there twice at once: a burst that nobody made.
    """
    distinct, which = np.unique(rows.hash, return_inverse=True)
    chosen = np.random.default_rng(seed).permutation(len(distinct)) < len(distinct) // 2
    return rows.select(chosen[which])


def of_listener(gates: tuple[Gate, ...]) -> Gate:
    """Returns what the others' gates mean for the detector that listens to them: it believes those that are armed."""
    believed = [gate for gate in gates if gate.detector in disagreement.FROZEN and gate.armed]
    names = ", ".join(gate.detector for gate in believed)
    says = f"armed: it believes {names}" if believed else "advisory: no detector it listens to is armed"
    days = max((gate.held_out_days for gate in believed), default=0.0)
    return Gate(disagreement.ID, bool(believed), 1.0, days, (), says)


def _says(trials: Trials, days: float) -> str:
    months_too = len(trials) > len(LEVELS)
    if not _failed(trials):
        shown = f"no more alarms than allowed at any of {len(LEVELS)} thresholds"
        if months_too:
            return f"armed: {days:.1f} held-out days, and months drawn from them, raised {shown}"
        claim = MONTH_S / (DAY_MS / 1000.0) / max(days, 0.01)
        return f"armed: {days:.1f} held-out days raised {shown}; so few days show no less than {claim:.0f} false alerts a month"
    budget, raised, allowed = next(trial for trial in trials if trial[1] > trial[2])
    where = "months drawn from " if months_too else ""
    return f"advisory: alarms in {where}{days:.1f} held-out days: {raised:g}, {allowed:.3g} allowed, at {budget:g} a month"

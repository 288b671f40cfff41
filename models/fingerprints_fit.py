"""Fingerprints, fitted: of the training rows that whoever builds the baseline names, tried on held-out golden rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline, Gate, hash_of
from models.caller_counts import CallerCounts
from models.caller_shares import MOST_USUAL, CallerShares, usual_share
from models.fingerprints import MOST_ROWS, Fingerprints, built, marks_of
from models.gate import LEVELS, split
from models.golden_sample import Golden
from models.membership_probe import ID, Watch
from models.quantity import features_of
from models.season import DAY_MS
from models.shiryaev_roberts import MONTH_S
from tocsin.event import Source
from tocsin.rows import Rows

GOLDEN: Final = Source("", "golden", 0)
"""Golden rows no longer know where they came from."""


def fit(golden: Golden, baseline: Baseline, alerts_per_month: float) -> tuple[Fingerprints | None, Gate]:
    """Returns the fingerprints, None when nobody named training rows, and the gate's word on `membership_probe`.

    Args:
        golden: all golden rows, with the training rows.
        baseline: theirs, so far.
        alerts_per_month: that the detector may raise.
    """
    training = golden.training
    if training is None or not len(training) or not baseline.features:
        what = "features" if not baseline.features else "training rows (tocsin baseline build --training FILE)"
        return None, _gate(f"blind: {what} needed; found none")
    chosen = training.select(np.arange(min(len(training), MOST_ROWS)) * len(training) // min(len(training), MOST_ROWS))
    bare = built(features_of(baseline.features, chosen), bytes.fromhex(hash_of(baseline))[:16])
    fingerprints = _measured(bare, baseline, golden.rows)
    if fingerprints.usual >= MOST_USUAL:
        share = fingerprints.base
        return fingerprints, _gate(
            f"advisory: golden callers who ask for few training rows needed; {share:.0%} of rows are some"
        )
    first, last = split(golden, baseline.season.zone)
    days = float(last.rows.ts[-1] - last.rows.ts[0]) / DAY_MS if len(last.rows) else 0.0
    if not len(first.rows) or not len(last.rows):
        return fingerprints, _gate("advisory: golden rows to learn from and to try on needed; found too few")
    trials = _trials(_measured(bare, baseline, first.rows), baseline, last, alerts_per_month)
    failed = [trial for trial in trials if trial[1] > trial[2]]
    if failed:
        budget, raised, allowed = failed[0]
        says = f"advisory: alarms in {days:.1f} held-out days: {raised:g}, {allowed:.3g} allowed, at {budget:g} a month"
        return fingerprints, Gate(ID, False, 1.0, days, trials, says)
    says = f"armed: {days:.1f} held-out days raised no more alarms than allowed; {fingerprints.base:.2%} of golden rows hit"
    return fingerprints, Gate(ID, True, 1.0, days, trials, says)


def _gate(says: str) -> Gate:
    return Gate(ID, False, 1.0, 0.0, (), says)


def _measured(bare: Fingerprints, baseline: Baseline, rows: Rows) -> Fingerprints:
    """Returns the fingerprints with how often these golden rows hit."""
    hit = _hits(bare, baseline, rows)
    return msgspec.structs.replace(bare, base=float(hit.mean()), usual=usual_share(rows.hash, hit))


def _hits(fingerprints: Fingerprints, baseline: Baseline, rows: Rows) -> NDArray[np.bool_]:
    values = features_of(baseline.features, rows)
    return marks_of(fingerprints, len(values)).hits(values)[0]


def _trials(
    fingerprints: Fingerprints, baseline: Baseline, held_out: Golden, alerts_per_month: float
) -> tuple[tuple[float, float, float], ...]:
    """Returns (alerts a month allowed, raised, allowed) over the held-out rows, one per level."""
    rows = replace(held_out.rows, sources=(GOLDEN,))
    values, seconds = features_of(baseline.features, rows), float(rows.ts[-1] - rows.ts[0]) / 1_000.0 * held_out.share
    trials = []
    for level in LEVELS:
        allowed = alerts_per_month * level
        watch = Watch("", fingerprints.usual, CallerShares(fingerprints.usual, MONTH_S / allowed), CallerCounts())
        raised = len(watch.hits(rows, values, fingerprints, 1))
        trials.append((allowed, float(raised), seconds * allowed / MONTH_S))
    return tuple(trials)

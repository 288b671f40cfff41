"""Golden traffic into a baseline: learn from the first part, try on the last, then learn from all of it.

sample = Sample()
sample.add(rows)  # as often as there are rows
baseline = build_baseline(sample, zone="Europe/Berlin", alerts_per_model_month=1.0, origin="payments.jsonl")
"""

from __future__ import annotations

from typing import Final

import msgspec

from models.baseline import Baseline, Gate, Watched
from models.draft import drafted
from models.fitting import Allowance
from models.gate import WATCHED, of_listener, split, too_little, unless_drifting, verdicts
from models.golden_sample import WINDOWS
from models.golden_sample import Sample as Sample  # others know it by this module
from models.parts import PARTS, with_parts
from models.registry import DETECTORS

SHARE: Final = 0.2
"""Of the alert budget, for a detector that the registry does not know."""


def build_baseline(
    sample: Sample, *, zone: str, alerts_per_model_month: float, origin: str, inherits: Baseline | None = None
) -> Baseline:
    """Returns the baseline of a sample's model, with what the replay gate said about each detector.

    Args:
        sample: golden rows.
        zone: IANA time zone of the people behind the model, for seasons.
        alerts_per_model_month: the alert budget that detectors are tried at.
        origin: one line: where the rows came from.
        inherits: an earlier version's baseline; features, envelope and rates are taken over, confidence, latency and
            labels learnt anew.

    Raises:
        ConfigError: the sample is too small, or there is nothing in it to watch; says what is needed.
    """
    golden = sample.golden()
    whole = drafted(golden, zone, origin, inherits)
    first, last = split(golden, zone)
    little = too_little(first, last)
    if little:
        window, allowances = WINDOWS[0], {detector: Allowance(2.0) for detector in WATCHED}
        gate = tuple(Gate(detector, False, 2.0, 0.0, (), little) for detector in WATCHED)
    else:
        budgets = {detector: alerts_per_model_month * _share(detector) for detector in WATCHED}
        window, found = verdicts(drafted(first, zone, origin, inherits), last, budgets)
        allowances = {detector: verdict.allowance for detector, verdict in found.items()}
        gate = tuple(verdict.gate for verdict in found.values())
    of_watched: dict[Watched, Allowance] = {
        watched: allowances[detector] for detector, (watches, _) in WATCHED.items() for watched in watches
    }
    fits = whole.fits(window)
    baseline = msgspec.structs.replace(whole.baseline(fits, of_watched.__getitem__, window), gate=gate)
    budgets = {part.detector: alerts_per_model_month * _share(part.detector) for part in PARTS}
    baseline = with_parts(baseline, golden, budgets)
    gate = unless_drifting(baseline.gate, fits)
    return msgspec.structs.replace(baseline, gate=(*gate, of_listener(gate)))


def _share(detector: str) -> float:
    return DETECTORS[detector].share if detector in DETECTORS else SHARE

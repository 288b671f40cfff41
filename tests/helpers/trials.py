"""Trials: for each detector, golden traffic to build a baseline from, then calm traffic that turns into what it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from tests.helpers.cohorts import copied
from tests.helpers.colluding import colluded
from tests.helpers.traffic import join, poisson, rows_at, steady, with_values
from tests.helpers.trial_boundary_probe import probed
from tests.helpers.trial_membership_probe import asked_for_training_rows
from tocsin.rows import Rows

CHANGED: Final = 16_000
ATTACKER: Final = 9_999


@dataclass(frozen=True, slots=True)
class Trial:
    """What a detector is tried on.

    Attributes:
        golden: rows of `tests.helpers.traffic.MODEL` that its baseline is built from.
        rows: of the same model, in time order, that begin after them.
        changed: the first of them that is not calm.
        training: rows that the model was trained on, if the detector must know.
    """

    golden: Rows
    rows: Rows
    changed: int
    training: Rows | None = None


@cache
def calm() -> Rows:
    """Returns the golden traffic of all trials that need nothing special."""
    return rows_at(*poisson(99, 5_000, 0.01, 400), seed=99)


@cache
def everything_at_once() -> Trial:
    """Returns 40 minutes at whose end a caller asks 10 times a second and confidence, latency and inputs are changed."""
    rows = rows_at(*join(poisson(1, 500, 0.02, 2_400), steady(ATTACKER, 1_900, 10, 400)))
    after = {
        "confidence": rows.confidence[CHANGED:] * np.float32(0.5),
        "latency_ms": rows.latency_ms[CHANGED:] * np.float32(3),
        "values": rows.values[:, CHANGED:] * np.float32(30),
    }
    return Trial(calm(), with_values(rows, CHANGED, **after), CHANGED)


@cache
def copying() -> Trial:
    """Returns three days of customers with habits, on whose last 300 new accounts ask a little of everything."""
    return Trial(*copied())


@cache
def probing() -> Trial:
    """Returns half an hour of a model with a threshold, at whose end twenty accounts bisect it."""
    return Trial(*probed())


@cache
def membership() -> Trial:
    """Returns 40 minutes at whose end a caller asks, among other things, what the model was trained on."""
    return Trial(*asked_for_training_rows(calm()))


@cache
def colluding() -> Trial:
    """Returns half an hour at whose end two hundred accounts ask once each, all of them around one point."""
    return Trial(*colluded())


TRIALS: Final[dict[str, Callable[[], Trial]]] = {
    "collusion": colluding,
    "newcomer_cohort": copying,
    "boundary_probe": probing,
    "membership_probe": membership,
}
"""Detector → its own trial; all others stand `everything_at_once`."""

MOST_STATE: Final[dict[str, int]] = {}
"""Detector → bytes that its state may take after a million callers; others take MOST at most."""

MOST: Final = 6_000_000


def trial_of(detector: str) -> Trial:
    """Returns the trial of a detector."""
    return TRIALS.get(detector, everything_at_once)()

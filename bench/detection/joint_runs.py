"""Joint runs: Tocsin's bank and peers behind one face, a stream of rows in, the events at which they alarmed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from river import anomaly, drift

from bench.detection.joint_tasks import Values
from models.baseline import Baseline
from models.census import Census
from models.discount import WINDOW
from models.draft import drafted
from models.feature_drift import WATCHES
from models.fitting import Allowance
from models.golden import Sample
from models.quantity import JOINT
from models.shiryaev_roberts import MONTH_S, Bank
from tests.helpers.traffic import MODEL, SOURCE, rows_at
from tocsin.event import Coordinates
from tocsin.reading import Counts
from tocsin.rows import Rows

THRESHOLD: Final = 10_000
"""A, in events."""
EVENT_S: Final = 60.0
READING: Final = 64
"""Events."""
LEARNT: Final = 1_000
"""Golden rows that half-space trees are shown."""

Run = Callable[[Values], Iterator[int]]
Build = Callable[[Values, tuple[str, ...]], Run]
"""Golden rows and names in."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to look for a change.

    Attributes:
        name: of it.
        build: makes it ready.
        slow: whether it is run on fewer events.
    """

    name: str
    build: Build
    slow: bool = False


def never() -> Method:
    """Returns what never alarms."""
    return Method("dummy: never", lambda *_: lambda _values: iter(()))


def always() -> Method:
    """Returns what alarms at every event."""
    return Method("always", lambda *_: lambda values: iter(range(values.shape[1])))


def tocsin(name: str, *, joint: bool) -> Method:
    """Returns Tocsin's bank on features, with joint quantities or without."""
    watches = tuple(watched for watched in WATCHES if joint or watched not in JOINT)

    def build(golden: Values, features: tuple[str, ...]) -> Run:
        baseline = baseline_of(golden, features)
        quantities = baseline.of(*watches)

        def run(values: Values) -> Iterator[int]:
            census, bank, staked = Census(baseline, 1), Bank(baseline, quantities, MONTH_S / (THRESHOLD * EVENT_S)), 0.0
            rows = rows_of(values, features)
            for end in range(READING, len(rows) + 1, READING):
                found = census.count(rows.select(slice(end - READING, end)))[0]
                counts = Counts(MODEL, "", 1, "armed", 0, READING, end, end, Coordinates(SOURCE, 0, 0), b"", b"")
                if bank.weigh(counts, found.weights, staked):
                    yield end - 1
                staked = READING * EVENT_S

        return run

    return Method(name, build)


def baseline_of(golden: Values, features: tuple[str, ...]) -> Baseline:
    """Returns the baseline of these rows as the product fits it, not gated: rows are drawn independently of each other."""
    sample = Sample()
    sample.add(rows_of(golden, features))
    draft = drafted(sample.golden(), "UTC", "benchmark")
    return draft.baseline(draft.fits(WINDOW), lambda _: Allowance(), WINDOW)


def rows_of(values: Values, features: tuple[str, ...]) -> Rows:
    """Returns rows, one a second, each of a caller of its own, nothing but these features known of them."""
    number = np.arange(values.shape[1])
    unknown = np.full(len(number), np.nan, np.float32)
    rows = rows_at(number.astype(float), number)
    return replace(rows, features=features, values=values, confidence=unknown, latency_ms=unknown, labels=("", ""))


def tuned(
    name: str,
    of: Callable[[float], Build],
    settings: tuple[float, ...],
    golden: Values,
    calm: Values,
    features: tuple[str, ...],
) -> Method:
    """Returns the first setting at which calm rows raise no more alarms than allowed, or else the last."""
    allowed = max(calm.shape[1] / THRESHOLD, 1.0)
    for setting in settings[:-1]:
        if sum(1 for _ in of(setting)(golden, features)(calm)) <= allowed:
            return Method(name, of(setting), of is forest)
    return Method(name, of(settings[-1]), of is forest)


def adwin(delta: float) -> Build:
    """Returns an ADWIN per column."""
    return partial(_each, partial(drift.ADWIN, delta=delta))


def kswin(name: str, alpha: float) -> Method:
    """Returns a KSWIN per column."""
    return Method(name, partial(_each, partial(drift.KSWIN, alpha=alpha, seed=1)), slow=True)


def _each(build: Callable[[], Any], golden: Values, features: tuple[str, ...]) -> Run:
    def run(values: Values) -> Iterator[int]:
        columns = _scaled(values, golden, features)
        detectors = [build() for _ in columns]
        for at, row in enumerate(columns.T.tolist()):
            fired = False
            for detector, value in zip(detectors, row, strict=True):
                detector.update(value)
                fired = fired or detector.drift_detected
            if fired:
                yield at

    return run


def forest(delta: float) -> Build:
    """Returns half-space trees that learn online, and an ADWIN over their scores."""

    def build(golden: Values, features: tuple[str, ...]) -> Run:
        learnt = _unit(_scaled(golden[:, :LEARNT], golden, features))

        def run(values: Values) -> Iterator[int]:
            trees, scores = anomaly.HalfSpaceTrees(n_trees=10, height=8, seed=1), drift.ADWIN(delta=delta)
            for row in learnt.T.tolist():
                trees.learn_one(dict(enumerate(row)))
            for at, row in enumerate(_unit(_scaled(values, golden, features)).T.tolist()):
                point = dict(enumerate(row))
                scores.update(trees.score_one(point))
                trees.learn_one(point)
                if scores.drift_detected:
                    yield at

        return run

    return build


def _scaled(values: Values, golden: Values, features: tuple[str, ...]) -> Values:
    """Returns numbers less their golden mean over their golden deviation, and one column per value of a category."""
    columns: list[Values] = []
    for name, column, known in zip(features, values, golden, strict=True):
        if name.startswith("="):
            columns += [(column == code).astype(np.float32) for code in np.unique(known)]
        else:
            columns.append((column - known.mean()) / max(float(known.std()), 1e-12))
    return np.stack(columns)


def _unit(columns: Values) -> Values:
    """Returns columns between 0 and 1, as the trees ask for."""
    within: Values = np.clip(columns / 8.0 + 0.5, 0.0, 1.0)
    return within

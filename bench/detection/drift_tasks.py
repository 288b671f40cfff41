"""Drift tasks: pairs of pools of real or made values, what comes before a change and what comes after it.

Streams are drawn from the pools with replacement, so the moment of change is exact and nothing changes before it. Data
beside the repository (`../shared/data`) is used when it is there; the rest is packaged with River or made here.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from river import compose, datasets, linear_model, preprocessing

SHARED: Final = Path(__file__).parents[3] / "shared" / "data"
SEED: Final = 11
MADE: Final = 200_000

Values = NDArray[np.float32]
Pools = tuple[Values, Values]


@dataclass(frozen=True, slots=True)
class Task:
    """One change to find.

    Attributes:
        name: of the task.
        dataset: where its values come from.
        before: float32, values before the change; golden values are drawn from the same pool.
        after: float32, values after it.
        share: of the rows after the change that come from `after`.
    """

    name: str
    dataset: str
    before: Values
    after: Values
    share: float = 1.0

    @property
    def label(self) -> str:
        """Returns the task and where its values come from."""
        return f"{self.name} ({self.dataset})"

    def stream(self, rng: np.random.Generator, before: int, after: int) -> Values:
        """Returns a stream that changes after `before` values."""
        changed = np.where(rng.random(after) < self.share, rng.choice(self.after, after), rng.choice(self.before, after))
        return np.concatenate([rng.choice(self.before, before), changed]).astype(np.float32)


def tasks() -> Iterator[Task]:
    """Yields every task whose data is at hand."""
    for name, dataset, share, pools in TASKS:
        if (SHARED / dataset).exists() or not dataset.endswith((".npz", ".zip")):
            yield Task(name, dataset, *pools(), share)


def _magic() -> Values:
    with np.load(SHARED / "adbench/22_magic.gamma.npz") as data:
        return data["X"][:, 0].astype(np.float32)  # type: ignore[no-any-return]


def _magic_shift() -> Pools:
    values = _magic()
    return values, values + np.float32(0.25) * values.std()


def _magic_scale() -> Pools:
    values = _magic()
    return values, values.mean() + np.float32(1.3) * (values - values.mean())


def _table(archive: str) -> NDArray[np.str_]:
    """Returns the rows of the one CSV file in an archive, without its header."""
    with zipfile.ZipFile(SHARED / archive) as files, files.open(files.namelist()[0]) as file:
        return np.array(list(csv.reader(io.TextIOWrapper(file)))[1:])


def _http_source_bytes() -> Pools:
    table = _table("river_mirror/kdd99_http.zip")[:, [1, 3]].astype(np.float32)
    return table[table[:, 1] == 0, 0], table[table[:, 1] == 1, 0]


def _electricity_confidence() -> Pools:
    """Returns the confidence of a model that was taught half of the first half, on its other half and on the second half."""
    table = _table("river_mirror/electricity.zip")
    half = len(table) // 2
    return _confidences(table[:, 1:8].astype(float), table[:, 8], np.arange(len(table)) < half)


def _segment_confidence() -> Pools:
    """Returns the confidence of a model of photographs' segments, on those it was not shown and on two new classes."""
    rows, classes = zip(*((list(x.values()), y) for x, y in datasets.ImageSegments()), strict=True)
    known = ~np.isin(classes, ("grass", "path"))
    return _confidences(np.array(rows, float), np.array(classes), known)


def _confidences(inputs: NDArray[np.float64], classes: NDArray[Any], known: NDArray[np.bool_]) -> Pools:
    """Returns the confidence of a linear model, taught a random half of the known rows, on their other half and on the rest."""
    model = compose.Pipeline(preprocessing.StandardScaler(), linear_model.SoftmaxRegression())
    taught = known & (np.random.default_rng(SEED).random(len(known)) < 0.5)
    rows = [dict(enumerate(row)) for row in inputs.tolist()]
    for at in np.flatnonzero(taught).tolist():
        model.learn_one(rows[at], classes[at])
    sure = np.array([max(model.predict_proba_one(row).values()) for row in rows], np.float32)
    return sure[known & ~taught], sure[~known]


def _temperature() -> Pools:
    rng = np.random.default_rng(SEED)
    season = 12 - 10 * np.cos(rng.uniform(0, 2 * np.pi, MADE)) + rng.normal(0, 4, MADE)
    return np.round(season, 1).astype(np.float32), np.round(season + 2, 1).astype(np.float32)


def _card_amounts() -> Pools:
    rng = np.random.default_rng(SEED)
    amounts = rng.lognormal(3.4, 1.1, MADE)
    priced = np.where(rng.random(MADE) < 0.3, np.ceil(amounts / 5) * 5, np.round(amounts, 2))
    return priced.astype(np.float32), np.round(rng.uniform(0.5, 3.0, MADE), 2).astype(np.float32)


def _latency() -> Pools:
    usual = np.random.default_rng(SEED).lognormal(3.0, 0.4, MADE).astype(np.float32)
    return usual, usual * np.float32(4)


TASKS: Final[tuple[tuple[str, str, float, Callable[[], Pools]], ...]] = (
    ("shift .25 sd", "adbench/22_magic.gamma.npz", 1.0, _magic_shift),
    ("scale 1.3", "adbench/22_magic.gamma.npz", 1.0, _magic_scale),
    ("attack bytes 20 %", "river_mirror/kdd99_http.zip", 0.2, _http_source_bytes),
    ("confidence, later half", "river_mirror/electricity.zip", 1.0, _electricity_confidence),
    ("confidence, new classes 20 %", "river ImageSegments", 0.2, _segment_confidence),
    ("confidence, new classes", "river ImageSegments", 1.0, _segment_confidence),
    ("temperature + 2 degrees", "made", 1.0, _temperature),
    ("small probes 5 %", "made", 0.05, _card_amounts),
    ("latency x 4 in 10 %", "made", 0.1, _latency),
)
"""Name, where the values come from, share of rows that change, pools."""

"""What `membership_probe` is for: calm traffic, then a caller of whose questions three in ten are training rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from tests.helpers.traffic import hash_of, join, poisson, rows_at, steady
from tocsin.rows import Rows

ASKER: Final = 9_998
TRAINING_ROWS: Final = 5_000
SHARE: Final = 0.3
BEGIN_S: Final = 1_900.0


def training_rows() -> Rows:
    """Returns what the model was trained on: like golden traffic, but other rows."""
    return rows_at(np.arange(TRAINING_ROWS, dtype=np.float64), np.arange(TRAINING_ROWS, dtype=np.int64), seed=77)


def asked_for_training_rows(golden: Rows) -> tuple[Rows, Rows, int, Rows]:
    """Returns golden rows, rows at whose end one caller asks for training rows, where that begins, and the training rows."""
    training, rng = training_rows(), np.random.default_rng(6)
    rows = rows_at(*join(poisson(1, 500, 0.02, 2_400), steady(ASKER, BEGIN_S, 1.0, 300)), seed=3)
    mine = np.flatnonzero(rows.hash == hash_of(np.array([ASKER]))[0])
    members = mine[rng.random(len(mine)) < SHARE]
    values = rows.values.copy()
    values[:, members] = training.values[:, rng.choice(TRAINING_ROWS, len(members), replace=False)]
    return golden, replace(rows, values=values), int(mine[0]), training

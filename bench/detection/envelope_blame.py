"""Blame: whether the features that were planted in usual rows are those that the envelope names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from bench.detection.envelope_methods import Values, frozen
from models.loda import face_of
from models.offenders import offenders

PLANTED: Final = (1, 2, 3)
ROWS: Final = 300
FLAGGED: Final = 0.01
LEAST_FEATURES: Final = 5
LEAST_ROWS: Final = 20
"""Flagged, to say anything."""


def blamed(golden: Values, usual: Values, seed: int) -> Iterator[tuple[int, float, float, float]]:
    """Yields how many were planted, how often the first one named is such, the share of them named, and of those named such.

    Only rows that are flagged are asked about; sets of few features say nothing and are passed over.

    Args:
        golden: (features, rows).
        usual: later ones, in which features are put anywhere between the least and the greatest golden value.
        seed: of which.
    """
    face = face_of(frozen(golden))
    usable, rng = face.standard.usable, np.random.default_rng(seed)
    if len(usable) < LEAST_FEATURES:
        return
    low, high = golden.min(axis=1), golden.max(axis=1)
    for many in PLANTED:
        rows = usual[:, rng.integers(0, usual.shape[1], ROWS)].copy()
        planted = np.zeros(rows.shape, np.bool_)
        for row in range(ROWS):
            planted[rng.choice(usable, many, replace=False), row] = True
        anywhere = rng.uniform(low[:, None], high[:, None], rows.shape).astype(np.float32)
        rows = np.where(planted, anywhere, rows)
        flagged = np.flatnonzero(face.p_values(face.scores(rows)) <= FLAGGED)
        if len(flagged) < LEAST_ROWS:
            continue
        named = offenders(face, rows[:, flagged])
        hit = np.where(named >= 0, planted[named, flagged[:, None]], False)
        yield many, float(hit[:, 0].mean()), float(hit.sum(axis=1).mean() / many), float(hit.sum() / max((named >= 0).sum(), 1))

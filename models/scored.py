"""Scored: the envelope scores of a block, found once for all who ask for them one after the other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.loda import Face
from models.standardise import Column

_LAST: Final[list[tuple[Face, Column, NDArray[np.float64]]]] = []


def scores_of(face: Face, values: Column) -> NDArray[np.float64]:
    """Returns what `face.scores` would. To be read only, and so are the values.

    Args:
        face: frozen.
        values: float32 (features, rows); the same array again costs nothing.
    """
    for known, before, found in _LAST:
        if known is face and before is values:
            return found
    found = face.scores(values)
    _LAST[:] = [(face, values, found)]
    return found

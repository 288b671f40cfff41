"""Offenders: the features without which a strange row would not be strange.

Each feature in turn is put where a missing value stands, at the golden centre, and the row is scored again: what the score
loses is that feature's part (leave-one-covariate-out, Lei et al. 2018, Journal of the American Statistical Association 113).
Parts need not add up: of two features that are strange only together, each alone explains it all. Of wide rows only the
CANDIDATES farthest from the centre are tried.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.loda import BLOCK, Face
from models.standardise import Column

TOP: Final = 3
CANDIDATES: Final = 32
LEAST: Final = 0.1
"""Of the worst one's part: who loses less for the row is not named."""
NOBODY: Final = -1


def offenders(face: Face, values: Column, most: int = TOP) -> NDArray[np.int64]:
    """Returns the indices of the features to blame, int64 (rows, most), the worst first; NOBODY where there are fewer.

    Args:
        face: frozen.
        values: float32 (features, rows), NaN = missing.
        most: per row.
    """
    found = np.full((values.shape[1], most), NOBODY)
    usable = face.standard.usable
    if not len(usable) or not values.shape[1]:
        return found
    standardised = face.standard.apply(values)
    tried = usable[_farthest(standardised[usable])]  # (candidates, rows)
    left = _strangeness(face, np.concatenate((standardised, _without(standardised, tried)), axis=1))
    whole, left = left[: len(found)], left[len(found) :].reshape(tried.shape)
    parts = whole - left
    order = np.argsort(-parts, axis=0, kind="stable")[:most]
    ordered = np.take_along_axis(parts, order, 0)
    enough = (ordered > 0) & (ordered >= ordered[:1] * LEAST)
    worst = np.where(enough, np.take_along_axis(tried, order, 0), NOBODY)
    found[:, : len(worst)] = worst.T
    return found


def _strangeness(face: Face, standardised: Column) -> NDArray[np.int32]:
    """Returns each row's score, in pieces that stay in the processor's cache."""
    begins = range(0, standardised.shape[1], BLOCK)
    return np.concatenate([face.strangeness(standardised[:, begin : begin + BLOCK]) for begin in begins])


def _farthest(standardised: Column) -> NDArray[np.int64]:
    """Returns which features of each row to try, (≤ CANDIDATES, rows), in their order."""
    features, rows = standardised.shape
    if features <= CANDIDATES:
        return np.repeat(np.arange(features)[:, None], rows, axis=1)
    return np.sort(np.argsort(-np.abs(standardised), axis=0, kind="stable")[:CANDIDATES], axis=0)


def _without(standardised: Column, tried: NDArray[np.int64]) -> Column:
    """Returns the rows as often as there are candidates, without the first, without the second ..., (features, rows ...)."""
    left = np.repeat(standardised[:, None], len(tried), axis=1)
    np.put_along_axis(left, tried[None], np.float32(0), axis=0)
    return left.reshape(len(standardised), -1)

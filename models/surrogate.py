"""Surrogate: what somebody who holds a model's answers to some questions can answer to others.

Theory. A copy of a model need not be of its kind. Kernel ridge regression on one indicator per class learns whatever is
smooth, with a Gaussian kernel, and whatever is cut along many features, with a Laplace kernel, which is what random trees
converge to (Balog et al. 2016, The Mondrian kernel, UAI); bagged trees (`forest.py`) learn what is cut along a few. The best of
them does as well as the best of scikit-learn's boosting, forests, networks and regression within a few per cent
(bench/detection/exposure.py). Distances are means over the features, so widths need no tuning to how many there are.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.forest import votes

KERNELS: Final[tuple[tuple[Literal["gaussian", "laplace"], float], ...]] = (
    ("gaussian", 2.0),
    ("laplace", 0.5),
    ("laplace", 1.0),
    ("laplace", 2.0),
)
"""Shape, and width in root mean square (gaussian) or mean absolute (laplace) distance per feature."""
RIDGE: Final = 0.1

Column = NDArray[np.float32]
Ints = NDArray[np.int64]


def agreement(asked: Column, answers: Ints, tests: Column, truths: Ints) -> NDArray[np.bool_]:
    """Returns which tests the best surrogate answers as the model does, bool (tests,).

    Args:
        asked: float32 (features, rows), standardised questions whose answers are held.
        answers: int64 (rows,), codes of the classes answered.
        tests: float32 (features, tests), other questions.
        truths: int64 (tests,), what the model answers to them.
    """
    classes, code = np.unique(answers, return_inverse=True)
    if len(classes) == 1:
        same: NDArray[np.bool_] = truths == classes[0]
        return same
    wanted = np.eye(len(classes), dtype=np.float32)[code]
    usual = wanted.mean(axis=0)
    guesses: list[NDArray[Any]] = []
    distances = {shape: (_distances(asked, asked, shape), _distances(tests, asked, shape)) for shape, _ in KERNELS}
    for shape, width in KERNELS:
        among, between = (np.exp(part * np.float32(-1.0 / width)) for part in distances[shape])
        among[np.diag_indices(len(code))] += np.float32(RIDGE)
        guesses.append(between @ np.linalg.solve(among, wanted - usual) + usual)
    guesses.append(votes(asked, code, len(classes), tests))
    found = [classes[guessed.argmax(axis=1)] == truths for guessed in guesses]
    return max(found, key=lambda right: int(right.sum()))


def _distances(some: Column, others: Column, shape: str) -> Column:
    """Returns what a kernel of width 1 takes the exponential of, float32 (some, others): a mean over the features."""
    total = np.zeros((some.shape[1], others.shape[1]), np.float32)
    for mine, theirs in zip(some, others, strict=True):
        apart = mine[:, None] - theirs
        total += np.square(apart) * np.float32(0.5) if shape == "gaussian" else np.abs(apart)
    total *= np.float32(1.0 / max(len(some), 1))
    return total

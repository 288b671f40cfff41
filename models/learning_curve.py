"""Learning curve: what answers to a part of a model's traffic are worth to somebody who wants to imitate the model.

Theory. It depends on the model: a rule of one threshold is copied with 50 answers, a fine one never quite. So it is measured:
from n of the questions and answers at hand a surrogate is built and tried on others, separately where it has seen answers near
by and where not, and coverage weighs the two. Nobody can do much better with as much coverage; who has asked about few
corners only, however often, does worse. Beyond the largest n the error is taken to fall as it did last, by a power of n
(Hestness et al. 2017, Deep learning scaling is predictable, empirically, arXiv 1712.00409).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.surrogate import agreement

SIZES: Final = (32, 64, 128, 256, 512, 1_024, 2_048)
"""Answers that surrogates are built from."""
DRAWS: Final = 4
"""Surrogates of up to FEW answers; of more there is one."""
FEW: Final = 256
EVERY: Final = 4
"""Of the questions kept, every fourth is for trying, and no more than TESTS."""
TESTS: Final = 1_024
LEAST: Final = 200
"""Questions with answers below which no surrogate is built."""
FURTHEST: Final = 16.0
"""Times the largest of SIZES that the error is followed to."""
SEED: Final = 20_260_103

Column = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Point(NamedTuple):
    """One surrogate, or the mean of a few.

    Attributes:
        answers: it was built from.
        coverage: of golden traffic, that these answers have.
        fidelity: share of golden traffic that it answers as the model does.
    """

    answers: int
    coverage: float
    fidelity: float


@dataclass(frozen=True, slots=True)
class Curve:
    """What coverage is worth.

    Attributes:
        points: by rising answers; fidelity never falls.
        majority: share of the most frequent answer: what somebody who has seen nothing can imitate.
    """

    points: tuple[Point, ...]
    majority: float

    def fidelity(self, coverage: float, answers: int) -> float:
        """Returns the share of its decisions that whoever has this coverage, and so many answers, can imitate."""
        known = [Point(0, 0.0, self.majority), *self.points]
        found = float(np.interp(coverage, [point.coverage for point in known], [point.fidelity for point in known]))
        last = known[-1]
        if coverage < last.coverage or answers <= last.answers:
            return found
        further = min(answers / max(last.answers, 1), FURTHEST)
        return float(1.0 - (1.0 - found) * further ** -self._slope())

    def _slope(self) -> float:
        """Returns the power of the answers that the error falls with, from the last three points."""
        if len(self.points) < 3:
            return 0.0
        before, last = self.points[-3], self.points[-1]
        errors = max(1.0 - before.fidelity, 1e-6), max(1.0 - last.fidelity, 1e-6)
        return float(np.clip(log(errors[0] / errors[1]) / log(last.answers / before.answers), 0.0, 0.5))


def coverage_of(references: Bools, mass: NDArray[Any]) -> float:
    """Returns the share of golden traffic that these references stand for, [0, 1].

    Args:
        references: bool (references,), which.
        mass: (references,), golden rows that each stands for.
    """
    return float(mass[references].sum() / mass.sum())


def curve_of(asked: Column, answers: Ints, near: Ints, mass: NDArray[Any]) -> Curve | None:
    """Returns the learning curve of questions and answers; None when they are too few.

    Args:
        asked: float32 (features, rows), standardised, as many from every corner as there may be.
        answers: int64 (rows,), codes of the classes answered.
        near: int64 (rows,), the reference nearest to each.
        mass: (references,), golden rows that each reference stands for.
    """
    if len(answers) < LEAST:
        return None
    order = np.random.default_rng(SEED).permutation(len(answers))
    apart = np.s_[: EVERY * TESTS : EVERY]
    tests, rest = order[apart], np.delete(order, apart)
    majority = float(np.bincount(answers[tests]).max() / len(tests))
    points: list[Point] = []
    for size in SIZES:
        if size > len(rest):
            break
        tried = []
        for draw in range(DRAWS if size <= FEW else 1):
            drawn = np.roll(rest, -draw * size)[:size]
            right = agreement(asked[:, drawn], answers[drawn], asked[:, tests], answers[tests])
            tried.append(_weighed(right, near[drawn], near[tests], mass))
        coverage, fidelity = (float(np.mean(part)) for part in zip(*tried, strict=True))
        points.append(Point(size, coverage, max(fidelity, points[-1].fidelity if points else majority)))
    return Curve(tuple(points), majority)


def _weighed(right: Bools, drawn: Ints, tested: Ints, mass: NDArray[Any]) -> tuple[float, float]:
    """Returns the coverage of the references drawn, and the fidelity over all golden traffic."""
    held = np.zeros(len(mass), np.bool_)
    held[drawn] = True
    seen, coverage = held[tested], coverage_of(held, mass)
    inside, outside = (float(right[part].mean()) if part.any() else float(right.mean()) for part in (seen, ~seen))
    return coverage, coverage * inside + (1.0 - coverage) * outside

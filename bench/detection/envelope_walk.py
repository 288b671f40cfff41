"""Walk: an attacker supplies a fifth of the traffic, each row a little closer to a strange target, so that it will look usual.

What is measured is the target's p, the share of usual rows, that nothing learns, which score at least as high: before the walk
and after. A detector that follows the stream can be led; one that is frozen cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.detection.envelope_methods import METHODS, OURS, Fitted, Values

EVENTS: Final = 4_000
SHARE: Final = 0.2
ATTEMPTS: Final = 500
"""Usual rows that the target is compared with, at most; half of them where there are few."""
WALKERS: Final = (OURS, "river HalfSpaceTrees, frozen", "river HalfSpaceTrees, online", "river OneClassSVM, online")


def walked(golden: Values, usual: Values, target: Values, method: str, seed: int) -> tuple[float, float]:
    """Returns the target's p before and after the walk.

    Args:
        golden: what the method learns from.
        usual: (features, rows), later rows: some to compare with, the others go by while the attacker walks.
        target: (features,).
        method: one of WALKERS.
        seed: of which rows of the traffic are the attacker's.
    """
    half = min(ATTEMPTS, usual.shape[1] // 2)
    compared, passing = usual[:, :half], usual[:, half:]
    rng = np.random.default_rng(seed)
    traffic = passing[:, rng.integers(0, passing.shape[1], EVENTS)]
    theirs = np.flatnonzero(rng.random(EVENTS) < SHARE)
    start = traffic[:, theirs[:1]]
    traffic[:, theirs] = start + (target[:, None] - start) * np.linspace(0, 1, len(theirs), dtype=np.float32)
    before = _p(METHODS[method](golden), compared, target)
    led = METHODS[method](golden)
    led(traffic)
    return before, _p(led, compared, target)


def _p(score: Fitted, compared: Values, target: Values) -> float:
    """Returns the share of rows, and the target itself, at least as strange as the target; it is scored first, as it came."""
    found: NDArray[np.float64] = score(np.concatenate((target[:, None], compared), axis=1))
    return float((found >= found[0]).mean())


def walks(golden: Values, usual: Values, strange: Values, seed: int) -> Iterator[tuple[str, float, float]]:
    """Yields method, p before and p after, for the one of these strange rows that the frozen envelope finds strangest."""
    target = strange[:, int(METHODS[OURS](golden)(strange).argmax())]
    for method in WALKERS:
        yield method, *walked(golden, usual, target, method, seed)

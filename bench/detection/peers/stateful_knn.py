"""Stateful detection (Chen, Carlini, Wagner, SPAI 2020, arXiv 1907.05587): an account whose queries crowd together.

Each account has a buffer of its queries. A query whose mean distance to its k = 50 nearest in the buffer is below δ is an
attack, upon which the buffer is emptied. δ is the .1 % quantile of the same distance among training records. The paper
measures distances in a space learnt for images; here it is that of standardised features.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.detection.peers import Point

NEIGHBOURS: Final = 50
QUANTILE: Final = 0.001
BUFFER: Final = 1_000
SAMPLE, AMONG = 2_000, 8_000
"""Training records whose distances set δ, and among how many."""


class StatefulKnn:
    """All accounts.

    Args:
        delta: δ, as from `delta_of`.
    """

    def __init__(self, delta: float) -> None:
        self.delta = delta
        self._buffers: dict[int, list[Point]] = {}

    def observe(self, x: Point, caller: int, _label: int) -> bool:
        """Returns whether the query crowds with the caller's earlier ones."""
        buffer = self._buffers.setdefault(caller, [])
        crowded = len(buffer) >= NEIGHBOURS and _crowding(np.stack(buffer), x) < self.delta
        if crowded:
            buffer.clear()
        buffer.append(x)
        del buffer[:-BUFFER]
        return crowded


def delta_of(training: NDArray[np.float32]) -> float:
    """Returns δ for standardised training records (rows, features)."""
    return float(np.quantile([_crowding(training[:AMONG], x, skip=1) for x in training[:SAMPLE]], QUANTILE))


def _crowding(points: NDArray[np.float32], x: Point, skip: int = 0) -> float:
    """Returns the mean distance from x to its nearest points, leaving out the `skip` nearest: itself."""
    distances = np.sqrt(np.square(points - x).sum(axis=1))
    count = min(NEIGHBOURS + skip, len(distances))
    return float(np.sort(np.partition(distances, count - 1)[:count])[skip:].mean())

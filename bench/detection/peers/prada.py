"""PRADA (Juuti, Szyller, Marchal, Asokan, EuroS&P 2019): a client whose distances between queries are not normally distributed.

For every class it keeps a growing set of a client's queries. A query's distance to the nearest of its class goes into one list
per client; it joins the set when it is further from it than T, the mean less one standard deviation of the distances at which
the set's members joined, which only ever rises. From the 101st distance on, those within three standard deviations of the
mean are put to the Shapiro-Wilk test; a statistic W below δ is an attack. δ is chosen per model in the paper, .90 to .96 there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.stats import shapiro  # type: ignore[import-untyped]  # it ships no stubs

from bench.detection.peers import Point

LEAST: Final = 100
SIGMAS: Final = 3.0


@dataclass(slots=True)
class _Grown:
    """One class's set: its members, the distances at which they joined, the threshold to join."""

    members: list[Point] = field(default_factory=list)
    joined_at: list[float] = field(default_factory=list)
    threshold: float = 0.0


@dataclass(slots=True)
class _Client:
    grown: dict[int, _Grown] = field(default_factory=dict)
    distances: list[float] = field(default_factory=list)


class Prada:
    """All clients.

    Args:
        delta: δ.
    """

    def __init__(self, delta: float = 0.95) -> None:
        self.delta = delta
        self._clients: dict[int, _Client] = {}

    def observe(self, x: Point, caller: int, label: int) -> bool:
        """Returns whether the caller's distances are now abnormal."""
        client = self._clients.setdefault(caller, _Client())
        grown = client.grown.setdefault(label, _Grown())
        if not grown.members:
            grown.members.append(x)
            return False
        nearest = float(np.sqrt(np.square(np.stack(grown.members) - x).sum(axis=1).min()))
        client.distances.append(nearest)
        if nearest > grown.threshold:
            grown.members.append(x)
            grown.joined_at.append(nearest)
            level = float(np.mean(grown.joined_at) - np.std(grown.joined_at))
            grown.threshold = max(grown.threshold, level)
        return self._abnormal(client.distances)

    def _abnormal(self, distances: list[float]) -> bool:
        if len(distances) <= LEAST:
            return False
        found = np.array(distances)
        within = found[np.abs(found - found.mean()) <= SIGMAS * found.std()]
        if len(within) < 3 or np.ptp(within) == 0:
            return True
        return float(shapiro(within).statistic) < self.delta

"""Margin scan: a sequential test of whether callers meet in one another's cells close to the decision boundary.

Theory. A line search crosses the boundary somewhere else each time, so no cell ever holds a crowd, but close to the boundary
traffic is thin: there, that a third caller comes into a cell golden traffic leaves empty is rare, say at most a share rho of
the near rows. Each near row that is such a hit is worth e = 1 + b(1/rho - 1), each other e = 1 - b: E[e] ≤ 1 while hits are no
more frequent than rho. Shiryaev-Roberts R ← (R + seconds)·e, averaged over three bets b, is expected to reach A at most once
in A seconds (Shin, Ramdas and Rinaldo 2024, NEJSDS).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

RHO: Final = 0.005
BETS: Final = np.array([0.03, 0.1, 0.3])
HIT: Final = 1.0 + BETS * (1.0 / RHO - 1.0)
MISS: Final = 1.0 - BETS
MOST: Final = 1e280


class MarginScan:
    """One model's.

    Attributes:
        level: float64 (bets,): R of each.
    """

    def __init__(self) -> None:
        """Starts at 0."""
        self.level: NDArray[np.float64] = np.zeros(len(BETS))

    def weigh(self, hits: NDArray[np.bool_], seconds: float) -> NDArray[np.float64]:
        """Returns the statistic after each near row, seconds.

        Args:
            hits: bool, one per near row.
            seconds: what may be staked on them.
        """
        self.level = self.level + seconds
        if not len(hits):
            return np.zeros(0)
        growth = np.cumsum(np.log(np.where(hits[:, None], HIT, MISS)), axis=0)
        with np.errstate(divide="ignore"):
            path = np.exp(np.minimum(np.log(self.level) + growth, np.log(MOST)))
        self.level = path[-1]
        statistic: NDArray[np.float64] = path.mean(axis=1)
        return statistic

    def reset(self) -> None:
        """Begins anew."""
        self.level = np.zeros(len(BETS))

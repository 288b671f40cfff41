"""Strangers: callers nobody knows, and how many of them are expected near the decision boundary.

Theory. Whoever measures a threshold from many accounts makes them for it. Such an account is new, and near the boundary
is all it ever asks; ordinary callers are known for other questions. So rows are told apart by what was known of their
caller before:

    new     its first question, and golden traffic does not know it
    pure    at least half of what it asked before was near
    known   all others

A row of a new or pure caller is near with at most the largest probability that golden traffic allows for its kind, times
SLACK, and times the present level of the known: in a sale everybody comes nearer, and the known say by how much. Whoever
bets that more of them are near, a share q instead of p, is paid q / p for each that is and (1-q) / (1-p) for each that is
not: an e-value. An attack hardly mixes with ordinary rows here, which is why it can be found at a hundredth of the
traffic.

Not seen: accounts that were bred with ordinary questions first.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

NEW, PURE, KNOWN = 0, 1, 2
SLACK: Final = (4.0, 1.5)
"""Golden probabilities of new and pure callers are believed up to so many times."""
MOST: Final = 0.8
"""Probability from which on a kind says nothing."""
LEVEL_ROWS: Final = 4_096.0
"""Half-life of the level of the known."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Shares = tuple[float, float, float]


class Level(msgspec.Struct, array_like=True):
    """How many rows of known callers are near, of late.

    Attributes:
        near: discounted number of those that were.
        far: of those that were not.
    """

    near: float
    far: float

    def learn(self, near: int, far: int) -> None:
        """Takes note of so many rows of known callers."""
        kept = 0.5 ** ((near + far) / LEVEL_ROWS)
        self.near, self.far = self.near * kept + near, self.far * kept + far


def level_of(shares: Shares) -> Level:
    """Returns the golden level, as a quarter of a half-life would have taught it."""
    return Level(shares[KNOWN] * LEVEL_ROWS / 4.0, (1.0 - shares[KNOWN]) * LEVEL_ROWS / 4.0)


def kinds_of(number: Ints, near_before: Ints) -> Ints:
    """Returns each row's kind: see `models.caller_counts.CallerCounts.count`."""
    pure = 2 * near_before >= number - 1
    kinds: Ints = np.where(number == 1, NEW, np.where(pure, PURE, KNOWN))
    return kinds


def pay_offs(shares: Shares, level: Level, bets: Floats) -> tuple[Floats, Floats]:
    """Returns log e of a near row and of one that is not, each (bets, 3), 0 for known callers.

    Args:
        shares: largest golden probabilities to be near.
        level: of the known.
        bets: float64 (bets, 2): how far above p lies q, of new and pure callers, 0 there, 1 at certainty.
    """
    hit, miss = np.zeros((len(bets), 3)), np.zeros((len(bets), 3))
    now = max(level.near / (level.near + level.far) / shares[KNOWN], 1.0)
    for kind in (NEW, PURE):
        p = shares[kind] * SLACK[kind] * now
        if p < MOST:
            q = p + (1.0 - p) * bets[:, kind]
            hit[:, kind], miss[:, kind] = np.log(q / p), np.log((1.0 - q) / (1.0 - p))
    return hit, miss


def golden_shares(kinds: Ints, near: NDArray[np.bool_]) -> Shares:
    """Returns the largest probability to be near that golden rows allow for each kind, two standard errors up, in (0, 1)."""
    asked, hits = np.bincount(kinds, minlength=3)[:3], np.bincount(kinds, near, 3)[:3]
    shares = [(float(k) + 2.0 * float(np.sqrt(k + 1.0)) + 1.0) / (float(n) + 4.0) for k, n in zip(hits, asked, strict=True)]
    known = (float(hits[KNOWN]) + 1.0) / (float(asked[KNOWN]) + 2.0)
    new = max(min(shares[NEW], 1.0 - 1e-6), known)
    return new, max(min(shares[PURE], 1.0 - 1e-6), new), known

"""Caller shares: is one caller's share of marked rows more than any golden caller had?

Theory. Some rows are marked: they lie near a decision boundary, or are a training row word for word. Callers differ, so
the null is composite: each row of an honest caller is marked with probability at most `usual`, the largest share that a
golden caller showed. For q > usual a row multiplies what is staked by q / usual if it is marked, else by (1-q) /
(1-usual): an e-value for every caller that keeps the null. Three q share the stakes. Each marked row then stakes for its
caller what its model's account holds:

    R ← R · e + w        only rows after it bet it, so that being marked earns nothing by itself

and all callers together are read at most once in A seconds by chance (`account.py`). Rows that are not marked need not be
seen one by one: how many there were between two marked ones is in the caller's numbers (`caller_counts.py`). The same
question asked again is no second mark: retries, health checks and sensors at rest accuse nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.codec import pack
from tocsin.event import Coordinates

MOST_CALLERS: Final = 4_096
LARGEST: Final = 1e30
AGAIN_MS: Final = 600_000
"""A caller that goes on is read again after so long."""
DEVIATIONS: Final = 4.0
"""Of the number of a golden caller's marked rows, which its share is surely above."""
FEWER: Final = 10.0
BETS: Final = (0.2, 0.5, 0.9)
"""How far above the usual share lies the one bet on: 0 there, 1 at all rows."""
MOST_USUAL: Final = 0.8
"""Where golden callers have a larger share, no share is odd enough to name anybody by."""
MOST_EXAMPLES: Final = 8
MOST_ASKED: Final = 32


class Held(msgspec.Struct, array_like=True):
    """What is known of one caller.

    Attributes:
        number: of its last marked row.
        staked: R by each q, seconds.
        marked: marked rows since the first.
        first: its number then.
        first_ts: when, Unix milliseconds.
        told_ts: when it was last read, 0 for never.
        examples: a few marked rows.
        asked: what its last marked rows asked, as numbers that tell questions apart, oldest first.
    """

    number: int
    staked: list[float]
    marked: int
    first: int
    first_ts: int
    told_ts: int
    examples: list[Coordinates]
    asked: list[int]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A caller whose evidence reached the threshold, as it then stood.

    Attributes:
        statistic: mean R, seconds.
        asked: its rows since its first marked one.
        marked: those that were marked.
        first_ts: time of the first, Unix milliseconds.
        examples: a few of them.
    """

    statistic: float
    asked: int
    marked: int
    first_ts: int
    examples: tuple[Coordinates, ...]


class CallerShares:
    """Callers with marked rows, of one model; bounded.

    Args:
        usual: see `usual_share`; from MOST_USUAL on nobody is ever read.
        threshold: A, seconds.
    """

    def __init__(self, usual: float, threshold: float) -> None:
        self.threshold = threshold
        self._at: dict[int, Held] = {}
        self._blind = usual >= MOST_USUAL
        bets = [usual + (1.0 - usual) * part for part in BETS]
        self._hit = [log(q / usual) for q in bets]
        self._miss = [log(1.0 - part) for part in BETS]

    def mark(self, caller: int, number: int, question: int, ts: int, seconds: float, at: Coordinates) -> Crossing | None:
        """Takes note of a marked row; returns a crossing when its caller is to be read.

        Args:
            caller: hash.
            number: the row's among its caller's.
            question: what it asked, as a number that tells questions apart.
            ts: its time, Unix milliseconds.
            seconds: to stake once it has been weighed.
            at: the row.
        """
        if self._blind:
            return None
        held = self._at.pop(caller, None)
        if held is None:
            self._at[caller] = Held(number, [seconds] * len(self._hit), 1, number, ts, 0, [at], [question])
            self._forget()
            return None
        self._at[caller] = held  # now the last one to be forgotten
        if question in held.asked:
            return None
        held.asked = [*held.asked, question][-MOST_ASKED:]
        misses = max(number - held.number - 1, 0)
        held.staked = [
            min(staked * exp(max(hit + misses * miss, -700.0)), LARGEST)
            for staked, hit, miss in zip(held.staked, self._hit, self._miss, strict=True)
        ]
        statistic = sum(held.staked) / len(held.staked)
        held.staked = [staked + seconds for staked in held.staked]
        held.number, held.marked = number, held.marked + 1
        if len(held.examples) < MOST_EXAMPLES:
            held.examples.append(at)
        if statistic < self.threshold or (held.told_ts and ts < held.told_ts + AGAIN_MS):
            return None
        held.told_ts = ts
        return Crossing(statistic, number - held.first + 1, held.marked, min(held.first_ts, ts), tuple(held.examples))

    def level(self, caller: int) -> float:
        """Returns mean R of a caller as it stands, seconds; 0 if none of its rows was marked."""
        held = self._at.get(caller)
        return 0.0 if held is None else sum(held.staked) / len(held.staked)

    def _forget(self) -> None:
        """Makes room: drops the weaker half of the quarter that was not marked for longest."""
        if len(self._at) <= MOST_CALLERS:
            return
        oldest = list(self._at)[: MOST_CALLERS // 4]
        weakest = sorted(oldest, key=lambda caller: (self._at[caller].told_ts > 0, sum(self._at[caller].staked), caller))
        for caller in weakest[: MOST_CALLERS // 8]:
            del self._at[caller]

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return pack(list(self._at.items()))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            msgspec.DecodeError: it is no state.
        """
        self._at = dict(msgspec.msgpack.decode(data, type=list[tuple[int, Held]]))


def usual_share(hashes: NDArray[np.uint64], marked: NDArray[np.bool_]) -> float:
    """Returns the largest share of marked rows that a caller like the golden ones has, in (0, 1).

    Callers' shares follow a beta distribution, whose variance two rows of one caller tell by how often both are marked. The
    largest is that which one in FEWER times as many callers exceeds, or where that of a golden caller surely lies.

    Args:
        hashes: uint64 (rows,), the golden callers'.
        marked: bool (rows,).
    """
    _, which = np.unique(hashes, return_inverse=True)
    asked, hits = np.bincount(which).astype(np.float64), np.bincount(which, marked)
    overall = (float(hits.sum()) + 1.0) / (float(asked.sum()) + 2.0)
    pairs = max(float((asked * (asked - 1.0)).sum()), 1.0)
    both = float((hits * (hits - 1.0)).sum()) / pairs - overall**2
    variance = max(both, 0.0) + overall * (1.0 - overall) * float(np.sqrt(2.0 / pairs))
    surely = float(((hits - DEVIATIONS * np.sqrt(hits)) / asked).max())
    return min(max(_exceeded(overall, variance, 1.0 / (FEWER * len(asked))), surely, 2.0 * overall), 1.0 - 1e-6)


def _exceeded(mean: float, variance: float, probability: float) -> float:
    """Returns what a beta-distributed share of this mean and variance exceeds with this probability."""
    size = mean * (1.0 - mean) / variance - 1.0
    if size <= 0:
        return 1.0
    logit = np.linspace(-40.0, 40.0, 16_001)
    density = -mean * size * np.logaddexp(0.0, -logit) - (1.0 - mean) * size * np.logaddexp(0.0, logit)
    above = np.cumsum(np.exp(density - density.max())[::-1])[::-1]
    return float(1.0 / (1.0 + np.exp(-logit[int((above > probability * above[0]).sum()) - 1])))

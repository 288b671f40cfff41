"""Path limits: how small a value of each signal every honest caller keeps to all but a small share of its questions.

A limit must hold for every honest caller, not for the pool of all: a customer whose questions crowd in one corner is far more
like himself than the average shows, and limits off the pool accuse him. So each limit is the lowest of the pool's own 1 % and
of what every single caller leaves to half of the share that it may have beyond: every golden one, and, as newcomers will be
stranger than the strangest so far, the tail of these is prolonged to one caller in ten thousand (exponential excesses: Pickands
1975, Annals of Statistics 3). And as honest callers' strange questions come in bouts, the bets themselves are replayed: limits
are lowered until they would accuse no golden caller. A signal of which that cannot be said is not used.

A few golden callers may be strange all the time, as a sensor that reports slowly moving values. They are not made everybody's
measure: that signal says nothing about them, by name, as long as they are no more than a fiftieth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.paths import ENVELOPE, MARGIN, RHO, SIGNALS
from models.tail_bets import BETS, Crowd, factors, of_signals, run

LEAST_ASKED: Final = 24
"""Questions of a golden caller below which it is no measure of anything."""
BURNED_IN: Final = 4
"""First questions of each that do not count: its ring is nearly empty."""
POOLED: Final = 0.01
MUTED: Final = 50
STRICTNESS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""How many times less than usual may be beyond a limit; the next is tried when golden callers would be accused."""
NEWCOMER: Final = 1e-4
"""One in so many newcomers may have habits that go beyond the limits."""
LEAST_CALLERS: Final = 20
CAREFUL: Final = 10.0
"""Times as many alarms as golden questions allow are allowed per caller: one in so many limits is too strict by chance."""

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What golden callers' questions came to.

    Attributes:
        hash: uint64 (callers,); 0 for one that was drawn.
        signals: float32 (questions, SIGNALS) per caller, NaN = unknown.
    """

    hash: NDArray[np.uint64]
    signals: list[Values]


def limits_of(drawn: Drawn) -> tuple[Values, NDArray[np.bool_]]:
    """Returns (limits, muted): float32 (SIGNALS, RHO), -inf where a signal is unknown or of no use; bool (callers, SIGNALS)."""
    limits = np.empty((len(SIGNALS), len(RHO)), np.float32)
    muted = np.zeros((len(drawn.signals), len(SIGNALS)), np.bool_)
    real = drawn.hash != 0
    for signal in range(len(SIGNALS)):
        known = [own[~np.isnan(own[:, signal]), signal] for own in drawn.signals]
        muted[:, signal] = mute = strange_of(known, real)
        limits[signal] = _limit(signal, [(known[caller], bool(real[caller])) for caller in np.flatnonzero(~mute).tolist()])
    return limits, muted


def strange_of(known: list[Values], real: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns which real callers are strange all the time; none, if they are more than a few.

    What is usual is read off as if all those few were in the pool's tail.
    """
    pool = np.sort(np.concatenate([np.empty(0, np.float32), *(own[:LEAST_ASKED] for own in known)]))
    if not len(pool):
        return np.zeros(len(known), np.bool_)
    usual = pool[int((POOLED + 1.0 / MUTED) * len(pool))]
    strange = real & np.array([len(own) > 0 and float(np.median(own)) < usual for own in known])
    return strange if strange.sum() <= real.sum() // MUTED else np.zeros(len(known), np.bool_)


def _limit(signal: int, callers: list[tuple[Values, bool]]) -> Values:
    """Returns the highest limits tried, per RHO, under which the bets on one signal would accuse none of these callers.

    Args:
        signal: which.
        callers: (its values in the order of asking, whether it is a real caller).
    """
    values = np.concatenate([own for own, _ in callers])
    pool = np.sort(values[np.isfinite(values)])  # who is always answered alike is infinitely far from being answered otherwise
    callers = [(own, real) for own, real in callers if len(own)]
    counts = np.array([len(own) for own, _ in callers])
    for strictness in STRICTNESS if len(pool) else ():
        kept = [[_kept(np.sort(own), rho / strictness, real) for rho in RHO] for own, real in callers]
        beyond = [_beyond(signal, np.array(own)) for own in zip(*kept, strict=True)]
        limit: Values = np.minimum(beyond, pool[int(POOLED / strictness * len(pool))]).astype(np.float32)
        below = np.zeros((len(values), len(SIGNALS), len(RHO)), np.bool_)
        below[:, signal] = values[:, None] < limit
        known = np.zeros((len(values), len(SIGNALS)), np.bool_)
        known[:, signal] = True
        made = factors(below.reshape(len(values), -1), known, Crowd().pays())
        sums = run(np.zeros((len(counts), BETS + 1)), counts, np.ones(len(values)), made)
        if of_signals(sums)[:, signal].max() < CAREFUL * len(values):
            return limit
    return np.full(len(RHO), -np.inf, np.float32)


def _beyond(signal: int, kept: NDArray[np.float64]) -> float:
    """Returns what one caller in 1 / NEWCOMER would be expected to go below, were there so many, and none of these went.

    The tail of the callers' own limits, as distances or in logarithms, is taken for exponential beyond the strangest tenth.
    """
    kept = kept[np.isfinite(kept)]
    if len(kept) < LEAST_CALLERS or signal == MARGIN or (signal != ENVELOPE and kept.min() <= 0):
        return float(kept.min(initial=np.inf))  # at the decision itself, nobody can be nearer to it than by its own spread
    strange = np.sort(np.sqrt(-kept) if signal == ENVELOPE else -np.log(kept))[::-1]
    few = max(len(kept) // 10, LEAST_CALLERS // 4)
    excess = float(np.mean(strange[:few] - strange[few]))
    furthest = max(strange[few] + excess * float(np.log(few / len(kept) / NEWCOMER)), strange[0])
    return float(-(furthest**2) if signal == ENVELOPE else np.exp(-furthest))


def _kept(values: Values, rho: float, real: bool) -> float:
    """Returns the value that half of `rho` of a caller's own, sorted, lie below; +inf when it has too few to tell.

    A real caller is short, and its least values are chance: it is given a standard deviation more.
    """
    if len(values) < LEAST_ASKED - BURNED_IN:
        return np.inf
    often = rho / 2.0 * len(values)
    return float(values[int(often + (np.sqrt(often) if real else 0.0))])

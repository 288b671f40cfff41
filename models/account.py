"""Account: the seconds of the alert budget that callers may stake, one account per model and shard.

Theory. A Shiryaev-Roberts statistic R ← (R + w)·e of e-values grows in expectation by what is staked: E[R] ≤ Σ w (Shiryaev
1963, Theory of Probability and its Applications 8). With one statistic per caller, and an alarm at R ≥ A, all of them
together raise at most Σ w / A false alarms, over whoever the stakes are spread. So there is one account, credited with the
time that passes, and each row stakes for its caller a part of what has come in: a thousand callers cost no more than one,
and an attacker who invents callers creates no money. With A = a month over the alerts allowed, that many false alerts a
month are what to expect at most.

What came in between one event time and the next is shared out among as many rows of the later time as the earlier one had,
so that it is settled before these rows are seen. Where every row has a time of its own it stakes all of it; where times are
whole seconds, and a hundred rows share one, nobody has to come first in a second to stake anything.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.shiryaev_roberts import MOST_SECONDS


class Tick(msgspec.Struct, array_like=True):
    """How far a model's event time has come.

    Attributes:
        high_ms: the latest, Unix milliseconds.
        advance_s: by how much it is later than the one before, seconds.
        rows: that had it so far.
        share: how many of them may stake: as many as had the time before.
    """

    high_ms: int
    advance_s: float = 0.0
    rows: int = 0
    share: int = 1


class Accounts:
    """One shard's accounts.

    Args:
        shards: over how many the models' callers are spread; each is credited its part of the time.

    Attributes:
        ticks: model → how far it is.
    """

    def __init__(self, shards: int) -> None:
        self.ticks: dict[str, Tick] = {}
        self._shards = shards

    def stakes(self, model: str, ts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns what each row stakes, seconds, float64 (rows,): its part of the advance of the model's event time.

        The first rows of a model stake nothing. How rows are cut makes no difference.

        Args:
            model: whose account.
            ts: event times in ledger order, Unix milliseconds.
        """
        if not len(ts):
            return np.zeros(0)
        now = self.ticks.get(model, Tick(int(ts[0])))
        high = np.maximum.accumulate(np.maximum(ts, now.high_ms))
        moves = np.flatnonzero(np.diff(high, prepend=now.high_ms))
        begins = np.concatenate(([0], moves))
        sizes = np.diff(begins, append=len(ts))
        had = np.concatenate(([now.rows + sizes[0]], sizes[1:]))
        advance = np.concatenate(([now.advance_s], np.diff(high[moves], prepend=now.high_ms) / 1_000.0))
        advance = np.minimum(advance, MOST_SECONDS)
        share = np.concatenate(([now.share], np.maximum(had[:-1], 1)))
        number = np.arange(len(ts)) - np.repeat(begins - np.concatenate(([now.rows], np.zeros(len(moves), np.int64))), sizes)
        self.ticks[model] = Tick(int(high[-1]), float(advance[-1]), int(had[-1]), int(share[-1]))
        each = np.repeat(advance / share, sizes)
        return np.where(number < np.repeat(share, sizes), each, 0.0) / self._shards

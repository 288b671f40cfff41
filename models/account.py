"""Account: the seconds of the alert budget that callers may stake, one account per model and shard.

Theory. A Shiryaev-Roberts statistic R ← (R + w)·e of e-values grows in expectation by what is staked: E[R] ≤ Σ w (Shiryaev
1963, Theory of Probability and its Applications 8). With one statistic per caller, and an alarm at R ≥ A, all of them
together raise at most Σ w / A false alarms, over whoever the stakes are spread. So there is one account, credited with the
time that passes, and each row stakes for its caller what has come in since the row before: a thousand callers cost no
more than one, and an attacker who invents callers creates no money. With A = a month over the alerts allowed, that many
false alerts a month are what to expect at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.shiryaev_roberts import MOST_SECONDS


class Accounts:
    """One shard's accounts.

    Args:
        shards: over how many the models' callers are spread; each is credited its part of the time.

    Attributes:
        high_ms: model → the latest event time so far, Unix milliseconds.
    """

    def __init__(self, shards: int) -> None:
        self.high_ms: dict[str, int] = {}
        self._shards = shards

    def stakes(self, model: str, ts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns what each row stakes, seconds, float64 (rows,): the advance of the model's event time that it brings.

        The first row of a model stakes nothing. How rows are cut makes no difference.

        Args:
            model: whose account.
            ts: event times in ledger order, Unix milliseconds.
        """
        if not len(ts):
            return np.zeros(0)
        before = self.high_ms.get(model, int(ts[0]))
        high = np.maximum.accumulate(np.maximum(ts, before))
        self.high_ms[model] = int(high[-1])
        return np.minimum(np.diff(high, prepend=before) / 1_000.0, MOST_SECONDS) / self._shards

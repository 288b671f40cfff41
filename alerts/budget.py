"""Budget: how much may be ordered without a person before somebody must be asked.

An attacker who can make detectors fire can make a machine respond. So what policy orders alone is bounded by the hour, per
model and in what it touches; beyond that it stops and asks.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tocsin.config import Command

HOUR_MS: Final = 3_600_000
SETTLE_MS: Final = 300_000
MOST_CHANGES: Final = 2
"""Of one target's measure within SETTLE_MS: suspicion flickers, limits must not."""


class Spent(msgspec.Struct, array_like=True):
    """One automatic order.

    Attributes:
        ts: ledger time, Unix milliseconds.
        model: `namespace/name`.
        callers: it touches.
        share: of the model's traffic it touches.
    """

    ts: int
    model: str
    callers: int
    share: float


class Budget:
    """The last hour's automatic orders.

    Attributes:
        spent: oldest first.
    """

    def __init__(self, limits: Command) -> None:
        self.limits = limits
        self.spent: list[Spent] = []

    def refuses(self, wanted: Spent) -> str:
        """Returns why this must not be ordered alone, "" when it may."""
        recent = [one for one in self.spent if one.ts > wanted.ts - HOUR_MS]
        mine = [one for one in recent if one.model == wanted.model]
        if len(mine) >= self.limits.orders_per_model:
            return f"{len(mine)} automatic orders on {wanted.model} within the hour; at most {self.limits.orders_per_model}"
        callers = sum(one.callers for one in recent) + wanted.callers
        if callers > self.limits.callers:
            return f"it would touch {callers} callers within the hour; at most {self.limits.callers}"
        share = sum(one.share for one in mine) + wanted.share
        if share > self.limits.share and wanted.callers:
            return (
                f"it would touch {share:.0%} of the traffic of {wanted.model} within the hour; at most {self.limits.share:.0%}"
            )
        return ""

    def spend(self, order: Spent) -> None:
        """Takes note of an automatic order."""
        self.spent = [one for one in self.spent if one.ts > order.ts - HOUR_MS]
        self.spent.append(order)

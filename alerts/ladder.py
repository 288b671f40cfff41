"""Ladder: what can be done about an incident, how far each measure goes, and who must allow it. One literal table.

The rule behind it: what a machine may order alone is small, short and ends by itself; what stops a service or changes what it
answers needs people, the more of them the more depends on the service.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from tocsin.inventory import Automatic
from tocsin.trust import Role

Measure = Literal[
    "annotate",
    "newcomer_quota",
    "throttle",
    "throttle_model",
    "coarsen_model",
    "jitter_model",
    "lock_tools",
    "disable_endpoint",
    "roll_back",
]
OpenC2 = Literal["investigate", "set", "deny", "stop", "restore"]
Subject = Literal["finding", "caller", "model", "tool", "endpoint"]

MINUTE_S: Final = 60
HOUR_S: Final = 60 * MINUTE_S
DAY_S: Final = 24 * HOUR_S


class Rung(NamedTuple):
    """One row of `LADDER`.

    Attributes:
        level: 0 says it, 1 slows a caller, 2 slows or blurs a model, 3 stops it or its tools, 4 replaces it.
        openc2: the action.
        subject: what the action's target is.
        most_s: longest that it may hold, seconds.
        alone_s: longest that it may hold without a person, seconds; 0 when it never may.
        allowed_by: what the model's policy must allow for that.
        humans: distinct people who must approve, by the model's tier 0 to 3.
        role: what one of them must be.
    """

    level: int
    openc2: OpenC2
    subject: Subject
    most_s: int
    alone_s: int
    allowed_by: tuple[Automatic, ...]
    humans: tuple[int, int, int, int]
    role: Role | None = None


LADDER: Final[dict[Measure, Rung]] = {
    "annotate": Rung(0, "investigate", "finding", DAY_S, DAY_S, ("none", "callers", "model"), (0, 0, 0, 0)),
    "newcomer_quota": Rung(1, "set", "model", DAY_S, 0, (), (1, 1, 1, 1)),
    "throttle": Rung(1, "set", "caller", 4 * HOUR_S, 10 * MINUTE_S, ("callers", "model"), (1, 1, 1, 1)),
    "throttle_model": Rung(2, "set", "model", 4 * HOUR_S, 5 * MINUTE_S, ("model",), (1, 1, 1, 1)),
    "coarsen_model": Rung(2, "set", "model", DAY_S, 5 * MINUTE_S, ("model",), (1, 1, 1, 1)),
    "jitter_model": Rung(2, "set", "model", DAY_S, 5 * MINUTE_S, ("model",), (1, 1, 1, 1)),
    "lock_tools": Rung(3, "deny", "tool", DAY_S, 0, (), (2, 1, 1, 1)),
    "disable_endpoint": Rung(3, "stop", "endpoint", DAY_S, 0, (), (2, 1, 1, 1)),
    "roll_back": Rung(4, "restore", "model", 7 * DAY_S, 0, (), (2, 2, 2, 2), "ml-engineer"),
}
"""Every measure: name → what it takes; from the mildest to the strongest, by what it does to those who did nothing. The quota
concerns accounts of the last days only, `throttle` single callers, all others the whole model."""

ORDER: Final[tuple[Measure, ...]] = tuple(LADDER)
"""The same, as names."""

"""Show: what the demo plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drills.plan import Plan

TOPIC: Final = "payments.card-fraud.inferences"
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Show:
    """One demo.

    Attributes:
        scenario: a key of `drills.scenarios.SCENARIOS`.
        plan: how it is played, in event time.
        speed: seconds of event time per second.
    """

    scenario: str
    plan: Plan
    speed: float

    @property
    def play_s(self) -> float:
        """How long it takes to play, seconds."""
        return self.plan.seconds / self.speed


def day_with_a_probe(seconds: float = 60.0, seed: int = 7) -> Show:
    """Returns a day from midnight to midnight, played in so many seconds: from 18:00 to 19:12 one account asks 3,000 times.

    The clock of the ledger is event time (`clock = "event"`), so rates, windows and quiet times are those of a whole day.
    """
    plan = Plan(rate=2.0, seconds=DAY_S, seed=seed, callers=5000, accounts=1, attack_events=3000, onset=0.75, until=0.8)
    return Show("probe", plan, DAY_S / seconds)

"""Show: what the demo plays, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drills.plan import Plan

TOPIC: Final = "payments.card-fraud.inferences"
DAY_S: Final = 86_400.0
ATTACK_S: Final = 1_200.0
ONSET: Final = 0.75
"""18:00, as a part of the day."""


@dataclass(frozen=True, slots=True)
class Show:
    """One demo.

    Attributes:
        scenario: a key of `drills.scenarios.SCENARIOS`.
        plan: how it is played, in event time.
        fast: seconds of event time per second, most of the time.
        slow: the same while the attack lasts, so that it can be watched.
    """

    scenario: str
    plan: Plan
    fast: float
    slow: float

    def event_ms(self, elapsed_s: float) -> float:
        """Returns the event time after so many seconds of playing, Unix milliseconds."""
        plan = self.plan
        before, attack = plan.onset * plan.seconds, (plan.until - plan.onset) * plan.seconds
        fast_s, slow_s = before / self.fast, attack / self.slow
        if elapsed_s <= fast_s:
            event_s = elapsed_s * self.fast
        elif elapsed_s <= fast_s + slow_s:
            event_s = before + (elapsed_s - fast_s) * self.slow
        else:
            event_s = before + attack + (elapsed_s - fast_s - slow_s) * self.fast
        return plan.start_ms + event_s * 1000


def day_with_a_probe(seconds: float = 60.0, seed: int = 7) -> Show:
    """Returns a day from midnight to midnight; from 18:00 to 18:20 one account asks 3,000 times.

    The clock of the ledger is event time (`clock = "event"`), so rates, windows and quiet times are those of a whole day.

    Args:
        seconds: how long it takes to play; a sixth of it shows the attack in slow motion.
        seed: of everything that is chance.
    """
    until = ONSET + ATTACK_S / DAY_S
    plan = Plan(rate=1.5, seconds=DAY_S, seed=seed, callers=5000, accounts=1, attack_events=3000, onset=ONSET, until=until)
    return Show("probe", plan, fast=(DAY_S - ATTACK_S) / (seconds * 5 / 6), slow=ATTACK_S / (seconds / 6))

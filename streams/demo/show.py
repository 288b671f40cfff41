"""Show: what the demo plays, and how fast. Two weeks of history to learn from, then five days, one story each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from drills.plan import Plan

TOPIC: Final = "payments.card-fraud.inferences"
DAY_S: Final = 86_400.0
HISTORY_DAYS: Final = 14
RATE: Final = 0.2
"""Events a second: some 17,000 a day."""
PROBES: Final = 3_000


@dataclass(frozen=True, slots=True)
class Chapter:
    """One day of the story.

    Attributes:
        scenario: a key of `drills.scenarios.SCENARIOS`.
        plan: how it is played, in event time.
        says: what is going on once it happens, for a spectator.
        names: what a finding about it must name, "" for nothing in particular.
        seconds: how long it takes to play.
        slow_part: which part of them shows what happens between onset and until.
    """

    scenario: str
    plan: Plan
    says: str
    names: str = ""
    seconds: float = 12.0
    slow_part: float = 0.0

    def event_ms(self, elapsed_s: float) -> float:
        """Returns the event time after so many seconds of playing the chapter, Unix milliseconds."""
        plan = self.plan
        before, shown = plan.onset * plan.seconds, (plan.until - plan.onset) * plan.seconds
        slow_s = self.seconds * (self.slow_part or shown / plan.seconds)
        fast = (plan.seconds - shown) / (self.seconds - slow_s)
        if elapsed_s <= before / fast:
            event_s = elapsed_s * fast
        elif elapsed_s <= before / fast + slow_s:
            event_s = before + (elapsed_s - before / fast) * shown / slow_s
        else:
            event_s = before + shown + (elapsed_s - before / fast - slow_s) * fast
        return plan.start_ms + event_s * 1000


@dataclass(frozen=True, slots=True)
class Show:
    """One demo.

    Attributes:
        history: calm traffic the baseline is built from; not played.
        chapters: in order of time.
    """

    history: Plan
    chapters: tuple[Chapter, ...]


def five_days(seconds: float = 70.0, seed: int = 7) -> Show:
    """Returns the plan's story: calm, a prober, two hundred probers, a sale, a producer that changes a unit.

    The clock of the ledger is event time (`clock = "event"`), so rates, windows and quiet times are those of whole days.

    Args:
        seconds: how long it takes to play.
        seed: of everything that is chance.
    """
    history = Plan(rate=RATE, seconds=HISTORY_DAYS * DAY_S, seed=seed)
    days = [
        replace(history, seconds=DAY_S, day=day, start_ms=history.start_ms + round((HISTORY_DAYS - 1 + day) * DAY_S * 1000))
        for day in range(1, 6)
    ]
    probe = replace(days[1], onset=18 / 24, until=18 / 24 + 1_200 / DAY_S, attack_events=PROBES)
    spread = replace(days[2], onset=18 / 24, until=22 / 24, attack_events=PROBES, accounts=200, first_account=1)
    sale = replace(days[3], onset=8 / 24, until=1.0)
    cents = replace(days[4], onset=12 / 24, until=1.0)
    each = seconds / 5
    return Show(
        history,
        (
            Chapter("calm", days[0], "calm traffic", seconds=each),
            Chapter("probe", probe, "one account maps the decision threshold (slow motion)", seconds=each, slow_part=0.4),
            Chapter("probe", spread, "200 accounts map it together, 15 questions each", seconds=each, slow_part=0.5),
            Chapter("sale", sale, "a sale: everybody buys more and dearer", seconds=each),
            Chapter("unit_change", cents, "a producer sends amounts in cents", names="amount", seconds=each),
        ),
    )

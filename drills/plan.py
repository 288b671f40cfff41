"""Plan: how to play a scenario."""

from __future__ import annotations

from dataclasses import dataclass

from drills.population import account_id

DEFAULT_START_MS = 1_767_571_200_000
"""2026-01-05 00:00 UTC, a Monday: a drill written to a file is the same file whenever it is written."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to play a scenario; the same plan gives the same bytes.

    Attributes:
        rate: mean ordinary events a second, > 0.
        seconds: event time from beginning to end, > 0.
        seed: of everything that is chance, ≥ 0.
        day: which stretch of the same world this is: another one has the same callers with the same habits and other chances.
        start_ms: event time of the beginning, Unix milliseconds.
        callers: ordinary callers, ≥ 1.
        accounts: how many an attacker uses, ≥ 1.
        first_account: number of the first of them, ≥ 0: another attacker has others.
        attack_events: how many an attacker sends, ≥ 1.
        onset: when the scenario's change begins, as a fraction of `seconds` in [0, 1).
        until: when an attacker stops, as a fraction of `seconds` in (onset, 1].
    """

    rate: float = 200.0
    seconds: float = 600.0
    seed: int = 1
    day: int = 0
    start_ms: int = DEFAULT_START_MS
    callers: int = 5000
    accounts: int = 1
    first_account: int = 0
    attack_events: int = 3000
    onset: float = 0.6
    until: float = 0.9

    def at_ms(self, part: float) -> int:
        """Returns the event time at a fraction of the drill, Unix milliseconds."""
        return self.start_ms + round(part * self.seconds * 1000)

    def attackers(self) -> tuple[str, ...]:
        """Returns the attacker's accounts; they look like anybody's."""
        first = self.callers + self.first_account
        return tuple(account_id(self.seed, number) for number in range(first, first + self.accounts))

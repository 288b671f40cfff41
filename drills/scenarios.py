"""Scenarios: everything a drill can play, one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from drills.changes import Change, Volume, creeping, dearer, in_cents, sale_volume, unchanged, usual_volume


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of SCENARIOS.

    Attributes:
        says: one line for people.
        nature: `calm` nothing happens, `natural` and `fault` are nobody's doing, `malicious` is.
        kind: of the finding that should be raised, "" for none.
        attack: whether somebody probes (`drills/probe.py`).
        volume: how many calls.
        change: what payments turn into.
    """

    says: str
    nature: Literal["calm", "natural", "fault", "malicious"]
    kind: str = ""
    attack: bool = False
    volume: Volume = usual_volume
    change: Change = unchanged


SCENARIOS: Final[dict[str, Scenario]] = {
    "calm": Scenario("thousands of callers, sessions, day and night; nothing happens", "calm"),
    "probe": Scenario("accounts map the decision threshold with small payments", "malicious", "probing", attack=True),
    "creep": Scenario("amounts rise by half a percent a day for sixty days", "malicious", "drift", change=creeping),
    "sale": Scenario("all buy more and dearer, little by little", "natural", "drift", volume=sale_volume, change=dearer),
    "unit_change": Scenario("a producer starts to send amounts in cents", "fault", "drift", change=in_cents),
}
"""Every scenario there is."""

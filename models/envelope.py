"""Envelope: more inputs lie outside the training distribution than the golden share that always did.

Theory. Every model gets strange inputs; a golden share of them is no news. What is news is more: crafted inputs, a new kind
of customer, a broken feed. How strange a row is, all features together, is its LODA score (`loda.py`), one quantity of the
baseline. Its counts are weighed by a Shiryaev-Roberts bank in which only those experts bet that say scores rose: all of
them, or a share of rows beyond the golden 1/64. That scores fell is no reason to wake anyone, and is not paid for.

No row teaches anything: neither the score nor the golden shares move, however much traffic an attacker supplies.
"""

from __future__ import annotations

from typing import Final

from models.baseline import CELLS, Baseline, Watched, floats
from models.contrast import share_within
from models.detector import Seat
from models.experts import Direction
from models.golden_watch import GoldenWatch, watch_of
from models.shiryaev_roberts import Alarm
from tocsin.reading import Evidence

ID: Final = "envelope"
VERSION: Final = 1
WATCHES: Final[tuple[Watched, ...]] = ("envelope",)
BETS: Final[tuple[Direction, ...]] = ("up", "top")
OUTSIDE: Final = 1 / CELLS
"""The declared rate: the share of golden rows that counts as outside."""


def build(seat: Seat) -> GoldenWatch:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    return watch_of(ID, VERSION, seat, WATCHES, BETS, _outside)


def _outside(baseline: Baseline, alarm: Alarm, bucket: int) -> Evidence:
    """Returns how many golden rows lie outside, and how many did lately."""
    masses = floats(baseline.quantities[alarm.quantity].masses, -1, CELLS, dtype="<f8")[bucket]
    recent = alarm.recent / max(float(alarm.recent.sum()), 1e-9)
    share = share_within(masses, recent, 1 - OUTSIDE, 1.0)
    return {"golden_share_outside": round(OUTSIDE, 4), "recent_share_outside": round(share, 4)}

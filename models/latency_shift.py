"""Latency shift: answers take longer, or shorter, than in golden traffic.

Theory. Inputs made to be expensive, a service starved by a flood, or a model swapped for another show in how long answers
take, often in a few rows only: the median stays, the tail grows. A Shiryaev-Roberts bank (`shiryaev_roberts.py`) on the
log latency sees the whole distribution, so a tail is found where a mean would drown it.
"""

from __future__ import annotations

from typing import Final

from models.baseline import Watched
from models.detector import Seat
from models.experts import Direction
from models.golden_watch import GoldenWatch, watch_of

ID: Final = "latency_shift"
VERSION: Final = 1
WATCHES: Final[tuple[Watched, ...]] = ("latency",)
BETS: Final[tuple[Direction, ...]] = ()


def build(seat: Seat) -> GoldenWatch:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    return watch_of(ID, VERSION, seat, WATCHES, BETS)

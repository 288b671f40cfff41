"""Boundary probe: answers crowd where the model's decision flips. Somebody is measuring its threshold.

Theory. Whoever wants to know a threshold must ask near it: bisection halves the distance with every question, so that most
of its questions lie closer to the boundary than almost any golden row. Honest traffic comes near too, and more of it when
the world changes (in a sale more payments are doubtful). So only rows near the boundary count, and only where they lie
among themselves: seen from so near, honest traffic is spread evenly on both sides whatever its level, and a shift of the
score tilts one side up and the other down. What crowds towards the boundary itself is a search for it.

No caller is looked at: two hundred accounts with fifteen questions each show like one with three thousand. That is also the
limit: the finding names nobody; and questions that stay far from the boundary, payments merely small, are for
`feature_drift` to see. Only experts that bet on crowding have a stake in the bank (`shiryaev_roberts.py`).
"""

from __future__ import annotations

from typing import Final

from models.baseline import Watched
from models.detector import Seat
from models.experts import Direction
from models.golden_watch import GoldenWatch, watch_of

ID: Final = "boundary_probe"
VERSION: Final = 1
WATCHES: Final[tuple[Watched, ...]] = ("margin",)
BETS: Final[tuple[Direction, ...]] = ("down", "bottom")


def build(seat: Seat) -> GoldenWatch:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    return watch_of(ID, VERSION, seat, WATCHES, BETS)

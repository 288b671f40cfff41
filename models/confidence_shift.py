"""Confidence shift: the model's own answers differ from those it gave in golden traffic.

Theory. Labels come late or never, but a model that meets what it does not know says so at once: its confidences move, or
crowd together, before its accuracy can be measured. A change in the mix of predicted classes tells the same from another
side, and catches what leaves confidence alone: a class that an attacker steers answers towards. Both are quantities of one
Shiryaev-Roberts bank (`shiryaev_roberts.py`).
"""

from __future__ import annotations

from typing import Final

from models.baseline import Watched
from models.detector import Seat
from models.experts import Direction
from models.golden_watch import GoldenWatch, watch_of

ID: Final = "confidence_shift"
VERSION: Final = 1
WATCHES: Final[tuple[Watched, ...]] = ("confidence", "label")
BETS: Final[tuple[Direction, ...]] = ()


def build(seat: Seat) -> GoldenWatch:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    return watch_of(ID, VERSION, seat, WATCHES, BETS)

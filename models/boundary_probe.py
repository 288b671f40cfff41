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

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.detector import Seat
from models.experts import Direction
from models.golden_watch import readings_of
from models.shiryaev_roberts import Bank
from tocsin.errors import ConfigError
from tocsin.reading import Counts, Reading

ID: Final = "boundary_probe"
VERSION: Final = 1
BETS: Final[tuple[Direction, ...]] = ("down", "bottom")


@dataclass(frozen=True, slots=True)
class BoundaryProbe:
    """Watches how near to the decision boundary one model is asked.

    Attributes:
        bank: the evidence.
    """

    bank: Bank

    def weigh(self, counts: Counts, matrix: NDArray[np.float64], seconds: float) -> list[Reading]:
        """Returns one reading if these counts raised an alarm."""
        return readings_of(self.bank.weigh(counts, matrix, seconds), self.bank, VERSION, counts)

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return self.bank.dump()

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this detector under this baseline; it then stays as it was.
        """
        self.bank.load(data)


def build(seat: Seat) -> BoundaryProbe:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{ID} on {seat.model}: a baseline expected, none found")
    return BoundaryProbe(Bank(seat.baseline, seat.baseline.of("margin"), seat.alerts_per_month, BETS, owner=ID))

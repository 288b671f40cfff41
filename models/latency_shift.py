"""Latency shift: answers take longer, or shorter, than in golden traffic.

Theory. Inputs made to be expensive, a service starved by a flood, or a model swapped for another show in how long answers
take, often in a few rows only: the median stays, the tail grows. A Shiryaev-Roberts bank (`shiryaev_roberts.py`) on the
log latency sees the whole distribution, so a tail is found where a mean would drown it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.detector import Seat
from models.golden_watch import bank_of, readings_of
from models.shiryaev_roberts import Bank
from tocsin.reading import Counts, Reading

ID: Final = "latency_shift"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class LatencyShift:
    """Watches how long one model takes.

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


def build(seat: Seat) -> LatencyShift:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    return LatencyShift(bank_of(ID, seat, "latency"))

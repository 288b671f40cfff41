"""Confidence shift: the model's own answers differ from those it gave in golden traffic.

Theory. Labels come late or never, but a model that meets what it does not know says so at once: its confidences move, or
crowd together, before its accuracy can be measured. A change in the mix of predicted classes tells the same from another
side, and catches what leaves confidence alone: a class that an attacker steers answers towards. Both are quantities of one
Shiryaev-Roberts bank (`shiryaev_roberts.py`).
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

ID: Final = "confidence_shift"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ConfidenceShift:
    """Watches confidence and predicted class of one model.

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


def build(seat: Seat) -> ConfidenceShift:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    return ConfidenceShift(bank_of(ID, seat, "confidence", "label"))

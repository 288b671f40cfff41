"""Feature drift: the model is asked about other inputs than in its golden traffic.

Theory. A model answers well where it was trained, and its inputs wander for three reasons: the world changes (a sale), a
pipeline breaks (a unit, a default, a field that goes missing), or somebody shapes them. All three show in the marginal
distribution of some feature, a whole shift or a small share of odd rows alike, so each feature and each "missing feature"
is one quantity of a Shiryaev-Roberts bank (`shiryaev_roberts.py`). The finding names the feature, the direction and since
when; whether it is an attack is for correlation with other signals to say. Changes that leave every marginal alone are not
seen here.
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

ID: Final = "feature_drift"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """Watches every feature of one model, and whether it is there.

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


def build(seat: Seat) -> FeatureDrift:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    return FeatureDrift(bank_of(ID, seat, "feature", "missing"))

"""Envelope: more inputs lie outside the training distribution than the golden share that always did.

Theory. Every model gets strange inputs; a golden share of them is no news. What is news is more: crafted inputs, a new kind
of customer, a broken feed. How strange a row is, all features together, is its LODA score (`loda.py`), one quantity of the
baseline. Its counts are weighed by a Shiryaev-Roberts bank in which only those experts bet that say scores rose: all of
them, or a share of rows beyond the golden 1/64. That scores fell is no reason to wake anyone, and is not paid for.

No row teaches anything: neither the score nor the golden shares move, however much traffic an attacker supplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS, Baseline, floats
from models.contrast import share_within
from models.detector import Seat
from models.experts import Direction
from models.golden_watch import readings_of
from models.shiryaev_roberts import Alarm, Bank
from tocsin.errors import ConfigError
from tocsin.reading import Counts, Evidence, Reading

ID: Final = "envelope"
VERSION: Final = 1
DIRECTIONS: Final[tuple[Direction, ...]] = ("up", "top")
"""Of the experts that bet."""
OUTSIDE: Final = 1 / CELLS
"""The declared rate: the share of golden rows that counts as outside."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Watches the envelope scores of one model's rows.

    Attributes:
        bank: the evidence.
    """

    bank: Bank

    def weigh(self, counts: Counts, matrix: NDArray[np.float64], seconds: float) -> list[Reading]:
        """Returns one reading if these counts raised an alarm."""
        alarm = self.bank.weigh(counts, matrix, seconds)
        if alarm is None:
            return []
        shares = _outside(self.bank.baseline, alarm, counts.bucket)
        readings = readings_of(alarm, self.bank, VERSION, counts)
        return [msgspec.structs.replace(reading, evidence=shares | reading.evidence) for reading in readings]

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return self.bank.dump()

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this detector under this baseline; it then stays as it was.
        """
        self.bank.load(data)


def _outside(baseline: Baseline, alarm: Alarm, bucket: int) -> Evidence:
    """Returns how many golden rows lie outside, and how many did lately."""
    masses = floats(baseline.quantities[alarm.quantity].masses, -1, CELLS, dtype="<f8")[bucket]
    recent = alarm.recent / max(float(alarm.recent.sum()), 1e-9)
    share = share_within(masses, recent, 1 - OUTSIDE, 1.0)
    return {"golden_share_outside": round(OUTSIDE, 4), "recent_share_outside": round(share, 4)}


def build(seat: Seat) -> Envelope:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{ID} on {seat.model}: a baseline expected, none found")
    quantities = seat.baseline.of("envelope")
    return Envelope(Bank(seat.baseline, quantities, seat.alerts_per_month, DIRECTIONS, owner=ID))

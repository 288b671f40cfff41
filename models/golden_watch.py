"""Golden watch: one Shiryaev-Roberts bank as a detector in judge. What feature_drift, confidence_shift and latency_shift share.

It speaks once per alarm. While a change lasts, the quantity that caused it rests ten minutes and then speaks again if it
still stands out; others are heard meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np
from numpy.typing import NDArray

from models.baseline import Watched
from models.contrast import contrast
from models.detector import Seat
from models.experts import EXPERTS
from models.shiryaev_roberts import Alarm, Bank
from tocsin.errors import ConfigError, StateError
from tocsin.reading import Counts, Evidence, Reading


@dataclass(frozen=True, slots=True)
class GoldenWatch:
    """Watches some quantities of one model against its baseline.

    Attributes:
        detector: id of the detector that it is.
        version: of that detector.
        bank: the evidence.
    """

    detector: str
    version: int
    bank: Bank

    def weigh(self, counts: Counts, matrix: NDArray[np.float64], seconds: float) -> list[Reading]:
        """Returns one reading if these counts raised an alarm."""
        alarm = self.bank.weigh(counts, matrix, seconds)
        return [] if alarm is None else [self._reading(counts, alarm)]

    def _reading(self, counts: Counts, alarm: Alarm) -> Reading:
        return Reading(
            detector=self.detector,
            version=self.version,
            model=counts.model,
            watches=self.bank.baseline.quantities[alarm.quantity].name,
            caller=None,
            at=counts.at,
            ts=counts.last_ts,
            onset_ts=min(alarm.onset_ts, counts.last_ts),
            statistic=alarm.statistic,
            threshold=alarm.threshold,
            count=alarm.count,
            evidence=self._evidence(counts, alarm),
            examples=(counts.at,),
        )

    def _evidence(self, counts: Counts, alarm: Alarm) -> Evidence:
        expert = EXPERTS[alarm.expert]
        found: Evidence = {
            "change": expert.name,
            "direction": expert.direction,
            "baseline": self.bank.hash[:12],
            "log10_statistic": round(log10(alarm.statistic), 2),
            "log10_threshold": round(log10(alarm.threshold), 2),
            "events_since_onset": alarm.count,
        }
        return found | contrast(self.bank.baseline, alarm.quantity, counts.bucket, alarm.recent)

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return self.bank.dump()

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` of the same version and baseline returned.

        Raises:
            StateError: it is not such a state; the detector then stays as built, cold.
        """
        try:
            self.bank.load(data)
        except StateError as error:
            raise StateError(f"{self.detector}: {error}") from error


def watch(detector: str, version: int, seat: Seat, *watches: Watched) -> GoldenWatch:
    """Returns a detector that watches all quantities of these kinds in the seat's baseline.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{detector} on {seat.model}: a baseline expected, none found")
    return GoldenWatch(detector, version, Bank(seat.baseline, seat.baseline.of(*watches), seat.alerts_per_month))

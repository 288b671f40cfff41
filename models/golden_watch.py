"""Golden watch: a Shiryaev-Roberts bank on some kinds of quantities, and what its alarms say to people.

What every detector with a frozen reference is, but for its theory, what it watches and which way its experts bet. One alarm is
one reading. While a change lasts, the quantity that caused it rests ten minutes and then speaks again if it still stands out;
others are heard meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log10

import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline, Watched
from models.contrast import contrast
from models.detector import Seat
from models.experts import EXPERTS, Direction
from models.quantity import JOINT
from models.relation import relation, told
from models.shiryaev_roberts import Alarm, Bank
from tocsin.errors import ConfigError
from tocsin.reading import Counts, Evidence, Reading

Also = Callable[[Baseline, Alarm, int], Evidence]
"""(baseline, alarm, season bucket) → evidence that comes first."""


def _nothing(_baseline: Baseline, _alarm: Alarm, _bucket: int) -> Evidence:
    return {}


@dataclass(frozen=True, slots=True)
class GoldenWatch:
    """Watches some quantities of one model.

    Attributes:
        bank: the evidence; its owner is the detector's id.
        version: the detector's.
        also: what its readings tell besides.
    """

    bank: Bank
    version: int
    also: Also = _nothing

    def weigh(self, counts: Counts, matrix: NDArray[np.float64], seconds: float) -> list[Reading]:
        """Returns one reading if these counts raised an alarm."""
        alarm = self.bank.weigh(counts, matrix, seconds)
        return [] if alarm is None else [self._reading(alarm, counts)]

    def _reading(self, alarm: Alarm, counts: Counts) -> Reading:
        bank = self.bank
        return Reading(
            detector=bank.owner,
            version=self.version,
            model=counts.model,
            watches=told(bank.baseline, alarm.quantity),
            caller=None,
            at=counts.at,
            ts=alarm.ts,
            onset_ts=min(alarm.onset_ts, alarm.ts),
            statistic=alarm.statistic,
            threshold=alarm.threshold,
            count=alarm.count,
            evidence=self.also(bank.baseline, alarm, counts.bucket) | _evidence(alarm, bank, counts.bucket),
            examples=(counts.at,),
        )

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return self.bank.dump()

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this detector under this baseline; it then stays as it was.
        """
        self.bank.load(data)


def watch_of(
    detector: str,
    version: int,
    seat: Seat,
    watches: tuple[Watched, ...],
    bets: tuple[Direction, ...],
    also: Also = _nothing,
) -> GoldenWatch:
    """Returns a cold watch.

    Args:
        detector: id.
        version: of the detector.
        seat: whose baseline.
        watches: kinds of quantities.
        bets: directions of the experts that bet; all of them when it is empty.
        also: evidence besides the usual.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{detector} on {seat.model}: a baseline expected, none found")
    bank = Bank(seat.baseline, seat.baseline.of(*watches), seat.alerts_per_month, bets, owner=detector)
    return GoldenWatch(bank, version, also)


def _evidence(alarm: Alarm, bank: Bank, bucket: int) -> Evidence:
    expert = EXPERTS[alarm.expert]
    found: Evidence = {
        "baseline": bank.hash[:12],
        "log10_statistic": round(log10(alarm.statistic), 2),
        "log10_threshold": round(log10(alarm.threshold), 2),
        "events_since_onset": alarm.count,
    }
    if bank.baseline.quantities[alarm.quantity].watches in JOINT:
        return found | {"change": expert.name} | relation(bank.baseline, alarm, bank.quantities, bucket)
    found |= contrast(bank.baseline, alarm.quantity, bucket, alarm.recent)
    if "gained" in found:
        return found  # the values of a category have no order, and no direction
    return found | {"change": expert.name, "direction": expert.direction}

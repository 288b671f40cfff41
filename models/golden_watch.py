"""Golden watch: a Shiryaev-Roberts bank on some kinds of quantities, and what its alarms say to people.

What feature_drift, confidence_shift and latency_shift share. One alarm is one reading. While a change lasts, the quantity
that caused it rests ten minutes and then speaks again if it still stands out; others are heard meanwhile.
"""

from __future__ import annotations

from math import log10

from models.baseline import Watched
from models.contrast import contrast
from models.detector import Seat
from models.experts import EXPERTS
from models.shiryaev_roberts import Alarm, Bank
from tocsin.errors import ConfigError
from tocsin.reading import Counts, Evidence, Reading


def bank_of(detector: str, seat: Seat, *watches: Watched) -> Bank:
    """Returns a bank on all quantities of these kinds in the seat's baseline.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{detector} on {seat.model}: a baseline expected, none found")
    return Bank(seat.baseline, seat.baseline.of(*watches), seat.alerts_per_month, owner=detector)


def readings_of(alarm: Alarm | None, bank: Bank, version: int, counts: Counts) -> list[Reading]:
    """Returns what there is to say: one reading per alarm.

    Args:
        alarm: of the bank, on these counts.
        bank: that raised it.
        version: of the detector.
        counts: where and when.
    """
    if alarm is None:
        return []
    return [
        Reading(
            detector=bank.owner,
            version=version,
            model=counts.model,
            watches=bank.baseline.quantities[alarm.quantity].name,
            caller=None,
            at=counts.at,
            ts=alarm.ts,
            onset_ts=min(alarm.onset_ts, alarm.ts),
            statistic=alarm.statistic,
            threshold=alarm.threshold,
            count=alarm.count,
            evidence=_evidence(alarm, bank, counts.bucket),
            examples=(counts.at,),
        )
    ]


def _evidence(alarm: Alarm, bank: Bank, bucket: int) -> Evidence:
    expert = EXPERTS[alarm.expert]
    found: Evidence = {
        "baseline": bank.hash[:12],
        "log10_statistic": round(log10(alarm.statistic), 2),
        "log10_threshold": round(log10(alarm.threshold), 2),
        "events_since_onset": alarm.count,
    }
    found |= contrast(bank.baseline, alarm.quantity, bucket, alarm.recent)
    if "gained" in found:
        return found  # the values of a category have no order, and no direction
    return found | {"change": expert.name, "direction": expert.direction}

"""Health: what is unwell in Tocsin itself, for its operators. The SOC sees the same as findings of kind `blind`."""

from __future__ import annotations

import msgspec

from tocsin.signal import Signals


class Health(msgspec.Struct, frozen=True):
    """One JSON object on the health topic.

    Attributes:
        uid: derived; a repeated record has the same.
        kind: `disabled_detector`, `stalled_source`, `telemetry_loss`, `containment` or, to wake somebody, `containment_alarm`.
        source: the detector, `topic-partition`, or `command`.
        time: ledger time, Unix milliseconds.
        detail: what happened.
        model: which model is concerned, or "".
        where: `topic-partition@offset` of the record it happened on, the proposal or command it is about, or "".
    """

    uid: str
    kind: str
    source: str
    time: int
    detail: str
    model: str = ""
    where: str = ""


def health_of(record: Signals) -> list[Health]:
    """Returns one entry per fault and per loss."""
    faults = [
        Health(
            uid=fault.uid,
            kind="stalled_source" if fault.detector == "ledger" else "disabled_detector",
            source=fault.detector,
            time=fault.ts,
            detail=fault.error,
            model=fault.model,
            where=fault.where,
        )
        for fault in record.faults
    ]
    losses = [
        Health(
            uid=loss.uid,
            kind="telemetry_loss",
            source=f"{loss.topic}-{loss.partition}",
            time=loss.ts,
            detail=f"offsets {loss.first} to {loss.last} were deleted before they were read",
        )
        for loss in record.losses
    ]
    return faults + losses

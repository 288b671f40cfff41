"""Wire: payments and decisions as canonical `ml.inference.v1` objects, one JSON line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from drills.card_fraud import CATEGORIES, NAME, NAMESPACE, VERSION, Decisions, Payments

MODEL_FIELD = {"namespace": NAMESPACE, "name": NAME, "version": VERSION}
LABELS = ("accept", "refuse")
DIGITS = {
    "amount": 2,
    "amount_ratio": 3,
    "distance_km": 1,
    "hour": 2,
    "card_age_days": 1,
    "device_age_days": 1,
    "payments_1h": 0,
    "declined_24h": 0,
    "card_present": 0,
}
"""Digits that a producer would send; JSON of a full float64 is half as long again and says no more."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls in time order, as columns.

    Attributes:
        ts: int64, Unix milliseconds.
        caller: int64, index into `ids`.
        ids: who may call.
        id_kinds: what kind of id each is.
        payments: what was asked.
        decisions: what was answered.
    """

    ts: NDArray[np.int64]
    caller: NDArray[np.int64]
    ids: Sequence[str]
    id_kinds: Sequence[str]
    payments: Payments
    decisions: Decisions


def events(calls: Calls, event_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Returns one canonical event per call."""
    callers = [{"id": name, "id_kind": kind} for name, kind in zip(calls.ids, calls.id_kinds, strict=True)]
    columns = [np.round(getattr(calls.payments, name), digits).tolist() for name, digits in DIGITS.items()]
    columns.append([CATEGORIES[index] for index in calls.payments.category.tolist()])
    names = (*DIGITS, "category")
    confidence = np.round(np.maximum(calls.decisions.score, 1 - calls.decisions.score), 6)
    return [
        {
            "schema": "ml.inference.v1",
            "event_id": event_id,
            "ts": ts,
            "model": MODEL_FIELD,
            "caller": callers[caller],
            "features": dict(zip(names, values, strict=True)),
            "prediction": {"label": LABELS[refused], "score": certain},
            "latency_ms": latency,
            "status": status,
        }
        for event_id, ts, caller, values, refused, certain, latency, status in zip(
            event_ids,
            calls.ts.tolist(),
            calls.caller.tolist(),
            zip(*columns, strict=True),
            calls.decisions.refused.tolist(),
            confidence.tolist(),
            np.round(calls.decisions.latency_ms, 2).tolist(),
            calls.decisions.status.tolist(),
            strict=True,
        )
    ]


def lines(calls: Calls, event_ids: Sequence[str]) -> list[bytes]:
    """Returns the same events as JSON, without line ends."""
    return [orjson.dumps(event) for event in events(calls, event_ids)]

"""Events: the traffic that every contender reads. A card-fraud model, ten numeric features, callers with a heavy tail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import orjson
from numpy.typing import NDArray

FEATURES = ("amount", "age_days", "velocity", "items", "distance_km", "hour_sin", "hour_cos", "is_new", "ratio", "balance")
CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Traffic:
    """Which events.

    Attributes:
        events: how many.
        models: how many models share them, turn by turn.
        callers: how many callers there are; a few make most of the calls.
        even: share of the calls that are spread evenly over all callers instead.
        per_s: events per second of event time.
        start_ms: event time of the first, Unix milliseconds.
        seed: of all that is drawn.
    """

    events: int
    models: int = 1
    callers: int = 5_000
    even: float = 0.0
    per_s: float = 4_000.0
    start_ms: int = field(default_factory=lambda: int(time.time() * 1000) - 120_000)
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Columns:
    """Some events as columns, in order.

    Attributes:
        first: number of the first event.
        ts: int64 (events,), Unix milliseconds.
        caller: int64 (events,), in [0, callers).
        values: float64 (events, 10).
        score: float64 (events,), confidence.
        latency_ms: float64 (events,).
    """

    first: int
    ts: NDArray[np.int64]
    caller: NDArray[np.int64]
    values: NDArray[np.float64]
    score: NDArray[np.float64]
    latency_ms: NDArray[np.float64]


def columns(traffic: Traffic) -> Iterator[Columns]:
    """Yields the events in chunks of at most 10,000; the same traffic is the same numbers."""
    rng = np.random.default_rng(traffic.seed)
    for first in range(0, traffic.events, CHUNK):
        size = min(CHUNK, traffic.events - first)
        values = rng.normal(size=(size, len(FEATURES)))
        values[:, 0] = np.exp(values[:, 0] * 1.2 + 4)
        values[:, 3] = rng.integers(0, 50, size)
        values[:, 7] = rng.integers(0, 2, size)
        caller = (rng.pareto(1.3, size) * traffic.callers / 80).astype(np.int64) % traffic.callers
        caller = np.where(rng.random(size) < traffic.even, rng.integers(0, traffic.callers, size), caller)
        yield Columns(
            first=first,
            ts=traffic.start_ms + (np.arange(first, first + size) * 1000 / traffic.per_s).astype(np.int64),
            caller=caller,
            values=values.round(4),
            score=rng.beta(8, 1.5, size).round(4),
            latency_ms=rng.gamma(4, 3, size).round(2),
        )


def model_name(number: int) -> str:
    """Returns the name of a model, without namespace and version."""
    return "fraud" if number == 0 else f"fraud-{number:02}"


def records(traffic: Traffic) -> Iterator[bytes]:
    """Yields the events as `ml.inference.v1` JSON objects, about 450 bytes each."""
    models = [{"namespace": "bench", "name": model_name(number), "version": "3"} for number in range(traffic.models)]
    for chunk in columns(traffic):
        rows = zip(
            chunk.ts.tolist(),
            chunk.caller.tolist(),
            chunk.values.tolist(),
            chunk.score.tolist(),
            chunk.latency_ms.tolist(),
            strict=True,
        )
        for number, (ts, caller, values, score, latency_ms) in enumerate(rows, chunk.first):
            yield orjson.dumps(
                {
                    "schema": "ml.inference.v1",
                    "event_id": f"{traffic.seed:02x}-{number:012x}",
                    "ts": ts,
                    "model": models[number % traffic.models],
                    "caller": {"id": f"acct-{caller:07}", "id_kind": "api_key_hash"},
                    "features": dict(zip(FEATURES, values, strict=True)),
                    "prediction": {"label": "ok" if score > 0.5 else "fraud", "score": score},
                    "latency_ms": latency_ms,
                    "status": 200,
                }
            )

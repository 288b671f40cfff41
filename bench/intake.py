"""What intake's own code costs per event, without Kafka: `python -m bench.intake`. CPU time, best of five rounds."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import orjson

from streams.intake.core import Core
from streams.intake.decode import decode
from tocsin.config import Config, RawTopic
from tocsin.event import Source
from tocsin.frame import encode_frame
from tocsin.ids import DEVELOPMENT_KEY, derive_key

EVENTS: Final = 40_000
ROUNDS: Final = 5
BATCH: Final = 64
T0: Final = 1_795_598_400_000
CANONICAL: Final = RawTopic("raw", "canonical")
MAPPED: Final = RawTopic(
    "raw",
    "json",
    model="prod/fraud@3",
    fields={
        "ts_s": "time", "caller": "user.id", "id_kind": "=user", "features": "tx", "features.country": "user.country",
        "label": "result.class", "confidence": "result.score", "latency_ms": "took",
    },
)  # fmt: skip
NAMES: Final = ("amount", "age_days", "velocity", "n_items", "dist_km", "hour_sin", "hour_cos", "is_new", "ratio", "balance")


def event(rng: random.Random, number: int, model: str = "fraud") -> dict[str, Any]:
    """Returns one canonical event of 10 numeric features, about 390 bytes of JSON."""
    return {
        "schema": "ml.inference.v1",
        "event_id": f"e-{number:08d}",
        "ts": T0 + number // 20,
        "model": {"name": model, "version": "3"},
        "caller": {"id": f"acct-{rng.randrange(5000):05d}"},
        "features": {name: round(rng.gauss(0.0, 10.0), 5) for name in NAMES},
        "prediction": {"label": rng.choice(("ok", "fraud")), "score": round(rng.random(), 5)},
        "latency_ms": round(rng.expovariate(0.1), 3),
    }


def columnar(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the events as one object of arrays."""
    return {
        "schema": "ml.inference.v1",
        "ts": [one["ts"] for one in events],
        "model": events[0]["model"],
        "caller": {"id": [one["caller"]["id"] for one in events]},
        "features": {name: [one["features"][name] for one in events] for name in NAMES},
        "prediction": {name: [one["prediction"][name] for one in events] for name in ("label", "score")},
        "latency_ms": [one["latency_ms"] for one in events],
    }


def foreign(one: dict[str, Any]) -> dict[str, Any]:
    """Returns the event as somebody's own JSON, which `MAPPED` reads."""
    return {
        "id": one["event_id"],
        "time": one["ts"] / 1000,
        "user": {"id": one["caller"]["id"], "country": "DE"},
        "tx": one["features"],
        "result": {"class": one["prediction"]["label"], "score": one["prediction"]["score"], "rule": "none"},
        "took": one["latency_ms"],
    }


def chat(one: dict[str, Any]) -> dict[str, Any]:
    """Returns the event as a LiteLLM payload."""
    return {
        "id": one["event_id"],
        "call_type": "acompletion",
        "status": "success",
        "model_group": "gpt",
        "custom_llm_provider": "openai",
        "startTime": one["ts"] / 1000,
        "endTime": (one["ts"] + 800) / 1000,
        "metadata": {"user_api_key_hash": one["caller"]["id"], "user_api_key_alias": "app"},
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "response_cost": 0.001,
        "messages": [{"role": "user", "content": "What is the weather: sunny or not?"}],
        "response": {"choices": [{"message": {"role": "assistant", "content": "Sunny."}}]},
    }


def core(topic: RawTopic, *, quick: bool = True) -> Core:
    """Returns an intake of one topic on one partition."""
    made = Core(Config(topic=(topic,)), derive_key(DEVELOPMENT_KEY, "caller"), shortcuts=quick)
    made.framer.number(Source("raw", "raw", 0))
    return made


def fed(values: list[bytes], topic: RawTopic = CANONICAL, *, encode: bool = True, quick: bool = True) -> Callable[[], int]:
    """Returns what feeds the records, and encodes the frames if so wished; it returns the rows framed.

    All runs feed one intake, so that from the second on its callers are known, as they are to one that has run for a while.
    """
    intake, runs = core(topic, quick=quick), count()

    def run() -> int:
        rows, first = 0, next(runs) * len(values)
        for start in range(0, len(values), 500):
            some = enumerate(values[start : start + 500], first + start)
            intake.feed_run(0, ((offset, T0 + (offset - first) // 20, value) for offset, value in some))
            if intake.framer.cut:
                frames, _ = intake.take()
                rows += sum(block.rows for _, frame in frames for block in frame.blocks)
                if encode:
                    for _, frame in frames:
                        encode_frame(frame)
        intake.framer.tick(intake.reached)
        return rows + sum(block.rows for _, frame in intake.take()[0] for block in frame.blocks)

    return run


def decoded(values: list[bytes]) -> Callable[[], int]:
    """Returns what only decodes, by the envelope learned from the first record."""

    def run() -> int:
        intake = core(CANONICAL)
        intake.feed(0, 0, T0, values[0])
        envelope = intake._quick["raw"]._envelopes[0]  # noqa: SLF001
        for value in values:
            envelope.each_key_once(envelope.decode(value), value)
        return len(values)

    return run


def cost(run: Callable[[], int], events: int) -> float:
    """Returns µs of CPU per event, the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best / events * 1e6


def main() -> None:
    """Prints one line per step."""
    rng = random.Random(1)
    events = [event(rng, number) for number in range(EVENTS)]
    single = [orjson.dumps(one) for one in events]
    many = [orjson.dumps(event(rng, number, f"m{number % 40}")) for number in range(EVENTS)]
    mixed = [orjson.dumps({**one, "features": {**one["features"], "country": "DE"}}) for one in events]
    batches = [orjson.dumps(columnar(events[start : start + BATCH])) for start in range(0, EVENTS, BATCH)]
    mapped = [orjson.dumps(foreign(one)) for one in events]
    chats = [orjson.dumps(chat(one)) for one in events]
    gc.freeze()
    gc.set_threshold(50_000)
    assert all(fed(values)() == EVENTS for values in (single, batches, mixed, many))
    assert fed(mapped, MAPPED)() == fed(chats, RawTopic("raw", "litellm"))() == EVENTS
    lines: list[tuple[str, float]] = [
        (f"single, {len(single[0])} bytes: decode", cost(decoded(single), EVENTS)),
        ("single: decode, check, route, cut", cost(fed(single, encode=False), EVENTS)),
        ("single: the same, and encode", cost(fed(single), EVENTS)),
        ("single, 40 models", cost(fed(many), EVENTS)),
        ("single, with a category", cost(fed(mixed), EVENTS)),
        (f"columnar batches of {BATCH}", cost(fed(batches), EVENTS)),
        ("single, any JSON by a mapping", cost(fed(mapped, MAPPED), EVENTS)),
        ("single, LiteLLM with prompt and completion", cost(fed(chats, RawTopic("raw", "litellm")), EVENTS)),
        ("single, read with care: decode only", cost(lambda: sum(len(decode(value, CANONICAL)) for value in single), EVENTS)),
        ("single, read with care", cost(fed(single, quick=False), EVENTS)),
        ("single, any JSON by a mapping, read with care", cost(fed(mapped, MAPPED, quick=False), EVENTS)),
    ]
    for name, micros in lines:
        print(f"{micros:7.2f} µs/event  {name}")


if __name__ == "__main__":
    main()

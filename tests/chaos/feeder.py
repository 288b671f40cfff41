"""Feeder: a producer that remembers what Kafka acknowledged, as the only truth the verifier trusts about the input.

It writes single objects, arrays, NDJSON and garbage, in real time, and its log says per record which rows must come out.
Run as a process: `python -m tests.chaos.feeder BROKERS TOPIC COUNT RATE SEED LOG`.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

PARTITIONS = 4
PER_RECORD = (1, 1, 1, 1, 1, 1, 1, 1, 3, 5)
"""Rows per record, drawn at random: mostly single objects."""


def event(number: int, rng: random.Random) -> dict[str, object]:
    """Returns one canonical event; in every other 5,000 two callers ask a lot, confidence falls and latency rises."""
    shifted = number % 10_000 > 5_000
    caller = rng.randrange(2) if shifted and rng.random() < 0.2 else rng.randrange(2, 2000)
    return {
        "schema": "ml.inference.v1",
        "event_id": f"e{number}",
        "ts": int(time.time() * 1000),
        "model": {"namespace": "prod", "name": f"m{number % 3}", "version": "1"},
        "caller": {"id": f"acct-{caller}", "id_kind": "user"},
        "features": {f"f{k}": round(rng.gauss(0, 1), 4) for k in range(4)},
        "prediction": {"label": "ok", "score": round(min(max(rng.gauss(0.6 if shifted else 0.9, 0.05), 0), 1), 4)},
        "latency_ms": round(rng.uniform(5, 20 if not shifted else 80), 2),
        "status": 200,
    }


def record(first: int, rng: random.Random) -> tuple[bytes, list[dict[str, object]]]:
    """Returns a raw record and the events it holds; one in fifty is garbage and holds none."""
    if rng.random() < 0.02:
        return b'{"schema": "ml.inference.v1", "ts": ', []
    events = [event(first + k, rng) for k in range(rng.choice(PER_RECORD))]
    if len(events) == 1:
        return json.dumps(events[0]).encode(), events
    if rng.random() < 0.5:
        return json.dumps(events).encode(), events
    return b"\n".join(json.dumps(one).encode() for one in events), events


def feed(brokers: str, topic: str, count: int, rate: float, seed: int, log: Path) -> None:
    """Writes `count` events at `rate` a second; appends one line per acknowledged record to `log`."""
    rng = random.Random(seed)
    # acks=all and no timeout: what the log says was acknowledged is in Kafka, whatever happens to the broker
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "message.timeout.ms": 0, "linger.ms": 5})
    with log.open("a") as out:

        def remember(events: list[dict[str, object]]) -> Callable[[KafkaError | None, Message], None]:
            def delivered(error: KafkaError | None, message: Message) -> None:
                if error is not None:
                    raise RuntimeError(str(error))
                out.write(json.dumps([message.partition(), message.offset(), events]) + "\n")

            return delivered

        started, number = time.monotonic(), 0
        while number < count:
            value, events = record(number, rng)
            number += max(len(events), 1)
            producer.produce(
                topic,
                value,
                partition=rng.randrange(PARTITIONS),
                on_delivery=remember(events),
            )
            producer.poll(0)
            ahead = started + number / rate - time.monotonic()
            if ahead > 0.01:
                time.sleep(ahead)
        producer.flush()


if __name__ == "__main__":
    feed(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), Path(sys.argv[6]))

"""Many models: 40 quiet ones share a steady stream. What an event costs when frames are cut by the clock, not by size."""

from __future__ import annotations

import threading

import msgspec

from bench.events import Traffic, records
from bench.fleet import Fleet
from bench.kafka import create, pace
from bench.saturation import TocsinCost, cost_of
from tocsin.config import Kafka

MODELS = 40
PER_MODEL_S = 100


class Many(msgspec.Struct, frozen=True):
    """CPU per event of each part at `models` times `per_model_s` events per second, over `seconds`."""

    cost: TocsinCost
    models: int
    per_model_s: int
    seconds: int


def measure(brokers: str, topic: str, seconds: int) -> Many:
    """Returns the cost over the second half of a paced run."""
    per_s = MODELS * PER_MODEL_S
    events = per_s * seconds
    values = list(records(Traffic(events, models=MODELS, per_s=per_s)))
    create(brokers, topic)
    with Fleet(Kafka(brokers=brokers, prefix="bench.many."), topic) as fleet:
        producer = threading.Thread(target=pace, args=(brokers, topic, values, per_s), daemon=True)
        producer.start()
        samples = fleet.watch(lambda sample: sample.sensed >= events)
        producer.join()
    # The processes start while the stream already runs, and every detector of every model is built once per shard (some
    # milliseconds for a forest): that is over by then.
    return Many(cost_of(samples, warm=events // 2, last=int(events * 0.95)), MODELS, PER_MODEL_S, seconds)

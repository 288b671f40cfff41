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
    """CPU per event of each part at `models` times `per_model_s` events per second, over `seconds`.

    Rows per block are told along: the price is per block, and intake cuts fewer and larger ones when the machine is busy.
    """

    cost: TocsinCost
    models: int
    per_model_s: int
    seconds: int
    rows_per_block: float = 0.0


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
    cost = cost_of(samples, warm=events // 2, last=int(events * 0.95))
    later = [sample for sample in samples if sample.framed >= events // 2]
    rows, blocks = later[-1].framed - later[0].framed, later[-1].blocks - later[0].blocks
    return Many(cost, MODELS, PER_MODEL_S, seconds, rows / max(blocks, 1))

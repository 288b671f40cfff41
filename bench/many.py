"""Many models: 40 quiet ones share a steady stream. What an event costs when frames are cut by the clock, not by size."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from bench.events import Traffic, records
from bench.fleet import Fleet
from bench.golden import learned
from bench.kafka import create, pace
from bench.saturation import TocsinCost, cost_of, counting_from
from models.baseline import Baseline
from tocsin.config import Kafka

MODELS = 40
PER_MODEL_S = 100


class Load(msgspec.Struct, frozen=True):
    """One run.

    Rows per block are told along: the price is per block, and intake cuts fewer and larger ones when the machine is busy.

    Attributes:
        cost: CPU per event of each part, over the second half.
        rows_per_block: mean, in `frames`.
        sense_kb: mean size of one shard's last snapshot.
        judge_kb: of one group's.
    """

    cost: TocsinCost
    rows_per_block: float
    sense_kb: float
    judge_kb: float


class Many(msgspec.Struct, frozen=True):
    """`models` times `per_model_s` events per second, over `seconds`: without baselines, and with every model armed."""

    bare: Load
    armed: Load
    models: int
    per_model_s: int
    seconds: int


def measure(brokers: str, topic: str, seconds: int) -> Many:
    """Returns the cost of two paced runs of the same events."""
    traffic = Traffic(MODELS * PER_MODEL_S * seconds, models=MODELS, per_s=MODELS * PER_MODEL_S)
    bare = _load(brokers, topic, traffic, [])
    armed = _load(brokers, f"{topic}.armed", traffic, learned(traffic))
    return Many(bare, armed, MODELS, PER_MODEL_S, seconds)


def _load(brokers: str, topic: str, traffic: Traffic, baselines: Sequence[Baseline]) -> Load:
    events, values = traffic.events, list(records(replace(traffic, start_ms=int(time.time() * 1000))))
    create(brokers, topic)
    with Fleet(Kafka(brokers=brokers, prefix=f"{topic}."), topic, baselines) as fleet:
        producer = threading.Thread(target=pace, args=(brokers, topic, values, traffic.per_s), daemon=True)
        producer.start()
        samples = fleet.watch(lambda sample: sample.sensed >= events)
        producer.join()
        kb = {stage: fleet.snapshot_kb(stage) for stage in ("sense", "judge")}
    if baselines:
        counting_from(samples)
    # The processes start while the stream already runs, and every detector of every model is built once per shard (some
    # milliseconds for a forest): that is over by then.
    cost = cost_of(samples, warm=events // 2, last=int(events * 0.95))
    later = [sample for sample in samples if sample.framed >= events // 2]
    rows, blocks = later[-1].framed - later[0].framed, later[-1].blocks - later[0].blocks
    return Load(cost, rows / max(blocks, 1), kb["sense"], kb["judge"])

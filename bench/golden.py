"""Golden: the baselines of the benchmark's models, learned from other events of the same kind, and their promotion.

What is learned goes the way of an operator's recorded traffic: records, intake, sample, replay gate. The run is too short
for days to differ or for gates to say much; what a detector costs does not depend on that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from bench.events import Traffic, records
from models.baseline import Baseline
from streams.baselines.learning import learn_records
from streams.baselines.promoting import promote
from streams.intake.core import records_of_lines
from tocsin.config import Config, Kafka, RawTopic

KEY: Final = bytes(range(32))
"""The benchmark's deployments all have this one, so that a caller has the same hash in golden and in measured events."""
SEED_STEP: Final = 1_000
EVENTS: Final = 60_000
EVENTS_PER_MODEL: Final = 6_000
"""Golden events: so many of each model, and of all of them at least EVENTS."""
TOPIC: Final = "bench.golden"


def learned(traffic: Traffic) -> list[Baseline]:
    """Returns one baseline per model of the traffic.

    Args:
        traffic: what is measured; golden events have its rate, time, models and callers, and another seed.

    Raises:
        RuntimeError: they teach less than one baseline per model.
    """
    golden = replace(traffic, events=max(EVENTS, EVENTS_PER_MODEL * traffic.models), seed=traffic.seed + SEED_STEP)
    config = Config(topic=(RawTopic(TOPIC, "canonical"),), clock="event")
    found = learn_records(records_of_lines(records(golden), TOPIC), config, KEY, "other events of the benchmark's kind")
    if len(found.baselines) < traffic.models:
        raise RuntimeError(f"bench: golden events must teach {traffic.models} baselines; {found.refused}")
    return list(found.baselines)


def arm(baselines: Iterable[Baseline], kafka: Kafka) -> None:
    """Publishes the baselines and promotes them, armed.

    Raises:
        BrokerError: Kafka did not take one.
    """
    for baseline in baselines:
        promote(kafka, baseline, "armed", "bench", "golden events of the benchmark")

"""History: two calm weeks become the baseline that the show is held against, by the code an operator would run."""

from __future__ import annotations

from drills.play import play
from models.baseline import Baseline, hash_of
from streams.baselines.learning import learn_records
from streams.baselines.topic import publish_baseline
from streams.demo.show import TOPIC, Show
from streams.intake.core import records_of_lines
from streams.orders import send_order
from tocsin.config import Config, Kafka, RawTopic
from tocsin.control import Promote
from tocsin.errors import ConfigError


def learn_history(show: Show, config: Config, key: bytes) -> Baseline:
    """Returns the baseline of the show's history.

    Args:
        show: whose history.
        config: of the deployment.
        key: its key, by which callers are hashed.

    Raises:
        ConfigError: the history teaches nothing.
    """
    lines = (line for batch in play("calm", show.history) for line in batch.lines)
    settings = Config(topic=(RawTopic(TOPIC, "canonical"),), clock="event", detection=config.detection)
    learned = learn_records(records_of_lines(lines, TOPIC), settings, key, "two calm weeks")
    if not learned.baselines:
        raise ConfigError(f"demo: the history must teach a baseline; {learned.refused}")
    return learned.baselines[0]


def arm(baseline: Baseline, kafka: Kafka) -> None:
    """Publishes the baseline and puts it in force.

    Raises:
        BrokerError: Kafka did not take it.
    """
    publish_baseline(kafka, baseline)
    send_order(kafka, Promote(baseline.model, hash_of(baseline), "armed", "demo", "two calm weeks"))

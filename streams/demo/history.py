"""History: two calm weeks become the baseline that the show is held against, by the code an operator would run."""

from __future__ import annotations

from drills.play import play
from models.baseline import Baseline
from streams.baselines.learning import learn_records
from streams.demo.show import TOPIC, Show
from streams.intake.core import records_of_lines
from tocsin.config import Config, RawTopic
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

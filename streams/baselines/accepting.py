"""Accepting: the traffic since a change, read back from the ledger, as the next baseline."""

from __future__ import annotations

from collections.abc import Iterator

from models.baseline import Baseline
from streams.baselines.learning import built_from, samples_of
from streams.clients import topic_name
from streams.scan import scan
from tocsin.config import Config
from tocsin.errors import ConfigError
from tocsin.frame import Frame, decode_frame


def learn_since(config: Config, model: str, since_ts: int, origin: str) -> Baseline:
    """Returns the baseline of a model's events from this event time (Unix milliseconds) on, as far as frames are kept.

    Raises:
        ConfigError: they are too few.
        BrokerError: the frames cannot be read.
    """
    topic = topic_name(config.kafka, "frames")
    sample = samples_of(_frames(config, topic), model, since_ts).get(model)
    if sample is None or not sample.rows:
        raise ConfigError(
            f"{model}: no events since the onset are left in {topic}; they are kept as long as its retention says"
        )
    return built_from(sample, config, origin)


def _frames(config: Config, topic: str) -> Iterator[tuple[int, Frame]]:
    for message in scan(config.kafka, topic):
        shard = message.partition() or 0
        yield shard, decode_frame(message.value() or b"", f"{topic}-{shard}@{message.offset()}")

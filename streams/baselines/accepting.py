"""Accepting: the traffic since a change, read back from the ledger, as the next baseline."""

from __future__ import annotations

import numpy as np

from models.baseline import Baseline
from models.golden import Sample, build_baseline
from streams.clients import topic_name
from streams.scan import scan
from tocsin.config import Config
from tocsin.errors import ConfigError
from tocsin.frame import decode_frame
from tocsin.rows import rows_of


def learn_since(config: Config, model: str, since_ts: int, origin: str) -> Baseline:
    """Returns the baseline of a model's events from this event time (Unix milliseconds) on, as far as frames are kept.

    Raises:
        ConfigError: they are too few.
        BrokerError: the frames cannot be read.
    """
    sample, topic = Sample(), topic_name(config.kafka, "frames")
    for message in scan(config.kafka, topic):
        frame = decode_frame(message.value() or b"", f"{topic}-{message.partition()}@{message.offset()}")
        for block in frame.blocks:
            if block.kind == "inference" and block.model == model:
                rows = rows_of(block, frame.sources)
                sample.add(rows.select(np.asarray(rows.ts >= since_ts)))
    if not sample.rows:
        raise ConfigError(
            f"{model}: no events since the onset are left in {topic}; they are kept as long as its retention says"
        )
    return build_baseline(
        sample, zone=config.baseline.zone, alerts_per_model_month=config.detection.alerts_per_model_month, origin=origin
    )

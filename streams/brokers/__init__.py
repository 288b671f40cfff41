"""Brokers: how a process comes by one — an existing cluster, a local Apache Kafka, or a mock cluster inside itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from streams.admin import create_topics, wanted_topics
from streams.brokers.embedded import EmbeddedBroker
from streams.brokers.local import LocalKafka
from tocsin.config import Config

Kind = Literal["embedded", "kafka", "existing"]

BROKERS_VARIABLE = "TOCSIN_KAFKA_BROKERS"


def choose(asked: Kind | None, env: Mapping[str, str]) -> Kind:
    """Returns which broker to use: the one asked for, else an existing one that the environment names, else the embedded."""
    return asked or ("existing" if env.get(BROKERS_VARIABLE) else "embedded")


@contextlib.contextmanager
def open_broker(kind: Kind, config: Config, home: Path | None = None) -> Iterator[Config]:
    """Yields the configuration whose `[kafka]` reaches a running broker with every topic, the producers' included.

    Args:
        kind: `existing` takes `[kafka]` as it is.
        config: topics, shards, groups and prefix come from here.
        home: data directory of a local Kafka; without one its data ends with it.

    Raises:
        ConfigError: a local Kafka needs what this machine lacks.
        BrokerError: the broker did not start, or cannot be reached.
    """
    with contextlib.ExitStack() as stack:
        if kind == "embedded":
            wanted = {topic.name: topic.partitions for topic in wanted_topics(config, raw=True)}
            config = _with_brokers(config, stack.enter_context(EmbeddedBroker(wanted)).bootstrap)
        elif kind == "kafka":
            config = _with_brokers(config, stack.enter_context(LocalKafka(home)).bootstrap)
        if kind != "embedded":
            create_topics(config, raw=True)
        yield config


def _with_brokers(config: Config, brokers: str) -> Config:
    kafka = msgspec.structs.replace(
        config.kafka, brokers=brokers, replication=1, security="PLAINTEXT", username="", password=""
    )
    return msgspec.structs.replace(config, kafka=kafka)

"""Brokers that Tocsin brings along: a local Apache Kafka, and a mock cluster inside the process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from streams.admin import create_topics, wanted_topics
from streams.brokers.embedded import EmbeddedBroker
from streams.brokers.local import LocalKafka
from streams.doctor import groups
from tocsin.config import Config

Kind = Literal["embedded", "kafka"]


class Opened(NamedTuple):
    """A running broker.

    Attributes:
        config: its `[kafka]` reaches the broker.
        check: to be called every second: raises HoleError when the broker has dropped what Tocsin must still read.
    """

    config: Config
    check: Callable[[], None]


@contextlib.contextmanager
def open_broker(kind: Kind, config: Config, home: Path | None = None, port: int = 0) -> Iterator[Opened]:
    """Yields a running broker with every topic, the producers' included.

    Args:
        kind: which one.
        config: topics, shards, groups and prefix come from here.
        home: data directory of a local Kafka; without one its data ends with it.
        port: of a local Kafka; 0 takes a free one.

    Raises:
        ConfigError: a local Kafka needs what this machine lacks.
        BrokerError: the broker did not start.
    """
    if kind == "embedded":
        wanted = {topic.name: topic.partitions for topic in wanted_topics(config, raw=True)}
        with EmbeddedBroker(wanted) as embedded:
            yield Opened(_with_brokers(config, embedded.bootstrap), lambda: embedded.check(groups(config)))
    else:
        with LocalKafka(home, port=port) as local:
            opened = _with_brokers(config, local.bootstrap)
            create_topics(opened, raw=True)
            yield Opened(opened, _nothing)


def _with_brokers(config: Config, brokers: str) -> Config:
    kafka = msgspec.structs.replace(
        config.kafka, brokers=brokers, replication=1, security="PLAINTEXT", username="", password=""
    )
    return msgspec.structs.replace(config, kafka=kafka)


def _nothing() -> None:
    """A real Kafka drops records by retention alone, and intake and workers notice that themselves."""

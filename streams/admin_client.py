"""AdminClient: how we ask Kafka something — one connection, one timeout, one kind of error."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.clients import admin_settings
from tocsin.config import Kafka
from tocsin.errors import BrokerError

TIMEOUT_S: Final = 10.0

_LATELY: Final[deque[AdminClient]] = deque(maxlen=2)
"""Clients used last. librdkafka's own thread may still be returning from an answer when we let go of a client; were it the last
to hold it, it would destroy the client from inside, which librdkafka answers with abort()."""


@contextlib.contextmanager
def connect(kafka: Kafka) -> Iterator[AdminClient]:
    """Yields a client; every refusal inside the block becomes a BrokerError that names the brokers and the reason."""
    reasons: list[str] = []
    settings = {**admin_settings(kafka), "log_level": 0, "error_cb": lambda error: reasons.append(error.str())}
    admin = AdminClient(settings)
    _LATELY.append(admin)
    try:
        yield admin
    except KafkaException as error:
        # A refused login or a closed port reaches us only as a timeout; the callback has heard the reason.
        admin.poll(0)
        said = "; ".join(dict.fromkeys([error.args[0].str(), *reasons[:2]]))
        raise BrokerError(f"Kafka at {kafka.brokers}: {said}") from error


def result(future: Future[Any], *, ignore: int | None = None) -> Any:
    """Returns what a request led to; None when it failed with the error code to ignore."""
    try:
        return future.result(2 * TIMEOUT_S)
    except KafkaException as error:
        if ignore is None or error.args[0].code() != ignore:
            raise
        return None


def partitions(admin: AdminClient) -> dict[str, int]:
    """Returns every topic that we may see, and how many partitions it has."""
    return {name: len(topic.partitions) for name, topic in admin.list_topics(timeout=TIMEOUT_S).topics.items()}


def cluster_id(admin: AdminClient) -> str:
    """Returns the cluster's id, "" when it does not tell."""
    return admin.list_topics(timeout=TIMEOUT_S).cluster_id or ""


def is_mock(cluster: str) -> bool:
    """Returns whether a cluster id is the embedded broker's, which knows neither settings nor topic ids."""
    return cluster.startswith("mockCluster")

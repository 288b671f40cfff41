"""What end-to-end tests share: one real Kafka for the session, and a name prefix of its own for every test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import msgspec
import pytest

from streams.brokers.jars import missing_tools
from streams.brokers.local import LocalKafka
from tocsin.config import Kafka


def require_kafka() -> None:
    """Skips visibly where Java or Maven is missing; in CI that is a failure, or nothing would have been tested."""
    if missing := missing_tools():
        message = f"a real Kafka needs {' and '.join(missing)} on PATH"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session")
def kafka() -> Iterator[LocalKafka]:
    """A running broker that tests may not stop or kill; a test that must takes a `LocalKafka` of its own."""
    require_kafka()
    with LocalKafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def secure_kafka() -> Iterator[LocalKafka]:
    """A running broker that wants a login and knows ACLs; its `.kafka` logs in as administrator."""
    require_kafka()
    with LocalKafka(secure=True) as broker:
        yield broker


@pytest.fixture
def settings(kafka: LocalKafka) -> Kafka:
    """The `[kafka]` table for one test: topics of one test are invisible to the next."""
    return msgspec.structs.replace(kafka.kafka, prefix=f"t{uuid.uuid4().hex[:8]}.")

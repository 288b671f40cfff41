"""What end-to-end tests share: one real Kafka for the session, and a name prefix of its own for every test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams import admin_client
from streams.brokers.jars import missing_tools
from streams.brokers.local import LocalKafka
from streams.clients import consumer_settings
from streams.positions import watermarks
from tocsin.config import Kafka

READ_TIMEOUT_S = 20


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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that must fail do so after 2 s."""
    monkeypatch.setattr(admin_client, "TIMEOUT_S", 2.0)


def read_topic(kafka: Kafka, name: str, *, group: str = "") -> list[Message]:
    """Returns every record of a topic up to its present end: by partition, then by offset."""
    ends = {where: log for where, log in watermarks(kafka, [name]).items() if log.end > log.start}
    consumer = Consumer(
        {**consumer_settings(kafka, group or f"read-{uuid.uuid4().hex}", reset="earliest"), "enable.partition.eof": True}
    )
    found: list[Message] = []
    try:
        consumer.assign([TopicPartition(name, partition, log.start) for (_, partition), log in ends.items()])
        left = set(ends)
        while left:
            record = consumer.poll(READ_TIMEOUT_S)
            assert record is not None, f"{sorted(left)} must be readable within {READ_TIMEOUT_S} s"
            error = record.error()
            if error is None:
                found.append(record)
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard((str(record.topic()), int(record.partition() or 0)))
            else:
                raise KafkaException(error)
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.partition() or 0, record.offset() or 0))


def commit(kafka: Kafka, group: str, topic: str, partition: int, offset: int) -> None:
    """Sets a consumer group's position."""
    consumer = Consumer(consumer_settings(kafka, group))
    try:
        consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
    finally:
        consumer.close()

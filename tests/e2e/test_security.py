"""SCRAM-SHA-256 and ACLs on a real broker: a stage can do its job and nothing else, whichever client it uses."""

from __future__ import annotations

import asyncio
import uuid
from typing import NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, TopicAuthorizationFailedError
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from streams.acls import acls, apply_acls, create_user
from streams.admin import create_topics
from streams.brokers.local import LocalKafka
from streams.clients import aiokafka_settings, confluent_settings, consumer_settings, group_name, producer_settings, topic_name
from streams.positions import committed, watermarks
from tests.e2e.conftest import read_topic
from tocsin.config import Config, Kafka
from tocsin.errors import BrokerError

pytestmark = pytest.mark.kafka

FORBIDDEN = ("frames", "alerts", "proposals", "state_judge")
"""What sense must not be able to write: the ledger before it, the end of the line, its neighbour's state."""


class Site(NamedTuple):
    """A deployment with the derived permissions: as administrator, as `sense`, and as an intruder with a wrong password."""

    admin: Kafka
    sense: Kafka
    intruder: Kafka


@pytest.fixture(scope="module")
def site(secure_kafka: LocalKafka) -> Site:
    prefix, word = f"s{uuid.uuid4().hex[:8]}.", uuid.uuid4().hex
    admin, sense, intruder = (
        msgspec.structs.replace(login, prefix=prefix)
        for login in (secure_kafka.kafka, secure_kafka.login("sense", word), secure_kafka.login("sense", "wrong"))
    )
    config = Config(kafka=admin)
    create_topics(config)
    create_user(admin, "sense", word)
    apply_acls(admin, acls(config))
    ledger = Producer(producer_settings(admin))
    ledger.produce(topic_name(admin, "frames"), b"frame", partition=0)
    assert ledger.flush(20) == 0
    return Site(admin, sense, intruder)


def confluent_write(kafka: Kafka, topic: str) -> int:
    """Returns the error code of writing one record, 0 when it was written."""
    codes: list[int] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        codes.append(error.code() if error else 0)

    # Not the gapless producer: a refusal is fatal to that one, and comes out of flush() as an exception.
    producer = Producer({**confluent_settings(kafka), "enable.idempotence": True, "log_level": 0})
    producer.produce(topic, b"x", key=b"k", partition=0, on_delivery=delivered)
    producer.flush(20)
    return codes[0]


def confluent_read(kafka: Kafka, topic: str, group: str) -> bytes:
    consumer = Consumer({**consumer_settings(kafka, group, reset="earliest"), "log_level": 0})
    try:
        consumer.subscribe([topic])
        record = consumer.poll(20)
        assert record is not None, f"{topic} must answer within 20 s"
        if (error := record.error()) is not None:
            raise KafkaException(error)
        consumer.commit(message=record, asynchronous=False)
        return record.value() or b""
    finally:
        consumer.close()


def aiokafka_write(kafka: Kafka, topic: str) -> None:
    async def write() -> None:
        async with AIOKafkaProducer(enable_idempotence=True, **aiokafka_settings(kafka)) as producer:
            await producer.send_and_wait(topic, b"x", key=b"k", partition=0)

    asyncio.run(asyncio.wait_for(write(), 20))


def aiokafka_read(kafka: Kafka, topic: str, group: str) -> bytes:
    async def read() -> bytes:
        settings = {**aiokafka_settings(kafka), "group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": False}
        consumer = AIOKafkaConsumer(topic, **settings)
        try:
            # Not `async with`: a start that fails would leave its connection open.
            await consumer.start()
            record = await consumer.getone()
            await consumer.commit({TopicPartition(topic, record.partition): record.offset + 1})
            return record.value or b""
        finally:
            await consumer.stop()

    return asyncio.run(asyncio.wait_for(read(), 20))


def test_sense_reads_the_ledger_with_its_own_group_through_both_clients(site: Site) -> None:
    frames, group = topic_name(site.sense, "frames"), group_name(site.sense, "sense")
    assert aiokafka_read(site.sense, frames, group) == b"frame"
    assert committed(site.sense, group, [frames]) == {(frames, 0): 1}
    assert [record.value() for record in read_topic(site.sense, frames, group=group)] == [b"frame"]


def test_sense_writes_readings_and_its_own_state_through_both_clients(site: Site) -> None:
    for key in ("readings", "state_sense"):
        name = topic_name(site.sense, key)
        before = watermarks(site.admin, [name])[name, 0].end
        assert confluent_write(site.sense, name) == 0
        aiokafka_write(site.sense, name)
        assert watermarks(site.admin, [name])[name, 0].end == before + 2


@pytest.mark.parametrize("key", FORBIDDEN)
def test_sense_writes_nowhere_else_through_either_client(site: Site, key: str) -> None:
    name = topic_name(site.sense, key)
    before = watermarks(site.admin, [name])
    assert confluent_write(site.sense, name) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(TopicAuthorizationFailedError):
        aiokafka_write(site.sense, name)
    assert watermarks(site.admin, [name]) == before


def test_sense_cannot_read_findings(site: Site) -> None:
    alerts, group = topic_name(site.sense, "alerts"), group_name(site.sense, "sense")
    with pytest.raises(KafkaException, match="TOPIC_AUTHORIZATION_FAILED"):
        confluent_read(site.sense, alerts, group)
    with pytest.raises(TopicAuthorizationFailedError):
        aiokafka_read(site.sense, alerts, group)


def test_sense_cannot_move_the_position_of_another_group(site: Site) -> None:
    frames, group = topic_name(site.sense, "frames"), group_name(site.sense, "judge")
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        confluent_read(site.sense, frames, group)
    with pytest.raises(GroupAuthorizationFailedError):
        aiokafka_read(site.sense, frames, group)


def test_a_wrong_password_is_refused_and_said_so(site: Site, impatient: None) -> None:
    frames = topic_name(site.sense, "frames")
    with pytest.raises(BrokerError, match=r"(?i)authentication failed"):
        watermarks(site.intruder, [frames])
    with pytest.raises(KafkaConnectionError):
        aiokafka_read(site.intruder, frames, group_name(site.intruder, "sense"))

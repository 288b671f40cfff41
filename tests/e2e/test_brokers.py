"""The brokers that Tocsin brings along: they start, keep what they were told, and say loudly what they cannot."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Producer

from streams.admin import Difference, check_topics, create_topic, create_topics, delete_topics, topic_ids, wanted_topics
from streams.brokers import jars, open_broker
from streams.brokers.embedded import EmbeddedBroker
from streams.brokers.local import LocalKafka
from streams.clients import aiokafka_settings, group_name, producer_settings
from streams.positions import Ends, committed, watermarks
from tests.e2e.conftest import commit, read_topic, require_kafka
from tocsin.config import Config, Detection, Kafka, RawTopic
from tocsin.errors import BrokerError, ConfigError, Exit, HoleError


def test_a_missing_java_is_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"not found: java, mvn"):
        jars.class_path()


def fake_tools(folder: Path, mvn: str) -> str:
    """Returns a PATH on which java does nothing and mvn is this script; `$out` is where the jars belong."""
    find_out = 'for word in "$@"; do case "$word" in -DoutputDirectory=*) out="${word#*=}";; esac; done'
    for name, script in (("java", ""), ("mvn", f"echo run >> {folder}/runs\n{find_out}\n{mvn}")):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_jars_are_fetched_once_and_then_reused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jar = f"kafka_2.13-{jars.KAFKA_VERSION}.jar"
    monkeypatch.setenv("PATH", fake_tools(tmp_path, f'mkdir -p "$out" && : > "$out/{jar}"'))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert jars.class_path() == jars.class_path() == f"{jars.cache_dir()}/*"
    assert [path.name for path in jars.cache_dir().iterdir()] == [jar]
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_fetch_that_another_process_finished_first_takes_its_jars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jar = f"kafka_2.13-{jars.KAFKA_VERSION}.jar"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rival = f'mkdir -p "$out" {jars.cache_dir()} && : > "$out/{jar}" && : > {jars.cache_dir()}/theirs.jar'
    monkeypatch.setenv("PATH", fake_tools(tmp_path, rival))
    jars.class_path()
    assert [path.name for path in jars.cache_dir().iterdir()] == ["theirs.jar"]
    assert [path.name for path in jars.cache_dir().parent.iterdir()] == [jars.cache_dir().name], "nothing half fetched stays"


def test_a_fetch_that_failed_leaves_nothing_behind_and_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", fake_tools(tmp_path, 'mkdir -p "$out"; echo no route to the repository; exit 1'))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ConfigError, match="ended with 1: no route to the repository"):
        jars.class_path()
    assert list(jars.cache_dir().parent.iterdir()) == []


def test_the_embedded_broker_has_every_topic_with_the_partitions_that_the_config_wants() -> None:
    config = Config(topic=(RawTopic("fraud.events"),), detection=Detection(shards=3, groups=5), kafka=Kafka(prefix="demo."))
    with open_broker("embedded", config) as opened:
        assert check_topics(opened.config, raw=True) == []
        assert len(watermarks(opened.config.kafka, ["demo.tocsin.frames.v1"])) == 3
        assert len(watermarks(opened.config.kafka, ["fraud.events"])) == 4


def test_both_clients_share_the_embedded_broker() -> None:
    with EmbeddedBroker({"shared": 7}) as broker:

        async def send_and_read() -> tuple[bytes | None, int]:
            settings = aiokafka_settings(broker.kafka)
            async with AIOKafkaProducer(**settings) as producer:
                await producer.send_and_wait("shared", b"from aiokafka", partition=6)
            async with AIOKafkaConsumer("shared", auto_offset_reset="earliest", group_id="g", **settings) as consumer:
                record = await consumer.getone()
            return record.value, record.partition

        assert asyncio.run(asyncio.wait_for(send_and_read(), 30)) == (b"from aiokafka", 6)
        assert [record.value() for record in read_topic(broker.kafka, "shared")] == [b"from aiokafka"]


def test_a_reader_that_the_embedded_broker_left_behind_is_told_so() -> None:
    with EmbeddedBroker({"small": 1}) as broker:
        commit(broker.kafka, "slow", "small", 0, 1)
        broker.check({"slow": ("small",)})
        producer = Producer(producer_settings(broker.kafka))
        for _ in range(6_000):
            producer.produce("small", bytes(1_000), partition=0)
            producer.poll(0)
        assert producer.flush(20) == 0
        with pytest.raises(HoleError, match=r"small-0 keeps 5 MB.*group slow must read on at offset 1 but"):
            broker.check({"slow": ("small",)})


def test_a_broker_command_ends_with_71_when_a_reader_was_left_behind() -> None:
    command = [sys.executable, "-m", "streams.cli", "broker", "embedded", "--topic", "raw", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as broker:
        try:
            assert broker.stdout is not None
            kafka = Kafka(brokers=json.loads(broker.stdout.readline())["brokers"])
            commit(kafka, group_name(kafka, "intake"), "raw", 0, 1)
            producer = Producer(producer_settings(kafka))
            for _ in range(6_000):
                producer.produce("raw", bytes(1_000), partition=0)
                producer.poll(0)
            producer.flush(5)
            told, _ = broker.communicate(timeout=30)
        finally:
            broker.kill()
    assert broker.returncode == Exit.HOLE
    assert "raw-0 keeps 5 MB" in told


def test_the_embedded_broker_refuses_a_second_topic_of_the_same_name() -> None:
    with EmbeddedBroker({"once": 1}) as broker, pytest.raises(BrokerError, match="'once' must be new"):
        broker.create_topic("once", 2)


def test_the_embedded_broker_says_which_topics_it_can_no_longer_create() -> None:
    with EmbeddedBroker({}) as broker, pytest.raises(BrokerError, match="named then: late"):
        create_topic(broker.kafka, "late", 1)


@pytest.mark.kafka
def test_what_a_local_kafka_acknowledged_survives_kill_nine(tmp_path: Path) -> None:
    require_kafka()
    with LocalKafka(tmp_path / "kafka") as broker:
        address = broker.bootstrap
        create_topic(broker.kafka, "kept", 1)
        producer = Producer(producer_settings(broker.kafka))
        for number in range(100):
            producer.produce("kept", b"%d" % number, partition=0)
        assert producer.flush(20) == 0
        broker.kill()
        assert not broker.alive
        broker.start()
        assert broker.bootstrap == address
        assert [record.value() for record in read_topic(broker.kafka, "kept")] == [b"%d" % number for number in range(100)]


@pytest.mark.kafka
def test_a_port_taken_by_somebody_else_is_no_success(kafka: LocalKafka, tmp_path: Path) -> None:
    rival = LocalKafka(tmp_path / "rival", port=int(kafka.bootstrap.rpartition(":")[2]))
    with pytest.raises(BrokerError, match="ended while starting"), rival:
        pass
    assert not rival.alive


@pytest.mark.kafka
def test_created_topics_are_as_the_table_wants_them(settings: Kafka) -> None:
    config = Config(kafka=settings, topic=(RawTopic(f"{settings.prefix}raw"),))
    wanted = [topic.name for topic in wanted_topics(config, raw=True)]
    assert create_topics(config, raw=True) == wanted
    assert check_topics(config, raw=True) == []
    assert create_topics(config, raw=True) == []


@pytest.mark.kafka
def test_topics_made_by_hand_are_compared_with_what_tocsin_needs(settings: Kafka) -> None:
    config = Config(kafka=settings, topic=(RawTopic(f"{settings.prefix}raw"),))
    frames, state, raw = (f"{settings.prefix}{name}" for name in ("tocsin.frames.v1", "tocsin.state.sense.v1", "raw"))
    create_topic(settings, frames, 2, {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "1000000"})
    create_topic(settings, state, 4, {"cleanup.policy": "delete"})
    create_topic(settings, raw, 11)
    create_topics(config)
    found = check_topics(config, raw=True)
    assert Difference(frames, "partitions", "4", "2") in found
    assert Difference(frames, "max.message.bytes", "2097152", "1000000") in found
    assert Difference(state, "cleanup.policy", "compact", "delete") in found
    assert Difference(state, "min.compaction.lag.ms", "600000", "0") in found
    assert [difference for difference in found if difference.topic == raw] == [
        Difference(raw, "message.timestamp.type", "LogAppendTime", "CreateTime")
    ]


@pytest.mark.kafka
def test_a_topic_created_again_has_another_id(settings: Kafka) -> None:
    name = f"{settings.prefix}again"
    create_topic(settings, name, 1)
    first = topic_ids(settings, [name])
    assert first == topic_ids(settings, [name])
    delete_topics(settings, [name])
    create_topic(settings, name, 1)
    assert topic_ids(settings, [name]) != first


@pytest.mark.kafka
def test_ends_and_committed_positions_are_told_per_partition(settings: Kafka) -> None:
    name, group = f"{settings.prefix}ends", group_name(settings, "sense")
    create_topic(settings, name, 2)
    producer = Producer(producer_settings(settings))
    for _ in range(3):
        producer.produce(name, b"x", partition=1)
    assert producer.flush(20) == 0
    assert watermarks(settings, [name, "absent"]) == {(name, 0): Ends(0, 0), (name, 1): Ends(0, 3)}
    assert committed(settings, group, [name]) == {}
    commit(settings, group, name, 1, 2)
    assert committed(settings, group, [name]) == {(name, 1): 2}

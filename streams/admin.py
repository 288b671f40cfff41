"""Admin: topics as `TOPICS` wants them — created, compared with what is there, deleted, and told apart by their ids.

Everything here works against the embedded broker too, as far as that can: it creates topics itself and has neither
settings nor ids, so `check_topics` compares partition counts only and `topic_ids` derives ids from the cluster's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from streams.admin_client import TIMEOUT_S, cluster_id, connect, is_mock, partitions, result
from streams.clients import topic_name
from streams.positions import ends
from streams.topics import DAY_MS, TOPICS, Topic, partitions_of
from tocsin.config import Config, Kafka
from tocsin.errors import BrokerError

LEADER_TIMEOUT_S: Final = 30.0
RAW_PARTITIONS: Final = 4
RAW_RETENTION_MS: Final = 7 * DAY_MS
MAX_RECORD_BYTES: Final = 2 * 1024 * 1024
"""Frames end at 512 KiB and snapshot chunks below 1 MB; twice that leaves room for their envelopes."""

COMPACTION_LAG_MS: Final = 600_000
"""A restore that takes up to ten minutes still finds every chunk that the manifest it reads names."""


class Wanted(NamedTuple):
    """A topic as Tocsin needs it: full name, number of partitions, settings that differ from the broker's own."""

    name: str
    partitions: int
    settings: Mapping[str, str]


class Difference(NamedTuple):
    """What is not as it must be: topic, which setting (`topic`, `partitions` or a Kafka setting), wanted, found."""

    topic: str
    what: str
    wanted: str
    found: str


def topic_settings(topic: Topic, replication: int) -> dict[str, str]:
    """Returns the Kafka settings of one of our topics."""
    settings = {
        "cleanup.policy": topic.cleanup,
        # The broker's clock, one per partition and never going back, is the time that claims are checked against.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_RECORD_BYTES),
        # A leader that missed records would let a hole into the ledger.
        "unclean.leader.election.enable": "false",
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    if topic.cleanup == "compact":
        return {**settings, "min.compaction.lag.ms": str(COMPACTION_LAG_MS), "segment.ms": "3600000"}
    return {**settings, "retention.ms": str(topic.retention_ms)}


def raw_settings() -> dict[str, str]:
    """Returns the Kafka settings of a topic of inference events."""
    return {"message.timestamp.type": "LogAppendTime", "retention.ms": str(RAW_RETENTION_MS)}


def wanted_topics(config: Config, *, raw: bool = False) -> list[Wanted]:
    """Returns every topic that Tocsin needs, in the order of `TOPICS`; `raw` adds the producers' topics at the end."""
    shards, groups, replication = config.detection.shards, config.detection.groups, config.kafka.replication
    ours = [
        Wanted(topic_name(config.kafka, key), partitions_of(key, shards, groups), topic_settings(topic, replication))
        for key, topic in TOPICS.items()
    ]
    return ours + [Wanted(topic.name, RAW_PARTITIONS, raw_settings()) for topic in config.topic if raw]


def create_topics(config: Config, *, raw: bool = False) -> list[str]:
    """Creates what is missing and returns the names created; what exists stays as it is (see `check_topics`).

    Raises:
        BrokerError: Kafka cannot be reached, or refuses.
    """
    with connect(config.kafka) as admin:
        present = partitions(admin)
        missing = [topic for topic in wanted_topics(config, raw=raw) if topic.name not in present]
        _create(admin, missing, config.kafka)
    return [topic.name for topic in missing]


def create_topic(kafka: Kafka, name: str, partitions: int, settings: Mapping[str, str] | None = None) -> None:
    """Creates one topic and returns when it can be written and read; an existing one stays as it is.

    Raises:
        BrokerError: Kafka cannot be reached, or refuses.
    """
    with connect(kafka) as admin:
        _create(admin, [Wanted(name, partitions, settings or {})], kafka)


def check_topics(config: Config, *, raw: bool = False) -> list[Difference]:
    """Returns what differs from `wanted_topics`; empty when every topic is as it must be.

    The producers' topics may have any number of partitions and any retention, so of them only `message.timestamp.type`
    and their existence count.

    Raises:
        BrokerError: Kafka cannot be reached, or refuses.
    """
    with connect(config.kafka) as admin:
        present = partitions(admin)
        theirs = {topic.name for topic in config.topic}
        wanted = wanted_topics(config, raw=raw)
        settings = _settings(admin, [topic.name for topic in wanted if topic.name in present])
    return [found for topic in wanted for found in _differences(topic, topic.name in theirs, present, settings)]


def delete_topics(kafka: Kafka, names: Sequence[str]) -> None:
    """Deletes topics and returns when they are gone; one that does not exist is no error.

    Raises:
        BrokerError: Kafka cannot be reached, or refuses.
    """
    with connect(kafka) as admin:
        for future in admin.delete_topics(list(names), operation_timeout=TIMEOUT_S).values():
            result(future, ignore=KafkaError.UNKNOWN_TOPIC_OR_PART)
        deadline = time.monotonic() + LEADER_TIMEOUT_S
        while still := sorted(set(names) & set(partitions(admin))):
            if time.monotonic() > deadline:
                raise BrokerError(f"{still} must disappear within {LEADER_TIMEOUT_S:.0f} s after their deletion")
            time.sleep(0.05)


def topic_ids(kafka: Kafka, names: Sequence[str]) -> dict[str, str]:
    """Returns the id of each topic: a topic deleted and created again under its old name has a new one.

    Raises:
        BrokerError: a topic does not exist, or Kafka cannot be reached.
    """
    with connect(kafka) as admin:
        cluster = cluster_id(admin)
        if is_mock(cluster):
            # The mock cluster neither tells ids nor deletes topics: cluster and name identify a topic for its lifetime.
            return {name: f"{cluster}/{name}" for name in names}
        described = admin.describe_topics(TopicCollection(list(names))) if names else {}
        return {name: str(result(future).topic_id) for name, future in described.items()}


def _create(admin: AdminClient, topics: Sequence[Wanted], kafka: Kafka) -> None:
    if not topics:
        return
    cluster = cluster_id(admin)
    if is_mock(cluster):
        names = ", ".join(topic.name for topic in topics)
        raise BrokerError(f"the embedded broker creates its topics when it starts; these must have been named then: {names}")
    new = [NewTopic(topic.name, topic.partitions, kafka.replication, config=dict(topic.settings)) for topic in topics]
    for future in admin.create_topics(new, operation_timeout=TIMEOUT_S).values():
        result(future, ignore=KafkaError.TOPIC_ALREADY_EXISTS)
    _await_leaders(kafka, [TopicPartition(topic.name, p) for topic in topics for p in range(topic.partitions)])


def _await_leaders(kafka: Kafka, wanted: Sequence[TopicPartition]) -> None:
    """Waits until a new topic's partitions answer; metadata names a leader some moments before it knows its duty.

    Every attempt has a client of its own: one that asked while a topic of the same name was being deleted has gone on
    answering "No leaders found" for 30 s from its cache.
    """
    deadline = time.monotonic() + LEADER_TIMEOUT_S
    while True:
        try:
            with connect(kafka) as admin:
                ends(admin, wanted)
        except BrokerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _settings(admin: AdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names or is_mock(cluster_id(admin)):
        return {}
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names])
    return {resource.name: {k: str(v.value) for k, v in result(future).items()} for resource, future in asked.items()}


def _differences(
    topic: Wanted, theirs: bool, present: Mapping[str, int], settings: Mapping[str, Mapping[str, str]]
) -> list[Difference]:
    if topic.name not in present:
        return [Difference(topic.name, "topic", "exists", "missing")]
    found = settings.get(topic.name, {})
    checked = {"message.timestamp.type": topic.settings["message.timestamp.type"]} if theirs else topic.settings
    wrong = [
        Difference(topic.name, what, wanted, found[what])
        for what, wanted in checked.items()
        if what in found and found[what] != wanted
    ]
    if not theirs and present[topic.name] != topic.partitions:
        wrong.insert(0, Difference(topic.name, "partitions", str(topic.partitions), str(present[topic.name])))
    return wrong

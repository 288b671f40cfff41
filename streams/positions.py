"""Positions: where logs start and end, where consumer groups stand, and who has lost records in between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.admin_client import connect, partitions, result
from streams.clients import confluent_settings
from tocsin.config import Kafka

UNSET: Final = -1001  # librdkafka's OFFSET_INVALID: a group that has never committed for a partition

OFFICE_S: Final = 30.0
"""How long a healthy broker may take after its start until it knows where groups stand."""

NOT_YET: Final = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)
"""What it answers meanwhile."""


class Ends(NamedTuple):
    """Where a partition's log starts, and the offset that the next record will get."""

    start: int
    end: int


class Lost(NamedTuple):
    """A group's position below the start of its log: the records in between are gone."""

    topic: str
    partition: int
    position: int
    start: int


def watermarks(kafka: Kafka, names: Sequence[str]) -> dict[tuple[str, int], Ends]:
    """Returns start and end of every partition of these topics; topics that do not exist are left out.

    Raises:
        BrokerError: Kafka cannot be reached.
    """
    with connect(kafka) as admin:
        return ends(admin, _all_of(admin, names))


def committed(kafka: Kafka, group: str, names: Sequence[str]) -> dict[tuple[str, int], int]:
    """Returns the committed positions of a consumer group; partitions it has never committed for are left out.

    Raises:
        BrokerError: Kafka cannot be reached.
    """
    with connect(kafka) as admin:
        wanted = _all_of(admin, names)
        if not wanted:
            return {}
        found = _offsets(kafka, group, wanted)
    return {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset != UNSET and tp.error is None}


def lost_positions(kafka: Kafka, group: str, names: Sequence[str]) -> list[Lost]:
    """Returns where a group's committed position lies below the start of the log.

    Raises:
        BrokerError: Kafka cannot be reached.
    """
    positions, logs = committed(kafka, group, names), watermarks(kafka, names)
    return [Lost(*where, at, logs[where].start) for where, at in sorted(positions.items()) if at < logs[where].start]


def ends(admin: AdminClient, wanted: Sequence[TopicPartition]) -> dict[tuple[str, int], Ends]:
    """Returns start and end of the given partitions.

    Raises:
        KafkaException: a partition does not exist, or its leader does not answer yet.
    """
    if not wanted:
        return {}
    lows = admin.list_offsets(dict.fromkeys(wanted, OffsetSpec.earliest()))
    highs = admin.list_offsets(dict.fromkeys(wanted, OffsetSpec.latest()))
    low = {(tp.topic, tp.partition): result(future).offset for tp, future in lows.items()}
    return {(tp.topic, tp.partition): Ends(low[tp.topic, tp.partition], result(future).offset) for tp, future in highs.items()}


def _offsets(kafka: Kafka, group: str, wanted: list[TopicPartition]) -> list[TopicPartition]:
    """Returns a group's offsets, asked for by a consumer that does not join it.

    Not by an AdminClient: when a coordinator has just taken office, its answer ends that client's process (librdkafka 2.16:
    `rd_kafka_handle_OffsetFetch` takes the client for a member of a group).
    """
    deadline = time.monotonic() + OFFICE_S
    consumer = Consumer({**confluent_settings(kafka), "group.id": group, "enable.auto.commit": False, "log_level": 0})
    try:
        while True:
            try:
                return consumer.committed(wanted, timeout=OFFICE_S)
            except KafkaException as error:
                if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
    finally:
        consumer.close()


def _all_of(admin: AdminClient, names: Sequence[str]) -> list[TopicPartition]:
    present = partitions(admin)
    return [TopicPartition(name, partition) for name in names for partition in range(present.get(name, 0))]

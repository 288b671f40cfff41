"""Intake on a real Kafka: nothing skipped, nothing doubled above the watermark, losses named, recreated topics read anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import orjson
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.admin import create_topic, create_topics, delete_topics, topic_ids
from streams.clients import admin_settings, confluent_settings, group_name, topic_name
from streams.dlq import list_dead_letters, replay_dead_letters
from streams.intake.hooks import Silent
from streams.intake.intake import Intake
from streams.positions import committed
from streams.scan import scan
from tocsin.config import Config, Kafka, RawTopic
from tocsin.frame import Frame, decode_frame
from tocsin.ids import DEVELOPMENT_KEY, derive_key
from tocsin.rows import rows_of

pytestmark = pytest.mark.kafka
PATIENCE_S = 60.0


@pytest.fixture
def config(settings: Kafka) -> Config:
    """A deployment of one raw topic, with every topic it needs."""
    made = Config(kafka=settings, topic=(RawTopic(f"{settings.prefix}raw", "canonical"),), instance=f"{settings.prefix}one")
    create_topics(made, raw=True)
    return made


def event(number: int) -> bytes:
    return orjson.dumps(
        {
            "schema": "ml.inference.v1",
            "ts": time.time_ns() // 1_000_000,
            "model": {"name": "fraud", "version": "3"},
            "caller": {"id": f"acct-{number % 50}"},
            "features": {"amount": number},
        }
    )


def publish(config: Config, values: list[bytes | None], partition: int | None = None) -> None:
    producer = Producer(confluent_settings(config.kafka))
    for number, value in enumerate(values):
        producer.produce(config.topic[0].name, value, partition=number % 4 if partition is None else partition)
    assert producer.flush(20) == 0


@contextmanager
def running(config: Config) -> Iterator[Intake]:
    intake = Intake(config, derive_key(DEVELOPMENT_KEY, "caller"), Silent(), lambda: time.time_ns() // 1_000_000)
    yield intake
    intake.close()


def until(intake: Intake, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        for _ in range(20):
            intake.turn()
        assert time.monotonic() < deadline, "the condition must hold in time"


def frames(config: Config) -> list[Frame]:
    found = scan(config.kafka, topic_name(config.kafka, "frames"))
    return [decode_frame(message.value() or b"", f"frames-{message.partition()}@{message.offset()}") for message in found]


def places(found: list[Frame]) -> list[tuple[str, int, int]]:
    """(topic id, partition, position) of every row."""
    return [
        (frame.sources[source].topic_id, frame.sources[source].partition, int(position))
        for frame in found
        for block in frame.blocks
        for view in [rows_of(block, frame.sources)]
        for source, position in zip(view.source, view.position, strict=True)
    ]


def all_committed(config: Config, ends: dict[int, int]) -> Callable[[], bool]:
    name, group = config.topic[0].name, group_name(config.kafka, "intake")
    return lambda: committed(config.kafka, group, [name]) == {(name, number): end for number, end in ends.items()}


def test_every_record_is_in_frames_or_a_dead_letter_before_its_offset_is_committed(config: Config) -> None:
    publish(config, [event(number) if number % 100 else b"{" for number in range(2000)])
    with running(config) as intake:
        until(intake, all_committed(config, dict.fromkeys(range(4), 500)))
        assert len(set(places(frames(config)))) == 1980
        assert {letter.reason for letter in list_dead_letters(config)} == {"JSON"}
        assert len(list_dead_letters(config)) == 20


def test_a_restart_goes_on_where_the_last_commit_stands(config: Config) -> None:
    publish(config, [event(number) for number in range(100)])
    with running(config) as intake:
        until(intake, all_committed(config, dict.fromkeys(range(4), 25)))
    publish(config, [event(number) for number in range(100)])
    with running(config) as intake:
        until(intake, all_committed(config, dict.fromkeys(range(4), 50)))
    found = places(frames(config))
    assert len(found) == len(set(found)) == 200


def test_ticks_come_without_events(config: Config) -> None:
    publish(config, [event(1)], partition=0)
    with running(config) as intake:
        until(intake, lambda: max((len(frame.ticks) for frame in frames(config)), default=0) >= 4)
        until(intake, lambda: sum(bool(frame.ticks) for frame in frames(config) if frame.shard == 2) >= 2)


def test_what_retention_took_is_in_the_ledger_and_on_health(config: Config) -> None:
    name = config.topic[0].name
    publish(config, [event(number) for number in range(10)], partition=1)
    with running(config) as intake:
        until(intake, all_committed(config, {0: 0, 1: 10, 2: 0, 3: 0}))
    publish(config, [event(number) for number in range(20)], partition=1)
    admin = AdminClient(admin_settings(config.kafka))
    for future in admin.delete_records([TopicPartition(name, 1, 15)]).values():
        future.result(10)
    with running(config) as intake:
        until(intake, all_committed(config, {0: 0, 1: 30, 2: 0, 3: 0}))
    found = frames(config)
    gaps = [(frame.shard, gap.first, gap.last) for frame in found for gap in frame.gaps]
    assert sorted(gaps) == [(shard, 10, 14) for shard in range(4)]
    assert sorted(position >> 16 for _, _, position in places(found)) == [*range(10), *range(15, 30)]
    (loss,) = (orjson.loads(message.value() or b"") for message in scan(config.kafka, topic_name(config.kafka, "health")))
    assert (loss["kind"], loss["source"]) == ("telemetry_loss", f"{name}-1")


def test_retention_that_overtakes_a_running_intake_is_a_gap_too(config: Config) -> None:
    name = config.topic[0].name
    publish(config, [event(number) for number in range(10)], partition=1)
    with running(config) as intake:
        until(intake, all_committed(config, {0: 0, 1: 10, 2: 0, 3: 0}))
        publish(config, [event(number) for number in range(20)], partition=1)
        admin = AdminClient(admin_settings(config.kafka))
        for future in admin.delete_records([TopicPartition(name, 1, 30)]).values():
            future.result(10)
        publish(config, [event(number) for number in range(5)], partition=1)
        until(intake, all_committed(config, {0: 0, 1: 35, 2: 0, 3: 0}))
    found = frames(config)
    seen = {position >> 16 for _, _, position in places(found)}
    lost = {offset for frame in found if frame.shard == 0 for gap in frame.gaps for offset in range(gap.first, gap.last + 1)}
    assert seen | lost == set(range(35))
    assert not seen & lost


def test_a_recreated_topic_is_a_new_source_read_from_its_beginning(config: Config) -> None:
    name = config.topic[0].name
    publish(config, [event(number) for number in range(400)])
    with running(config) as intake:
        until(intake, all_committed(config, dict.fromkeys(range(4), 100)))
        first = topic_ids(config.kafka, [name])[name]
        delete_topics(config.kafka, [name])
        create_topic(config.kafka, name, 4, {"message.timestamp.type": "LogAppendTime"})
        second = topic_ids(config.kafka, [name])[name]
        publish(config, [event(number) for number in range(80)])
        until(intake, lambda: {place[0] for place in places(frames(config))} == {first, second})
        until(intake, all_committed(config, dict.fromkeys(range(4), 20)))
    found = places(frames(config))
    assert len(found) == len(set(found)) == 480
    assert sorted(place[1:] for place in found if place[0] == second) == [
        (number, offset << 16) for number in range(4) for offset in range(20)
    ]


def test_a_dead_letter_replayed_after_its_cause_was_mended_becomes_rows(config: Config) -> None:
    batch = orjson.dumps([orjson.loads(event(1)), {"schema": "ml.inference.v1"}, orjson.loads(event(2))])
    publish(config, [batch], partition=2)
    with running(config) as intake:
        until(intake, all_committed(config, {0: 0, 1: 0, 2: 1, 3: 0}))
    (letter,) = list_dead_letters(config)
    assert (letter.reason, letter.row, letter.offset) == ("MISSING", 1, 0)
    mended = msgspec.structs.replace(config, topic=(RawTopic(config.topic[0].name, "canonical", model="prod/fraud@3"),))
    assert replay_dead_letters(mended).sent == (letter,)
    with running(mended) as intake:
        until(intake, all_committed(config, {0: 0, 1: 0, 2: 2, 3: 0}))
    found = places(frames(config))
    assert sorted(position >> 16 for _, _, position in found) == [0, 0, 1]


def test_orders_reach_every_shard(config: Config) -> None:
    producer = Producer(confluent_settings(config.kafka))
    order = b'{"kind": "remove_silence", "body": {"id": "s-1", "author": "ana"}}'
    producer.produce(topic_name(config.kafka, "control"), order, partition=0)
    assert producer.flush(20) == 0
    with running(config) as intake:
        until(intake, lambda: len({frame.shard for frame in frames(config) if frame.controls}) == 4)

"""Several intake processes on a real Kafka: they share the raw partitions, and two of one name do not fight for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.admin import create_topics
from streams.clients import admin_settings, group_name
from streams.config_file import load
from streams.key_file import write_key
from streams.positions import committed
from tests.e2e.test_intake import event, frames, publish
from tocsin.config import Config, Kafka
from tocsin.errors import Exit
from tocsin.rows import rows_of

pytestmark = pytest.mark.kafka
PATIENCE_S = 60.0
SETTINGS = """\
[kafka]
brokers = "{brokers}"
prefix = "{prefix}"

[http]
intake_port = -1
worker_port = -1

[[topic]]
name = "{prefix}raw"
format = "canonical"
"""


@pytest.fixture
def home(settings: Kafka, tmp_path: Path) -> Path:
    """The directory of a deployment of one raw topic, with every topic it needs."""
    (tmp_path / "tocsin.toml").write_text(SETTINGS.format(brokers=settings.brokers, prefix=settings.prefix))
    write_key(tmp_path / "tocsin.key")
    create_topics(load(tmp_path / "tocsin.toml", {}), raw=True)
    return tmp_path


@contextmanager
def running(home: Path, instance: str, command: str = "intake") -> Iterator[subprocess.Popen[bytes]]:
    log = (home / f"{instance}-{time.monotonic_ns()}.log").open("wb")
    argv = [sys.executable, "-m", "streams.cli", command, "--config", str(home / "tocsin.toml")]
    with log, subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "TOCSIN_INSTANCE": instance}) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {PATIENCE_S:.0f} s"
        time.sleep(0.3)


def owned(config: Config) -> dict[str, int]:
    """Returns member of the intake group → how many partitions of the raw topic it has."""
    group, raw = group_name(config.kafka, "intake"), config.topic[0].name
    admin = AdminClient(admin_settings(config.kafka))
    try:
        described = admin.describe_consumer_groups([group])[group].result(20)
    except KafkaException:  # a coordinator that has just taken office
        return {}
    return {
        member.group_instance_id: sum(place.topic == raw for place in member.assignment.topic_partitions)
        for member in described.members
    }


def fresh_places(config: Config) -> list[tuple[int, int]]:
    """Returns (partition, position) of every row above its shard's watermark, as sense would take them."""
    marks: dict[tuple[int, int], int] = {}
    found = []
    for frame in frames(config):
        before = dict(marks)
        for block in frame.blocks:
            rows = rows_of(block, frame.sources)
            for source, position in zip(rows.source.tolist(), rows.position.tolist(), strict=True):
                place = (frame.shard, frame.sources[source].partition)
                if position > before.get(place, -1):
                    found.append((place[1], position))
                    marks[place] = max(position, marks.get(place, -1))
    return found


def all_read(config: Config, each: int) -> Callable[[], bool]:
    raw, group = config.topic[0].name, group_name(config.kafka, "intake")
    return lambda: committed(config.kafka, group, [raw]) == {(raw, number): each for number in range(4)}


def test_two_intakes_side_by_side_share_the_partitions_and_no_row_is_lost_or_counted_twice(home: Path) -> None:
    config = load(home / "tocsin.toml", {})
    with ExitStack() as stack:
        stack.enter_context(running(home, "one"))
        publish(config, [event(number) for number in range(4000)])
        until("the first must own everything", lambda: owned(config) == {"one-intake": 4})
        stack.enter_context(running(home, "two"))
        publish(config, [event(number) for number in range(4000)])
        until("both must own partitions", lambda: owned(config) == {"one-intake": 2, "two-intake": 2})
        publish(config, [event(number) for number in range(4000)])
        until("all must be committed", all_read(config, 3000))
    found = fresh_places(config)
    assert len(found) == len(set(found)) == 12_000


def test_a_second_process_of_the_same_instance_ends_the_first_one_for_good(home: Path) -> None:
    config = load(home / "tocsin.toml", {})
    with running(home, "same", "run") as first:
        until("the first must own everything", lambda: owned(config) == {"same-intake": 4})
        with running(home, "same") as second:
            assert first.wait(PATIENCE_S) == Exit.CONFIG, "its supervisor must not start it again: they would fence each other"
            publish(config, [event(number) for number in range(400)])
            until("the second must go on", all_read(config, 100))
            assert second.poll() is None
    said = b"".join(path.read_bytes() for path in home.glob("same-*.log"))
    assert b"another intake runs with the same `instance`" in said

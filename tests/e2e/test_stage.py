"""The stage shell on a real Kafka: kills, restarts, a second worker, a damaged snapshot, a record that kills."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Message, Producer

from streams.admin import create_topics
from streams.clients import group_name, producer_settings, topic_name
from streams.positions import committed, watermarks
from streams.scan import scan
from streams.stage.machine import Link, Machine, Record
from streams.stage.opening import choose
from streams.stage.restore import restore
from streams.stage.snapshots import Item, Origin, Shelf, chunk_key, write
from tests.helpers.counting import KEY, POISON, first, second
from tocsin.codec import json_bytes
from tocsin.config import Config, Detection, Kafka
from tocsin.ids import derive_key

pytestmark = pytest.mark.kafka

SHARDS = 2
PADDING = 50_000
"""Makes a snapshot three chunks long."""

SNAPSHOT_S = 0.4
ROOT = Path(__file__).parents[2]


class Deployment:
    """Two counting stages on their own topics, and the worker processes that run them."""

    def __init__(self, kafka: Kafka, home: Path) -> None:
        self.config = Config(kafka=kafka, detection=Detection(shards=SHARDS, groups=2), data_dir=str(home))
        self.home = home
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.frames: list[list[bytes]] = [[] for _ in range(SHARDS)]
        create_topics(self.config)
        self.producer = Producer(producer_settings(kafka))

    def feed(self, *frames: bytes) -> None:
        for number, frame in enumerate(frames):
            self.frames[number % SHARDS].append(frame)
            self.producer.produce(self.topic("frames"), frame, partition=number % SHARDS)
        self.producer.flush(10)

    def topic(self, key: str) -> str:
        return topic_name(self.config.kafka, key)

    def start(self, name: str, snapshot_s: float = SNAPSHOT_S) -> subprocess.Popen[bytes]:
        file = self.home / f"{name}.json"
        file.write_bytes(json_bytes(msgspec.structs.replace(self.config, instance=name)))
        arguments = [sys.executable, "-m", "tests.helpers.counting", str(file), str(snapshot_s), str(PADDING)]
        with (self.home / f"{name}.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=log)
        return self.workers[name]

    def kill(self, name: str) -> None:
        self.workers[name].kill()
        self.workers[name].wait(10)

    def stop(self, name: str) -> int:
        self.workers[name].send_signal(signal.SIGTERM)
        return self.workers[name].wait(20)

    def until(self, what: Callable[[], bool], seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                logs = "\n".join(log.read_text()[-3000:] for log in self.home.glob("*.log"))
                pytest.fail(f"not within {seconds} s; the workers said:\n{logs}")
            time.sleep(0.3)

    def drained(self) -> bool:
        return all(self._drained(stage, key) for stage, key in (("sense", "frames"), ("judge", "readings")))

    def _drained(self, stage: str, key: str) -> bool:
        done = committed(self.config.kafka, group_name(self.config.kafka, stage), [self.topic(key)])
        ends = watermarks(self.config.kafka, [self.topic(key)])
        return all(done.get(place, 0) == log.end for place, log in ends.items())

    def sent(self) -> int:
        return sum(log.end for log in watermarks(self.config.kafka, [self.topic("readings")]).values())

    def read(self, key: str) -> list[Message]:
        return list(scan(self.config.kafka, self.topic(key)))

    def straight(self) -> tuple[list[Machine], dict[tuple[int, int, int], bytes], dict[bytes, bytes]]:
        """Returns what an uninterrupted run over the same frames has: machines, readings by partition and cause, alerts."""
        machines = [first(PADDING).machine(shard, self.config) for shard in range(SHARDS)]
        readings, alerts = {}, {}
        for shard, machine in enumerate(machines):
            for offset, frame in enumerate(self.frames[shard]):
                if frame == POISON:
                    machine.refuse({offset})
                for send in machine.step(Record(f"{self.topic('frames')}-{shard}@{offset}", offset, frame)):
                    if send.topic == "readings":
                        readings[send.partition, shard, offset] = send.value
                    else:
                        alerts[send.key] = send.value
        return machines, readings, alerts

    def shelf(self, stage: str, key: str, partition: int) -> Shelf:
        shelf = Shelf(derive_key(KEY, "state"), stage, partition)
        shelf.add(Item(m.key() or b"", m.value()) for m in self.read(key) if m.partition() == partition)
        return shelf


@pytest.fixture
def deployment(settings: Kafka, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(settings, tmp_path)
    yield made
    for worker in made.workers.values():
        if worker.poll() is None:
            worker.kill()
            worker.wait(10)


def assert_exact(made: Deployment) -> int:
    """Everything equals an uninterrupted run; returns how many readings were repeated on the way."""
    machines, readings, alerts = made.straight()
    found: dict[tuple[int, int, int], set[bytes]] = {}
    raw = made.read("readings")
    for message in raw:
        value = message.value() or b""
        link = msgspec.msgpack.decode(value, type=Link)
        found.setdefault((message.partition() or 0, link.source, link.offset), set()).add(value)
    assert found == {place: {value} for place, value in readings.items()}
    said = [
        (m.key() or b"", m.value() or b"") for m in made.read("alerts") if made.topic("frames").encode() in (m.key() or b"")
    ]
    assert set(said) == set(alerts.items())
    for shard, machine in enumerate(machines):
        restored = choose(made.shelf("sense", "state_sense", shard))
        assert restored.complaints == ()
        assert restored.sections == machine.dump()
        assert len(restored.kept) <= 2
    assert_judge_exact(made, raw)
    return len(raw) - len(readings)


def assert_judge_exact(made: Deployment, raw: list[Message]) -> None:
    for group in range(2):
        machine = second().machine(group, made.config)
        for message in (m for m in raw if m.partition() == group):
            offset = message.offset() or 0
            machine.step(Record(f"{made.topic('readings')}-{group}@{offset}", offset, message.value() or b""))
        assert choose(made.shelf("judge", "state_judge", group)).sections == machine.dump()


def frames(start: int, count: int) -> list[bytes]:
    return [b"frame %d" % number for number in range(start, start + count)]


def test_kills_between_send_and_snapshot_repeat_the_same_bytes_and_lose_nothing(deployment: Deployment) -> None:
    deployment.feed(*frames(0, 600))
    deployment.start("w", snapshot_s=30)
    deployment.until(lambda: deployment.sent() >= 300)
    deployment.kill("w")  # sent, and no snapshot yet: all of it must come again
    deployment.start("w")
    deployment.feed(*frames(600, 300))
    already = deployment.sent()
    deployment.until(lambda: deployment.sent() > already)
    deployment.kill("w")
    deployment.start("w")
    deployment.until(deployment.drained)
    assert deployment.stop("w") == 0
    assert assert_exact(deployment) >= 300


def test_a_snapshot_far_from_the_end_of_its_topic_is_found(deployment: Deployment) -> None:
    topic, key = deployment.topic("state_sense"), derive_key(KEY, "state")
    machine = first().machine(0, deployment.config)
    origin = Origin("sense", "", "", "", "")
    for item in write(key, origin, 0, machine.applied, machine.links, machine.dump(), 100):
        deployment.producer.produce(topic, item.value, key=item.key, partition=0)
    for _ in range(1500):
        deployment.producer.produce(topic, b"", key=b"0/elsewhere", partition=0)
    deployment.producer.flush(10)
    start = restore(deployment.config.kafka, "sense", (topic, deployment.topic("frames")), 0, key)
    assert start.snapshot.sections == machine.dump()
    assert start.complaints == ()


def test_a_second_worker_joins_and_leaves_and_nothing_changes(deployment: Deployment) -> None:
    deployment.feed(*frames(0, 300))
    deployment.start("one")
    deployment.until(lambda: deployment.sent() >= 100)
    deployment.start("two")
    for start in range(300, 900, 100):
        deployment.feed(*frames(start, 100))
        time.sleep(0.4)
    deployment.until(lambda: "restored" in (deployment.home / "two.log").read_text())
    deployment.until(deployment.drained)
    assert deployment.stop("two") == 0
    deployment.feed(*frames(900, 200))
    deployment.until(deployment.drained)
    assert deployment.stop("one") == 0
    assert_exact(deployment)


def test_a_damaged_snapshot_is_refused_the_older_one_is_used_and_health_is_told(deployment: Deployment) -> None:
    deployment.start("w")
    for start in (0, 300):
        deployment.feed(*frames(start, 300))
        deployment.until(deployment.drained)
    assert deployment.stop("w") == 0
    newest, older = sorted((applied for applied, _ in choose(deployment.shelf("sense", "state_sense", 0)).kept), reverse=True)
    deployment.producer.produce(deployment.topic("state_sense"), b"not ours", key=chunk_key(0, newest, 1), partition=0)
    deployment.feed(*frames(600, 300))
    deployment.start("w")
    deployment.until(deployment.drained)
    assert deployment.stop("w") == 0
    assert assert_exact(deployment) == 0  # what the damaged snapshot knew was replayed in silence
    said = [(message.value() or b"").decode() for message in deployment.read("health")]
    assert any(f"replaying in silence up to offset {newest}" in text for text in said)
    assert f'"applied":{older}' in (deployment.home / "w.log").read_text().replace(" ", "")


def test_a_record_that_kills_the_worker_is_dead_lettered_and_the_rest_goes_on(deployment: Deployment) -> None:
    deployment.feed(*frames(0, 40), POISON, *frames(40, 39))
    deaths = 0
    worker = deployment.start("w")
    deadline = time.monotonic() + 60
    while not deployment.drained() and time.monotonic() < deadline:
        if worker.poll() == -signal.SIGKILL:
            deaths += 1
            worker = deployment.start("w")
        time.sleep(0.3)
    assert deployment.stop("w") == 0
    letters = {message.key(): message.value() or b"" for message in deployment.read("dead_letters")}
    assert list(letters) == [f"{deployment.topic('frames')}-0@20".encode()]
    assert deaths <= 6
    assert_exact(deployment)

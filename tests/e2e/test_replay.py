"""Replay against a real Kafka: what the folds say offline is what they said live."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from drills.plan import Plan
from streams.admin import create_topics
from streams.baselines.chunks import baselines_in
from streams.brokers.local import LocalKafka
from streams.capture import capture
from streams.capture_file import Captured, read_capture
from streams.clients import topic_name
from streams.config_file import load
from streams.curator.standing import standings_of
from streams.demo.tail import Tail
from streams.key_file import read_key, write_key
from streams.positions import watermarks
from streams.recheck import Incident, incidents_of, recheck, recheck_incidents
from streams.replay import replay_file
from streams.replay_report import lines
from streams.simulate import Sent, simulate_to_topic
from streams.stage.machine import Link
from tests.e2e.conftest import require_kafka
from tocsin.codec import unpack
from tocsin.config import Config
from tocsin.reading import Readings

pytestmark = pytest.mark.kafka

WAIT_S = 90.0
SETTINGS = """\
[kafka]
brokers = "{brokers}"
prefix = "replay."

[detection]
shards = 2

[baseline]
rows = 4000

[http]
intake_port = -1
worker_port = -1
curator_port = -1

[[topic]]
name = "replay.events"
format = "canonical"
"""


class Ran(msgspec.Struct):
    """A deployment that has done its work: its configuration, how much was sent, the part with the attack, and the capture."""

    config: Config
    key: bytes
    events: int
    sent: Sent
    file: Path
    records: list[Captured]


def wait_for(what: str, condition: Iterator[bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not next(condition):
        assert time.monotonic() < deadline, f"{what} within {WAIT_S:.0f} s"


def all_watched(tail: Tail, events: int) -> Iterator[bool]:
    watched = 0
    while True:
        watched += tail.listen(0.2).watched
        yield watched >= events


def promoted(config: Config) -> Iterator[bool]:
    while True:
        yield bool(standings_of(config.kafka))
        time.sleep(0.5)


def at_rest(config: Config) -> Iterator[bool]:
    """Says whether the topics behind the folds have not grown for two seconds."""
    names = [topic_name(config.kafka, key) for key in ("readings", "signals", "alerts")]
    before = None
    while True:
        now = watermarks(config.kafka, names)
        yield now == before
        before = now
        time.sleep(2.0)


def start(role: str, config: Path) -> subprocess.Popen[bytes]:
    with (config.parent / f"{role}.log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "streams.cli", role, "--config", str(config)], stdout=log, stderr=log)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    require_kafka()
    home = tmp_path_factory.mktemp("replay")
    with LocalKafka() as broker:
        (home / "tocsin.toml").write_text(SETTINGS.format(brokers=broker.bootstrap))
        write_key(home / "tocsin.key")
        config = load(home / "tocsin.toml", {})
        create_topics(config, raw=True)
        processes = {role: start(role, home / "tocsin.toml") for role in ("intake", "worker", "curator")}
        try:
            # A baseline comes into force between the two parts: from then on what follows is held against it.
            calm = Plan(rate=95.0, seconds=60.0, callers=8000, seed=3, start_ms=int(time.time() * 1000) - 260_000)
            before = simulate_to_topic("calm", calm, config.kafka, "replay.events", speed=10.0)
            wait_for("a baseline must be promoted", promoted(config))
            plan = Plan(
                rate=95.0,
                seconds=200.0,
                callers=8000,
                attack_events=500,
                seed=3,
                onset=0.7,
                until=0.8,
                start_ms=int(time.time() * 1000) - 200_000,
            )
            # Ten times as fast as it happened: partitions stay in step, and no claim is five minutes from its append time.
            sent = simulate_to_topic("probe", plan, config.kafka, "replay.events", speed=10.0)
            with Tail(config.kafka) as tail:
                wait_for("all events must be watched", all_watched(tail, before.events + sent.events))
            stop(processes["intake"])
            wait_for("the folds must come to rest", at_rest(config))
        finally:
            for process in processes.values():
                stop(process)
        capture(config, home / "capture.jsonl")
        records = list(read_capture(home / "capture.jsonl"))
        yield Ran(config, read_key(config, {}), before.events + sent.events, sent, home / "capture.jsonl", records)


def test_every_record_sent_is_in_the_capture(ran: Ran) -> None:
    assert sum(record.role == "raw" for record in ran.records) == ran.events


def test_captured_frames_readings_and_signals_replay_byte_for_byte(ran: Ran) -> None:
    compared = recheck(ran.records, ran.config)
    assert all(found.equal for found in compared), compared
    assert all(found.captured > 0 for found in compared), compared


def test_in_the_middle_of_it_the_curator_put_a_baseline_in_force(ran: Ran) -> None:
    found = baselines_in(((r.key or b"", r.value or b"") for r in ran.records if r.role == "baselines"), "capture")
    orders = [msgspec.json.decode(r.value or b"")["body"] for r in ran.records if r.role == "control"]
    assert [(order["author"], order["ladder"]) for order in orders] == [("curator", "provisional")] * len(found)
    assert {order["baseline"] for order in orders} == set(found)
    links = [unpack(r.value or b"", Link, "readings") for r in ran.records if r.role == "readings"]
    counts = [counts for link in links for counts in unpack(link.body, Readings, "readings").counts]
    assert sum(one.rows for one in counts) > 4_000
    assert {one.baseline for one in counts} == set(found)


def test_captured_raw_records_lead_to_the_same_incidents(ran: Ran) -> None:
    assert recheck_incidents(ran.records, ran.config, ran.key) == (Counter(), Counter())


def test_the_attacker_is_among_the_incidents(ran: Ran) -> None:
    replay, _ = replay_file(ran.file, ran.config, key=ran.key)
    hashes = {caller: hash64 for hash64, (caller, _) in replay.callers.items()}
    [attacker] = ran.sent.truth.callers
    assert Incident(ran.sent.truth.model, "probing", (hashes[attacker],)) in incidents_of(replay.findings)


def test_the_same_capture_twice_gives_the_same_bytes(ran: Ran) -> None:
    first, second = (lines(*replay_file(ran.file, ran.config, key=ran.key)) for _ in range(2))
    assert first == second

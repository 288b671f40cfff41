"""An operator's day on a real Kafka: topics, doctor, silences, findings, processes that say how they are and stop when told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from confluent_kafka import Producer

from drills.card_fraud import MODEL
from drills.plan import Plan
from drills.play import play
from streams.brokers.local import free_port
from streams.cli import main
from streams.clients import confluent_settings, topic_name
from streams.config_file import load
from streams.intake.core import frames_of, records_of_lines
from streams.orders import read_orders
from streams.scan import scan
from streams.simulate import simulate_to_file
from tocsin.config import Config, Kafka, RawTopic
from tocsin.control import CloseFinding, Promote, RemoveSilence, Silence
from tocsin.errors import Exit
from tocsin.frame import encode_frame

pytestmark = pytest.mark.kafka

CALM = Plan(rate=0.02, seconds=2 * 86_400.0, seed=4, callers=300)
FINDING = {
    "time": 1_767_571_200_000,
    "severity": "High",
    "status": "New",
    "message": "API key \u202ex asked too often. For data scientists: probe_rate",
    "metadata": {"uid": "record-1", "event_code": "probing"},
    "finding_info": {"uid": "incident-1"},
}


@pytest.fixture
def home(settings: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory as `tocsin init` leaves it, with every topic created."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_KAFKA_BROKERS", settings.brokers)
    monkeypatch.setenv("TOCSIN_KAFKA_PREFIX", settings.prefix)
    monkeypatch.setenv("USER", "ana")
    assert main(["init", "--topic", f"{settings.prefix}scores"]) == 0
    assert main(["topics", "create", "--raw"]) == 0
    return tmp_path


def said(capfd: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    capfd.readouterr()
    code = main(args)
    return code, capfd.readouterr().out


@pytest.mark.usefixtures("home")
def test_a_fresh_installation_is_healthy_and_a_second_create_changes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert said(capfd, "topics", "create", "--raw", "--json") == (0, '{"created":[]}\n')
    assert said(capfd, "topics", "check", "--raw", "--json") == (0, '{"differences":[],"ok":true}\n')
    code, out = said(capfd, "doctor", "--json")
    assert [check for check in json.loads(out)["checks"] if check["status"] != "ok"] == []
    assert code == 0


def test_a_silence_is_added_listed_and_removed_through_the_control_topic(
    home: Path, settings: Kafka, capfd: pytest.CaptureFixture[str]
) -> None:
    del home
    added = json.loads(said(capfd, "silence", "add", "--model", "a/b", "--until", "2h", "--reason", "load test", "--json")[1])
    listed = json.loads(said(capfd, "silence", "list", "--json")[1])["silences"]
    assert listed == [added["silence"]]
    assert said(capfd, "silence", "remove", listed[0]["id"])[0] == 0
    assert json.loads(said(capfd, "silence", "list", "--json")[1]) == {"silences": []}
    assert said(capfd, "silence", "remove", listed[0]["id"])[0] == 2
    first, second = read_orders(settings)
    assert isinstance(first, Silence)
    assert second == RemoveSilence(first.id, "ana")


def test_findings_are_listed_shown_and_closed_by_the_beginning_of_their_id(
    home: Path, settings: Kafka, capfd: pytest.CaptureFixture[str]
) -> None:
    del home
    producer = Producer(confluent_settings(settings))
    for status in ("New", "In Progress"):
        producer.produce(topic_name(settings, "alerts"), json.dumps({**FINDING, "status": status}), partition=1)
    producer.produce(topic_name(settings, "alerts"), b"not json", partition=0)
    assert producer.flush(10) == 0
    code, out = said(capfd, "alerts", "tail", "--no-follow")
    assert code == 0
    assert [line.split()[4] for line in out.splitlines()] == ["new", "in"]
    assert "\u202e" not in out
    code, out = said(capfd, "alerts", "show", "incid", "--json")
    assert (code, json.loads(out)["status"]) == (0, "In Progress")
    assert said(capfd, "alerts", "close", "record", "--as", "expected", "--reason", "planned")[0] == 0
    assert read_orders(settings) == [CloseFinding("incident-1", "expected", "ana", "planned")]
    assert said(capfd, "alerts", "show", "other")[0] == 2


def test_a_baseline_is_promoted_found_again_and_covers_its_model(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    simulate_to_file("calm", CALM, home / "calm.jsonl")
    built = json.loads(said(capfd, "baseline", "build", "calm.jsonl", "--json")[1])
    promoted = json.loads(said(capfd, "baseline", "promote", built["file"], "--reason", "looked at", "--json")[1])
    assert (promoted["model"], promoted["baseline"], promoted["ladder"]) == (MODEL, built["hash"], "armed")
    for name in (built["hash"][:10], MODEL, MODEL.partition("@")[0]):
        assert json.loads(said(capfd, "baseline", "show", name, "--json")[1])["hash"] == built["hash"]
    code, _ = said(capfd, "baseline", "show", "nobody/knows@1")
    assert code == Exit.CONFIG
    covered = json.loads(said(capfd, "coverage", "--json")[1])
    assert (covered["model"], covered["ladder"], covered["author"]) == (MODEL, "armed", "ana")
    assert said(capfd, "coverage", "payments/card-fraud")[1].startswith(f"{MODEL}: armed")


def test_what_came_after_a_finding_is_accepted_as_the_next_provisional_baseline(
    home: Path, settings: Kafka, capfd: pytest.CaptureFixture[str]
) -> None:
    finding = {**FINDING, "start_time": CALM.at_ms(0.5), "resources": [{"uid": MODEL}]}
    config, producer = load(home / "tocsin.toml", os.environ), Producer(confluent_settings(settings))
    lines = (line for batch in play("calm", CALM) for line in batch.lines)
    raw = Config(topic=(RawTopic("raw", "canonical"),), clock="event", detection=config.detection)
    for shard, frame in frames_of(records_of_lines(lines, "raw"), raw, bytes(32), ticking=False):
        producer.produce(topic_name(settings, "frames"), encode_frame(frame), partition=shard)
    producer.produce(topic_name(settings, "alerts"), json.dumps(finding).encode(), partition=0)
    assert producer.flush(30) == 0
    accepted = json.loads(said(capfd, "baseline", "accept", "incident", "--json")[1])
    assert accepted["ladder"] == "provisional"
    half = sum(ts >= CALM.at_ms(0.5) for batch in play("calm", CALM) for ts in batch.ts)
    assert accepted["rows"] == half
    [order] = [order for order in read_orders(settings) if isinstance(order, Promote)]
    assert (order.model, order.baseline, order.ladder) == (MODEL, accepted["baseline"], "provisional")
    assert order.reason == "finding incident-1 accepted"


def test_run_keeps_intake_worker_and_curator_going_until_it_is_told_to_stop(home: Path, settings: Kafka) -> None:
    ports = {f"TOCSIN_HTTP_{role}_PORT": str(free_port()) for role in ("INTAKE", "WORKER", "CURATOR")}
    with (home / "run.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "streams.cli", "run"], env={**os.environ, **ports}, stderr=log)
    try:
        for port in ports.values():
            wait_until_ready(process, int(port))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    beats = [json.loads(message.value() or b"{}") for message in scan(settings, topic_name(settings, "health"))]
    assert {beat["source"] for beat in beats if beat["kind"] == "heartbeat"} == {
        f"{role}/tocsin-1" for role in ("intake", "worker", "curator")
    }
    lines = [json.loads(line) for line in (home / "run.log").read_bytes().splitlines()]
    assert {line["service"] for line in lines} >= {"tocsin-run", "tocsin-worker"}
    assert [line for line in lines if line["level"] in ("error", "critical")] == []


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Returns when /readyz says yes; fails when the process ended or a minute is over."""
    for _ in range(300):
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("not ready after a minute")

"""`tocsin exposure` from the command line: on a file, and on what the frames topic holds."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from drills.card_fraud import MODEL
from drills.plan import Plan
from models.baseline import Baseline, encode_baseline
from streams.baselines.files import write_baseline
from streams.cli.app import main
from streams.clients import confluent_settings, topic_name
from streams.config_file import load
from streams.intake.core import frames_of
from streams.raw_events import events_of_file
from streams.simulate import simulate_to_file
from tests.helpers.baselines import baseline_of
from tocsin.config import Config, Kafka
from tocsin.errors import Exit
from tocsin.frame import encode_frame
from tocsin.ids import DEVELOPMENT_KEY, derive_key
from tocsin.rows import rows_of

PLAN = Plan(rate=2.0, seconds=1_200.0, seed=5, callers=50)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with twenty calm minutes of one model, and a baseline of its first rows."""
    folder = tmp_path_factory.mktemp("exposure")
    simulate_to_file("calm", PLAN, folder / "calm.jsonl")
    write_baseline(folder / "calm.baseline", encode_baseline(_baseline(folder / "calm.jsonl")))
    return folder


def _baseline(path: Path) -> Baseline:
    settings, events = events_of_file(path, Config())
    frames = (frame for _, frame in frames_of(events.records(), settings, derive_key(DEVELOPMENT_KEY, "caller")))
    blocks = (rows_of(block, frame.sources) for frame in frames for block in frame.blocks if block.kind == "inference")
    return baseline_of(max(blocks, key=len), watches=("confidence", "envelope"))


def test_a_file_and_its_baseline_tell_how_much_was_seen(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["exposure", str(folder / "calm.jsonl"), "--baseline", str(folder / "calm.baseline"), "--json"]) == Exit.OK
    told = orjson.loads(capfd.readouterr().out)
    assert told["together"]["questions"] > 2_000
    assert 0.9 < told["together"]["coverage"] <= 1.0
    assert told["majority"] <= told["together"]["fidelity"] <= 1.0
    assert len(told["top"]) == 20
    assert told["top"][0]["coverage"] < told["together"]["coverage"]


def test_people_are_told_a_sentence_and_a_table(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["exposure", str(folder / "calm.jsonl"), "--baseline", str(folder / "calm.baseline")]) == Exit.OK
    lines = capfd.readouterr().out.splitlines()
    assert "callers together have seen" in lines[0]
    assert lines[1] == "caller\tquestions\tseen\tcan imitate"
    assert len(lines) == 22


@pytest.mark.kafka
def test_a_model_in_force_is_told_from_the_frames_that_kafka_holds(
    folder: Path, settings: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_KAFKA_BROKERS", settings.brokers)
    monkeypatch.setenv("TOCSIN_KAFKA_PREFIX", settings.prefix)
    assert main(["init", "--topic", f"{settings.prefix}scores"]) == Exit.OK
    assert main(["topics", "create"]) == Exit.OK
    assert main(["baseline", "promote", str(folder / "calm.baseline"), "--author", "ana"]) == Exit.OK
    lines, events = events_of_file(folder / "calm.jsonl", load(tmp_path / "tocsin.toml", os.environ))
    producer = Producer(confluent_settings(settings))
    for shard, frame in frames_of(events.records(), lines, derive_key(DEVELOPMENT_KEY, "caller"), ticking=False):
        producer.produce(topic_name(settings, "frames"), encode_frame(frame), partition=shard)
    assert producer.flush(30) == 0
    capfd.readouterr()
    assert main(["exposure", "--model", MODEL, "--json"]) == Exit.OK
    from_kafka = orjson.loads(capfd.readouterr().out)
    assert main(["exposure", str(folder / "calm.jsonl"), "--baseline", str(folder / "calm.baseline"), "--json"]) == Exit.OK
    from_file = orjson.loads(capfd.readouterr().out)
    assert from_kafka["together"]["questions"] == from_file["together"]["questions"]
    assert from_kafka["together"]["coverage"] == from_file["together"]["coverage"]
    assert from_kafka["top"][0] == from_file["top"][0] | {"fidelity": from_kafka["top"][0]["fidelity"]}


@pytest.mark.parametrize("given", [[], ["--model", "a/b@1", "x.jsonl"], ["x.jsonl"]])
def test_a_file_needs_its_baseline_and_a_model_stands_alone(given: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["exposure", *given]) == Exit.CONFIG
    assert "expected FILE with --baseline, or --model alone" in capfd.readouterr().err

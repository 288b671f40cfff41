"""`tocsin exposure` from the command line, on a file, without Kafka."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from drills.plan import Plan
from models.baseline import Baseline, encode_baseline
from streams.baselines.files import write_baseline
from streams.cli.app import main
from streams.intake.core import frames_of
from streams.raw_events import events_of_file
from streams.simulate import simulate_to_file
from tests.helpers.baselines import baseline_of
from tocsin.config import Config
from tocsin.errors import Exit
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


@pytest.mark.parametrize("given", [[], ["--model", "a/b@1", "x.jsonl"], ["x.jsonl"]])
def test_a_file_needs_its_baseline_and_a_model_stands_alone(given: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["exposure", *given]) == Exit.CONFIG
    assert "expected FILE with --baseline, or --model alone" in capfd.readouterr().err

"""membership_probe: whoever asks for training records word for word is found; a baseline proves nothing about one record."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from drills.plan import Plan
from models.baseline import Baseline
from models.fingerprints import SPREAD, Fingerprints, built, marks_of
from models.fingerprints_fit import fit
from models.golden_sample import Golden, Sample
from models.membership_probe import MembershipProbe
from streams.baselines.files import read_baseline
from streams.baselines.learning import training_of
from streams.cli.app import main
from streams.simulate import simulate_to_file
from tests.helpers.baselines import baseline_of
from tests.helpers.traffic import MODEL, cut, hash_of, join, poisson, rows_at, steady
from tests.helpers.trial_membership_probe import ASKER, TRAINING_ROWS, training_rows
from tocsin.clock import Clock
from tocsin.config import Config
from tocsin.errors import ConfigError, Exit, StateError
from tocsin.ids import DEVELOPMENT_KEY
from tocsin.reading import Reading
from tocsin.rows import Rows

SALT = bytes(range(16))
ALERTS = 0.05


@cache
def golden(training: bool = True) -> Golden:
    sample = Sample()
    sample.training = training_rows() if training else None
    sample.add(rows_at(*poisson(99, 1_000, 0.05, 1_200), seed=99))
    return sample.golden()


@cache
def baseline() -> Baseline:
    bare = baseline_of(golden().rows, watches=("feature",))
    return msgspec.structs.replace(bare, fingerprints=fit(golden(), bare, ALERTS)[0])


def fingerprints() -> Fingerprints:
    found = baseline().fingerprints
    assert found is not None
    return found


def asking(share: float, questions: int, *, same: bool = False) -> Rows:
    """Returns calm rows, among them one caller of whose questions this share are training rows, or one of them always."""
    rows = rows_at(*join(poisson(1, 500, 0.02, 1_200), steady(ASKER, 300.0, 2.0, questions)), seed=3)
    mine = np.flatnonzero(rows.hash == hash_of(np.array([ASKER]))[0])
    rng = np.random.default_rng(6)
    members = mine[rng.random(len(mine)) < share]
    values = rows.values.copy()
    which = np.zeros(len(members), np.int64) if same else rng.choice(TRAINING_ROWS, len(members), replace=False)
    values[:, members] = training_rows().values[:, which]
    return replace(rows, values=values)


def found(rows: Rows, held: Baseline | None = None, shards: int = 1) -> list[Reading]:
    probe = MembershipProbe(ALERTS, shards, {MODEL: baseline() if held is None else held})
    return [reading for block in cut(rows, 256) for reading in probe.observe(block, Clock())]


def hits(one: Fingerprints, values: NDArray[np.float32]) -> NDArray[np.bool_]:
    return marks_of(one, len(values)).hits(values)[0]


def test_three_questions_in_ten_that_are_training_rows_are_found_within_sixty_questions() -> None:
    first = found(asking(0.3, 400))[0]
    assert first.caller is not None
    assert first.caller.hash == int(hash_of(np.array([ASKER]))[0])
    assert int(first.evidence["asked"]) <= 60
    assert str(first.evidence["confidence"]).startswith("low")
    assert float(first.evidence["hit_share"]) > 5 * float(first.evidence["golden_hit_share"])


def test_a_caller_who_asks_for_none_of_them_is_passed_over() -> None:
    assert found(asking(0.0, 2_000)) == []


def test_one_training_row_asked_again_and_again_is_one_question() -> None:
    assert found(asking(1.0, 400, same=True)) == []


def test_shards_share_the_budget() -> None:
    one, four = found(asking(0.3, 400)), found(asking(0.3, 400), shards=4)
    assert four[0].statistic < 4 * one[0].threshold
    assert four[0].ts >= one[0].ts


def test_without_fingerprints_it_is_blind_and_the_gate_says_so() -> None:
    assert found(asking(1.0, 400), msgspec.structs.replace(baseline(), fingerprints=None)) == []
    made, gate = fit(golden(training=False), baseline(), ALERTS)
    assert made is None
    assert gate.says.startswith("blind: training rows (tocsin baseline build --training FILE) needed")
    assert not gate.armed


def test_golden_traffic_that_was_trained_on_leaves_it_advisory() -> None:
    trained = replace(golden(), training=golden().rows)
    made, gate = fit(trained, baseline(), ALERTS)
    assert made is not None
    assert made.base == 1.0
    assert not gate.armed
    assert "100% of rows are some" in gate.says


def test_it_is_armed_on_golden_traffic_that_the_model_did_not_learn_from() -> None:
    assert fit(golden(), baseline(), ALERTS)[1].armed


def test_every_training_row_hits_and_one_stranger_in_sixty_four() -> None:
    values = training_rows().values
    assert hits(built(values, SALT), values).all()
    others = np.random.default_rng(1).normal(size=(3, 40_000)).astype(np.float32)
    assert hits(built(values, SALT), others).mean() == pytest.approx(1 / SPREAD, rel=0.15)


def test_the_strangers_that_hit_are_others_with_another_salt() -> None:
    others = np.random.default_rng(1).normal(size=(3, 40_000)).astype(np.float32)
    one, two = (hits(built(training_rows().values, salt), others) for salt in (SALT, SALT[::-1]))
    assert (one & two).mean() < 3 / SPREAD**2


def test_minus_zero_is_zero_and_missing_is_missing_but_not_everything() -> None:
    nan = np.float32(np.nan)
    marked = built(np.array([[0.0], [nan], [2.0]], np.float32), SALT)
    asked = np.array([[-0.0, 0.0, nan], [nan, 1.0, nan], [2.0, 2.0, nan]], np.float32)
    assert hits(marked, asked)[0]
    assert not hits(marked, asked)[2]


def test_a_new_baseline_begins_anew_and_a_state_of_another_version_is_refused() -> None:
    held = {MODEL: baseline()}
    probe, rows = MembershipProbe(ALERTS, 1, held), asking(0.3, 400)
    half = len(rows) // 2
    probe.observe(rows.select(slice(0, half)), Clock())
    held[MODEL] = msgspec.structs.replace(baseline(), origin="another")
    probe.observe(rows.select(slice(half, len(rows))), Clock())
    fresh = MembershipProbe(ALERTS, 1, held)
    fresh.observe(rows.select(slice(half, len(rows))), Clock())
    assert probe.dump() == fresh.dump()
    with pytest.raises(StateError, match="membership_probe"):
        probe.load(b"\x93\x01\x02\x03")


def test_a_file_of_training_records_becomes_fingerprints_of_the_baseline(tmp_path: Path) -> None:
    plan, calm, trained = Plan(rate=0.05, seconds=86_400.0, seed=3, callers=300), tmp_path / "calm", tmp_path / "trained"
    simulate_to_file("calm", plan, calm)
    simulate_to_file("calm", replace(plan, day=5), trained)
    given = ["baseline", "build", str(calm), "--training", str(trained), "--out", str(tmp_path), "--json"]
    assert main(given) == Exit.OK
    learnt = read_baseline(tmp_path / "payments-card-fraud-3.baseline")
    assert learnt.fingerprints is not None
    [rows] = training_of(trained, Config(), DEVELOPMENT_KEY).values()
    assert learnt.fingerprints.rows == len(rows)
    assert hits(learnt.fingerprints, rows.values).all()
    assert learnt.fingerprints.base < 2 / SPREAD


def test_a_file_without_training_records_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match="training records of a model expected"):
        training_of(path, Config(), DEVELOPMENT_KEY)


def test_fingerprints_hold_no_record() -> None:
    size = len(msgspec.msgpack.encode(fingerprints()))
    assert size < TRAINING_ROWS * 4 + 200
    assert training_rows().values.tobytes()[:64] not in msgspec.msgpack.encode(fingerprints())

"""The curator: a sample that depends on the ledger alone, steps that are taken once, and people who are left alone."""

from __future__ import annotations

import random
from typing import Literal

import msgspec
import numpy as np
import pytest

from models.baseline import Gate
from streams.curator import core as curating
from streams.curator.core import STEPS, Core, Due
from streams.curator.curator import rung_of
from streams.curator.merge import Arrived, merge_of
from streams.curator.notes import Notes
from streams.curator.presence import Presence
from streams.curator.standing import AUTHOR, Order, Standing
from tests.helpers.baselines import baseline_of
from tests.helpers.frames import FRAUD, frame, rows
from tocsin.codec import json_bytes
from tocsin.config import BaselinePolicy
from tocsin.control import Promote
from tocsin.event import Source, position_of
from tocsin.frame import Control
from tocsin.reading import Ladder

HOUR, DAY = 3_600_000, 86_400_000
CONTROL = Source("control-id", "control", 0)
POLICY = BaselinePolicy(rows=2_000, hours=24.0)


def promote(
    offset: int,
    baseline: str = "ab" * 32,
    ladder: Ladder = "provisional",
    *,
    author: str = AUTHOR,
    step: str = "",
    model: str = FRAUD,
) -> Order:
    return Order(offset, offset, Promote(model, baseline, ladder, author, f"{step}: some rows"))


def ordered(order: Order) -> bytes:
    control = Control(0, position_of(order.offset, 0), order.ts, "promote", json_bytes(order.body))
    return frame(controls=[control], sources=(CONTROL,))


def arrived(value: bytes, append_ms: int = 1) -> Arrived:
    return Arrived(append_ms, 0, 0, value)


def feed(core: Core, count: int, *, start: int = 0, every_ms: int = 1_000, model: str = FRAUD) -> list[Due]:
    """Feeds `count` events, one each `every_ms` from number `start` on, 500 a frame."""
    due = []
    for first in range(start, start + count, 500):
        offsets = range(first, min(first + 500, start + count))
        due += core.apply(arrived(frame(rows(offsets, ts=[n * every_ms for n in offsets], model=model))), "frames-0@0")
    return due


def steps(due: list[Due]) -> list[str]:
    return [step.step for step in due]


def test_frames_of_all_shards_come_in_one_order_however_they_arrive() -> None:
    ledger = {shard: [(10 * n + shard, n) for n in range(50)] for shard in range(3)}
    orders = []
    for seed in range(5):
        rng, merge, passed = random.Random(seed), merge_of(3), []
        left = {shard: list(records) for shard, records in ledger.items()}
        while any(left.values()):
            shard = rng.choice([shard for shard, records in left.items() if records])
            append_ms, offset = left[shard].pop(0)
            merge.add(shard, offset, append_ms, b"")
            passed += [(one.shard, one.offset) for one in merge.ready()]
        orders.append(passed[:140])
    assert all(order == orders[0] for order in orders)
    assert orders[0][:4] == [(0, 0), (1, 0), (2, 0), (0, 1)]


def test_a_shard_that_is_silent_holds_the_others_back() -> None:
    merge = merge_of(2)
    merge.add(0, 0, 5, b"")
    assert list(merge.ready()) == []
    assert merge.full(1) == [0]


def test_the_first_step_comes_with_enough_rows() -> None:
    core = Core(POLICY, 1)
    assert feed(core, 1_999) == []
    assert steps(feed(core, 1, start=1_999)) == ["first traffic"]


def test_the_first_step_comes_with_enough_hours_when_events_are_few() -> None:
    due = feed(Core(POLICY, 1), 1_200, every_ms=80_000)
    assert steps(due) == ["1 day"]


def test_time_alone_makes_no_baseline() -> None:
    assert feed(Core(POLICY, 1), 500, every_ms=HOUR) == []


def test_days_of_traffic_lead_to_further_steps_and_each_once() -> None:
    due = feed(Core(POLICY, 1), 8_000, every_ms=200_000)
    assert steps(due) == ["2 days", "4 days", "7 days", "14 days"]
    assert len({id(step.sample) for step in due}) == 1


def test_after_the_last_step_nothing_more_is_kept_of_a_model() -> None:
    core = Core(POLICY, 1)
    feed(core, 8_000, every_ms=200_000)
    assert feed(core, 3_000, start=8_000, every_ms=200_000) == []
    assert core.learners[FRAUD].sample.rows == 0


def test_a_repeated_row_is_learnt_once() -> None:
    core = Core(POLICY, 1)
    feed(core, 1_500)
    feed(core, 1_500)
    assert core.learners[FRAUD].sample.rows == 1_500


def test_a_step_that_stands_in_the_control_topic_is_not_taken_again() -> None:
    done = {FRAUD: Standing([promote(3, step=STEPS[0])])}
    assert feed(Core(POLICY, 1, done), 2_500) == []


def test_of_two_curators_the_second_finds_the_step_done() -> None:
    core = Core(POLICY, 1)
    [due] = feed(core, 2_500)
    assert core.wants(due)
    core.obey(promote(3, step=STEPS[0]))
    assert not core.wants(due)


@pytest.mark.parametrize(
    "order", [promote(3, ladder="armed"), promote(3, author="ana"), promote(3, ladder="armed", author="ana")]
)
def test_what_is_armed_or_ordered_by_a_person_is_left_alone(order: Order) -> None:
    core = Core(POLICY, 1)
    feed(core, 1_500)
    core.apply(arrived(ordered(order)), "frames-0@9")
    assert feed(core, 2_500, start=1_500) == []
    assert core.learners == {}


def test_a_person_who_takes_a_baseline_away_has_it_learnt_anew_from_there() -> None:
    core = Core(POLICY, 1)
    feed(core, 1_500)
    core.apply(arrived(ordered(promote(3, "", "learning", author="ana"))), "frames-0@9")
    due = feed(core, 2_500, start=1_500)
    assert steps(due) == ["first traffic"]
    assert due[0].sample.first_ts == 1_500_000


def test_after_a_restart_learning_waits_for_a_known_order_to_come_along_in_the_ledger() -> None:
    order = promote(3, "", "learning", author="ana")
    core = Core(POLICY, 1, {FRAUD: Standing([order])})
    assert feed(core, 2_500) == []
    core.apply(arrived(ordered(order)), "frames-0@9")
    assert steps(feed(core, 2_500, start=2_500)) == ["first traffic"]


def test_a_new_version_of_a_known_model_is_due_early_and_inherits() -> None:
    known = {"prod/fraud@6": Standing([promote(3, "ab", "armed", model="prod/fraud@6")])}
    due = feed(Core(POLICY, 1, known), 1_000)
    assert [(step.step, step.inherits) for step in due] == [("first traffic", "ab")]


def test_a_flood_of_model_names_costs_a_bounded_number_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curating, "MAX_MODELS", 3)
    core = Core(POLICY, 1)
    feed(core, 2_000)
    for number in range(10):
        feed(core, 1, start=3_000 + number, model=f"junk/name@{number}")
    assert len(core.presences) == 3
    assert FRAUD in core.presences
    assert set(core.learners) <= set(core.presences)


def test_presence_says_what_recent_events_lack() -> None:
    seen = Presence()
    block = rows(range(10))
    block.confidence[:5] = np.nan
    block.values[0, 0] = np.nan
    seen.add(block)
    assert seen.shares() == {"confidence": 0.5, "feature amount": 0.1, "features": 0.1}
    assert (seen.rows, seen.last_ts) == (10, 9_000)


def test_a_note_is_made_when_something_changes_and_says_what_waits() -> None:
    core, notes = Core(POLICY, 1), Notes()

    def told(waits: str = "") -> list[str]:
        return [note.detail for note in notes.due(core, lambda _: waits)]

    feed(core, 600)
    assert told() == ["learning: 600 of 2000 events"]
    assert told() == []
    core.obey(promote(3, "abcdef"))
    assert told("abcdef") == ["a baseline passed the gate and waits for: tocsin baseline promote abcdef"]
    core.obey(promote(4, "abcdef", "armed"))
    assert told() == ["baseline abcdef is armed"]


@pytest.mark.parametrize(
    ("arm", "passed", "days", "ladder"),
    [
        ("auto", True, 1.0, "armed"),
        ("auto", True, 0.1, "provisional"),
        ("auto", False, 1.0, "provisional"),
        ("ask", True, 1.0, "provisional"),
    ],
)
def test_a_baseline_is_armed_by_itself_only_by_policy_and_gate(
    arm: Literal["ask", "auto"], passed: bool, days: float, ladder: Ladder
) -> None:
    gate = Gate("feature_drift", armed=passed, sigmas=1.0, held_out_days=days, trials=(), says="")
    baseline = msgspec.structs.replace(baseline_of(rows(range(300))), gate=(gate,))
    assert rung_of(baseline, BaselinePolicy(arm=arm)) == ladder

"""One caller's questions: who searches is found, who is honest is not, and nothing depends on frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from models.account import Tick
from models.baseline import Baseline
from models.caller_rings import EPOCH, SETS, WAYS
from models.paths_fit import limited, outlined
from models.query_path import QueryPath
from models.shiryaev_roberts import MONTH_S
from tests.helpers.searches import (
    Values,
    asked,
    bisections,
    fitted,
    golden,
    golden_rows,
    habit,
    mixed,
    records,
    sensor,
    sweep,
    without_answers,
)
from tests.helpers.traffic import MODEL, START_MS, cut
from tocsin.clock import Clock
from tocsin.reading import Reading
from tocsin.rows import Rows

CLOCK = Clock()
A = 1e5
ATTACKER = 1 << 30


class PerQuestion:
    """Stakes of 1 per question."""

    def __init__(self) -> None:
        self.ticks: dict[str, Tick] = {}

    def stakes(self, model: str, ts: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.ones(len(ts))


def detector(baseline: Baseline | None = None, threshold: float = A) -> QueryPath:
    known = fitted()[0] if baseline is None else baseline
    return QueryPath(MONTH_S / threshold, 1, {MODEL: known, "other/model@1": known}, PerQuestion())


def alone(values: Values, who: int = ATTACKER) -> Rows:
    return asked(values, np.full(len(values), who))


def observe(path: QueryPath, rows: Rows, size: int = 512) -> list[Reading]:
    return [reading for block in cut(rows, size) for reading in path.observe(block, CLOCK)]


def first_alarm(values: Values) -> Reading:
    return observe(detector(), alone(values))[0]


@pytest.mark.parametrize(("search", "signals"), [(bisections, {"label flip", "margin"}), (sweep, {"self-similarity"})])
def test_a_search_is_found_within_fifteen_questions_and_says_by_what(
    search: Callable[[int, int], Values], signals: set[str]
) -> None:
    alarms = [first_alarm(search(seed, 60)) for seed in range(9)]
    assert np.median([alarm.at.offset + 1 for alarm in alarms]) <= 15
    assert {alarm.evidence["signal"] for alarm in alarms} <= signals | {"label flip", "margin", "envelope"}
    assert signals & {alarm.evidence["signal"] for alarm in alarms}


def test_a_reading_counts_the_questions_of_the_path_and_knows_when_it_began() -> None:
    honest = records(7, 40)
    alarm = observe(detector(), alone(np.concatenate([honest, bisections(1, 60)])))[0]
    began = (alarm.onset_ts - START_MS) // 1_000
    assert 38 <= began <= 50
    assert alarm.count == alarm.at.offset - began + 1


@pytest.mark.parametrize("kind", [records, habit])
def test_honest_callers_are_never_accused(kind: Callable[[int, int], Values]) -> None:
    callers = [kind(seed, 300) for seed in range(40)]
    rows = asked(np.concatenate(callers), np.repeat(np.arange(40), 300))
    assert observe(detector(), rows) == []


def test_a_stranger_who_keeps_to_his_habit_is_no_searcher_and_at_the_worst_accused_of_being_like_himself() -> None:
    assert observe(detector(), alone(habit(4, 300) + np.float32(1))) == []
    far = [reading for seed in range(6) for reading in observe(detector(), alone(habit(seed, 300) + np.float32(4)))]
    assert {str(reading.evidence["signal"]) for reading in far} <= {"self-similarity"}


def test_who_asks_anywhere_in_the_desert_is_found_by_the_envelope() -> None:
    anywhere = np.random.default_rng(1).uniform(-12, 12, (60, 6)).astype(np.float32)
    assert first_alarm(anywhere).evidence["signal"] == "envelope"


def test_a_sensor_is_accused_of_self_similarity_alone() -> None:
    alarms = [first_alarm(sensor(seed, 100)) for seed in range(5)]
    assert {str(alarm.evidence["signal"]) for alarm in alarms} == {"self-similarity"}


def test_a_retry_says_nothing() -> None:
    path, once = detector(), bisections(2, 5)
    before = path.follow([alone(once)]).level[-1]
    course = path.follow([alone(np.repeat(once, 40, axis=0))])
    assert np.isnan(course.level).all()
    assert path.follow([alone(once + np.float32(0.001))]).level[-1] > before


def test_an_attack_that_goes_on_is_told_again_when_it_has_doubled_and_not_before() -> None:
    counts = [reading.count for reading in observe(detector(), alone(bisections(3, 400)))]
    assert 3 <= len(counts) <= 6
    assert all(later >= 2 * earlier for earlier, later in pairwise(counts))


def test_an_attack_that_goes_on_slowly_is_told_again_after_ten_minutes() -> None:
    rows = alone(bisections(3, 60))
    slow = replace(rows, ts=START_MS + np.arange(60) * 60_000)
    readings = observe(detector(), slow)
    assert len(readings) >= 2
    assert all(later.ts - earlier.ts >= 600_000 for earlier, later in pairwise(readings))


def test_an_attacker_between_honest_questions_of_its_own_is_found_later() -> None:
    values = np.empty((400, 6), np.float32)
    values[0::4], values[1::4], values[2::4], values[3::4] = bisections(5, 100), *(records(seed, 100) for seed in (1, 2, 3))
    assert 15 < first_alarm(values).at.offset < 300


def test_a_model_that_tells_neither_class_nor_confidence_still_has_its_sweeps_found() -> None:
    found = observe(detector(), without_answers(alone(sweep(1, 60))))
    assert found[0].evidence["signal"] in ("self-similarity", "envelope")


def test_a_model_without_paths_is_passed_over() -> None:
    bare = msgspec.structs.replace(fitted()[0], paths=None)
    assert observe(detector(bare), alone(bisections(1, 60))) == []
    assert observe(QueryPath(), alone(bisections(1, 60))) == []


def test_when_everybody_moves_nobody_is_accused() -> None:
    values, who = mixed(8, 12_000, 150)
    assert observe(detector(), asked(values * np.float32(6), who)) == []


def test_an_attacker_is_found_while_everybody_moves() -> None:
    values, who = mixed(8, 12_000, 150)
    values[:, 3:] *= np.float32(6)
    values[8_000:10_400:24], who[8_000:10_400:24] = bisections(4, 100), ATTACKER
    accused = {reading.caller.id for reading in observe(detector(), asked(values, who)) if reading.caller}
    assert accused == {f"key_{ATTACKER & 0x7FFF}"}


@pytest.mark.parametrize("size", [7, 1])
def test_no_cut_of_rows_into_frames_changes_a_bit(size: int) -> None:
    values, who = mixed(11, 3_000, 60)
    values[500:1_700:4], who[500:1_700:4] = bisections(6, 300), ATTACKER
    values[100:140], who[100:140] = values[100], 5
    rows = asked(values, who)
    whole, parts = detector(), detector()
    assert observe(whole, rows) == observe(parts, rows, size) != []
    assert whole.dump() == parts.dump()


def test_no_cut_changes_who_is_let_in_when_places_are_few() -> None:
    once, often = 2 * SETS * WAYS, 6 * EPOCH
    regular = np.random.default_rng(4).integers(0, 600, often) + (1 << 20)
    rows = asked(records(12, once + often), np.concatenate([np.arange(once), regular]))
    whole, parts = detector(), detector()
    observe(whole, rows, 1_000)
    observe(parts, rows, 333)
    assert whole.rings.let_in > 50
    assert whole.dump() == parts.dump()


def test_an_attacker_gets_in_among_callers_who_come_once() -> None:
    count = SETS * WAYS + 20 * EPOCH
    values, who = records(13, count), np.arange(count)
    begin = count - 8 * EPOCH
    values[begin::100], who[begin::100] = bisections(7, -(-(count - begin) // 100)), ATTACKER
    rows = asked(values, who)
    found = observe(detector(), rows, 2_048)
    assert found
    assert (found[0].at.offset - begin) // 100 < 40
    assert {reading.caller.hash for reading in found if reading.caller} == {int(rows.hash[begin])}


def test_blocks_of_several_models_at_once_are_as_one_after_the_other() -> None:
    here = alone(bisections(8, 80))
    there = replace(asked(*mixed(14, 300, 20)), model="other/model@1")
    unknown = replace(alone(sweep(2, 50)), model="no/baseline@1")
    blocks = [here.select(slice(0, 30)), there, unknown, here.select(slice(30, None))]
    together, apart = detector(), detector()
    told = together.observe_blocks(blocks, CLOCK)
    assert told == [reading for block in blocks for reading in apart.observe(block, CLOCK)] != []
    assert together.dump() == apart.dump()
    assert len(detector().follow(blocks).level) == sum(map(len, blocks))


def test_one_caller_of_two_models_is_two_callers() -> None:
    values = bisections(9, 16)
    path, other = detector(), replace(alone(values), model="other/model@1")
    first = path.follow([alone(values)]).level
    assert np.array_equal(path.follow([other]).level, first, equal_nan=True)


def test_a_new_baseline_forgets_the_callers_of_the_old_one() -> None:
    known: dict[str, Baseline] = {MODEL: fitted()[0]}
    path = QueryPath(MONTH_S / A, 1, known, PerQuestion())
    level = path.follow([alone(bisections(1, 6))]).level[-1]
    known[MODEL] = msgspec.structs.replace(fitted()[0], origin="another")
    assert path.follow([alone(bisections(1, 6))]).level[-1] == level
    assert int((path.rings.key > 0).sum()) == 1


def test_a_restart_in_mid_attack_changes_nothing() -> None:
    rows = alone(bisections(10, 80))
    path = detector()
    path.observe(rows.select(slice(0, 9)), CLOCK)
    other = detector()
    other.load(path.dump())
    assert other.dump() == path.dump()
    rest = rows.select(slice(9, None))
    assert other.observe(rest, CLOCK) == path.observe(rest, CLOCK) != []


def test_a_known_strange_caller_is_not_accused_of_its_own_habit() -> None:
    rows, strange = golden_rows(), sensor(3, 400)
    rows.values[:, :12_000:30], rows.hash[:12_000:30] = strange.T, alone(strange).hash[0]
    bare = outlined(fitted()[0])
    assert bare is not None
    baseline = msgspec.structs.replace(fitted()[0], paths=limited(bare, fitted()[0], golden(rows).rows))
    assert observe(detector(baseline), alone(sensor(3, 100))) == []
    assert observe(detector(baseline), alone(sensor(4, 100), 77)) != []

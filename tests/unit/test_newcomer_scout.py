"""NewcomerScout: who golden traffic did not have, and what their first questions were."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import loda
from models.evenness import face_of
from models.k_means import nearest
from models.newcomer_scout import KEEP_MS, MOST, NewcomerScout
from tests.helpers.newcomers import GOLDEN_CALLERS, baseline, crowd, told_in
from tests.helpers.traffic import cut, hash_of, rows_at
from tocsin.errors import StateError
from tocsin.rows import Rows


def looked(scout: NewcomerScout, rows: Rows, size: int = 512) -> list[tuple[int, int, int]]:
    reports = [scout.look(part) for part in cut(rows, size)]
    return [one for report in reports if report is not None for one in told_in(report.body)]


def plain(rows: Rows, n0: int) -> list[tuple[int, int, int]]:
    """Returns the same by a dictionary and a loop."""
    frozen = baseline(n0)
    assert frozen.evenness is not None
    assert frozen.envelope is not None
    face = face_of(frozen.evenness, len(frozen.features))
    cells = nearest(face.centres, loda.face_of(frozen.envelope).standard.apply(rows.values)).tolist()
    known, held, told = face.is_known(rows.hash).tolist(), dict[int, list[tuple[int, int]]](), []
    for golden, who, cell, ts in zip(known, rows.hash.tolist(), cells, rows.ts.tolist(), strict=True):
        asked = held.setdefault(who, [])
        asked.append((cell, ts))
        if not golden and len(asked) == n0:
            mask = 0
            for visited, _ in asked:
                mask |= 1 << visited
            told.append((mask, asked[0][1], ts))
    return told


def test_each_newcomer_is_told_once_with_the_cells_of_its_first_questions() -> None:
    rows = crowd(3, callers=400, calls=4_000, hours=20)
    found = looked(NewcomerScout(baseline(4)), rows)
    assert found == plain(rows, 4)
    assert len(found) > 300


@given(
    who=st.lists(st.integers(45, 60), min_size=1, max_size=80),
    minutes=st.integers(1, 900),
    size=st.integers(1, 30),
    n0=st.integers(2, 5),
)
@settings(max_examples=40, deadline=None)
def test_whoever_calls_whenever_a_dictionary_and_a_loop_agree(who: list[int], minutes: int, size: int, n0: int) -> None:
    rows = rows_at(np.arange(float(len(who))) * 60 * minutes, np.array(who))
    rows = rows.select(rows.ts < rows.ts[0] + KEEP_MS // 5)
    assert looked(NewcomerScout(baseline(n0)), rows, size) == plain(rows, n0)


def test_golden_callers_are_no_newcomers() -> None:
    assert looked(NewcomerScout(baseline(4)), crowd(3, callers=GOLDEN_CALLERS, calls=2_000, hours=20)) == []


@pytest.mark.parametrize("size", [1, 7, 4_000])
@pytest.mark.parametrize("most", [60, MOST])
def test_any_cut_tells_the_same_and_leaves_the_same_state_even_when_the_table_is_full(size: int, most: int) -> None:
    rows = crowd(5, callers=900, calls=4_000, hours=60)
    one, other = NewcomerScout(baseline(4), most), NewcomerScout(baseline(4), most)
    assert looked(one, rows) == looked(other, rows, size)
    assert one.dump() == other.dump()
    assert (one.depth > 0) is (most == 60)


def test_restarts_change_nothing() -> None:
    rows = crowd(6, callers=900, calls=3_000, hours=60)
    whole = NewcomerScout(baseline(4), 100)
    expected, found, state = looked(whole, rows), [], NewcomerScout(baseline(4), 100).dump()
    for part in cut(rows, 211):
        scout = NewcomerScout(baseline(4), 100)
        scout.load(state)
        assert scout.dump() == state
        found += looked(scout, part)
        state = scout.dump()
    assert (found, state) == (expected, whole.dump())


def test_a_flood_of_strangers_fills_no_more_than_its_memory_and_a_fair_share_of_the_others_is_still_told() -> None:
    scout, told = NewcomerScout(baseline(4)), 0
    for part in range(4):
        strangers = np.arange(250_000) + 1_000_000 * (part + 1)
        who = np.where(np.arange(250_000) % 25 == 0, 100 + np.arange(250_000) // 25 % 2_000, strangers)
        told += len(looked(scout, rows_at(np.linspace(part, part + 1, 250_000, endpoint=False) * 3_600, who), 4_096))
        assert len(scout.dump()) < 1_000_000
    share = 2.0**-scout.depth
    assert scout.depth >= 5
    assert 2_000 * share * 0.4 < told < 2_000


def test_the_sample_grows_again_when_the_flood_is_over() -> None:
    scout = NewcomerScout(baseline(4), 64)
    looked(scout, rows_at(np.linspace(0, 3_600, 5_000), np.arange(5_000) + 1_000))
    flooded = scout.depth
    days = np.repeat(np.arange(40.0), 3)
    looked(scout, rows_at(3_600 + days * 86_400, days.astype(np.int64) + 900_000))
    assert flooded > 3
    assert scout.depth == 0


def test_after_a_month_a_newcomer_makes_room_and_a_caller_that_comes_back_is_one_again() -> None:
    scout = NewcomerScout(baseline(2))
    month = KEEP_MS / 1_000 + 86_400
    found = looked(scout, rows_at(np.array([0.0, 60.0, 120.0, month, month + 60]), np.full(5, 77)))
    assert [last - first for _, first, last in found] == [60_000, 60_000]


def test_a_caller_too_slow_to_be_done_in_a_month_is_forgotten() -> None:
    scout = NewcomerScout(baseline(16))
    looked(scout, rows_at(np.array([0.0, 60.0, 20 * 86_400.0]), np.array([77, 78, 78])))
    assert scout.keys.tolist() == hash_of(np.array([78])).tolist()


def test_a_baseline_without_evenness_leaves_nothing_to_do() -> None:
    scout = NewcomerScout(msgspec.structs.replace(baseline(4), evenness=None))
    rows = crowd(3, callers=400, calls=4_000, hours=20)
    assert scout.look(rows) is None
    assert scout.dump() == NewcomerScout(baseline(4)).dump()


def test_a_state_whose_columns_do_not_fit_is_refused() -> None:
    scout = NewcomerScout(baseline(4))
    looked(scout, crowd(3, callers=400, calls=500, hours=20))
    high, depth, keys, columns = msgspec.msgpack.decode(scout.dump())
    with pytest.raises(StateError, match="newcomer_cohort"):
        scout.load(msgspec.msgpack.encode((high, depth, keys[8:], columns)))

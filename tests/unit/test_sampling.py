"""Which rows the dear detectors read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.sampling import EVERY, KEPT, Marks, Sampler

gaps = st.lists(st.integers(-2_000, 4_000), min_size=1, max_size=200)


@given(gaps, st.integers(1, 50))
def test_the_same_rows_are_picked_however_they_are_cut(gaps: list[int], size: int) -> None:
    ts = 1_767_571_200_000 + np.cumsum(gaps)
    whole, pieces = Sampler(5), Sampler(5)
    picked = whole.pick(ts).tolist()
    assert picked == [start + at for start in range(0, len(ts), size) for at in pieces.pick(ts[start : start + size]).tolist()]
    assert pieces == whole


def test_a_slow_model_is_read_whole_and_a_busy_one_at_its_quota() -> None:
    slow, busy = np.arange(0, 600_000, 6_000), np.arange(0, 600_000, 6)
    assert Sampler(100).pick(slow).tolist() == list(range(len(slow)))
    assert 10 * 50 <= len(Sampler(100).pick(busy)) <= 10 * 200


@given(st.integers(0, 3 * EVERY), st.lists(st.integers(1, 90), max_size=5))
def test_marks_are_the_same_however_values_come(first: int, sizes: list[int]) -> None:
    ones, lists = Marks([]), Marks([])
    times = list(range(first + sum(sizes)))
    for at in times:
        ones.extend([at])
    begin = 0
    for size in (first, *sizes):
        lists.extend(times[begin : begin + size])
        begin += size
    assert ones == lists


def test_marks_are_bounded_and_tell_when_the_last_values_began() -> None:
    marks = Marks([])
    marks.extend(list(range(100_000)))
    assert len(marks.at_ms) <= KEPT
    assert 100_000 - 640 - 2 * EVERY <= marks.began(640) <= 100_000 - 640

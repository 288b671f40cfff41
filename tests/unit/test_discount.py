"""What a caller's next event in a window is worth."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.discount import FEW, WindowCounter, discount, discounts
from tests.helpers.traffic import hash_of
from tocsin.errors import StateError


def test_the_first_event_weighs_one_and_all_of_them_what_their_mean_is_worth() -> None:
    ranks = np.arange(1, 101)
    for rho in (0.0, 0.1, 0.5, 0.9):
        weights = discount(ranks, rho)
        assert weights[0] == 1.0
        assert weights.cumsum()[-1] == pytest.approx(100 / (1 + 99 * rho))


def test_a_table_of_discounts_says_the_same() -> None:
    table = discounts(np.array([0.0, 0.3]), 50)
    assert table.shape == (2, 51)
    assert table[0, 1:].tolist() == [1.0] * 50
    assert table[1, 1:] == pytest.approx(discount(np.arange(1, 51), 0.3))


@given(st.lists(st.integers(0, 6), max_size=80), st.integers(1, 30), st.integers(1, 17))
def test_ranks_count_a_callers_events_in_each_window_however_rows_are_cut(who: list[int], window: int, size: int) -> None:
    hashes = hash_of(np.array(who, np.int64))
    distinct = set((hashes % np.uint64(1 << (window * 4 - 1).bit_length())).tolist())
    counter = WindowCounter(window)
    found = [counter.ranks(hashes[begin : begin + size]) for begin in range(0, len(who), size)]
    expected = []
    seen: Counter[int] = Counter()
    for index, caller in enumerate(who):
        if index % window == 0:
            seen.clear()
        seen[caller] += 1
        expected.append(seen[caller])
    ranks = [int(rank) for part in found for rank in part]
    if len(distinct) == len(set(who)):  # no two callers share a slot
        assert ranks == expected
    assert all(rank >= least for rank, least in zip(ranks, expected, strict=True))


def test_a_counter_goes_on_from_its_dump() -> None:
    hashes = hash_of(np.random.default_rng(1).integers(0, 40, 500))
    whole, half, other = WindowCounter(64), WindowCounter(64), WindowCounter(64)
    expected = whole.ranks(hashes)
    half.ranks(hashes[:333])
    other.load(half.dump())
    assert (other.ranks(hashes[333:]) == expected[333:]).all()
    assert other.dump() == whole.dump()


@pytest.mark.parametrize("data", [b"", b"1234567", WindowCounter(8).dump()])
def test_a_dump_of_another_window_is_refused(data: bytes) -> None:
    with pytest.raises(StateError, match="window counter"):
        WindowCounter(64).load(data)


def test_few_rows_and_many_are_counted_alike() -> None:
    hashes = np.random.default_rng(5).integers(0, 40, 3_000).astype(np.uint64)
    whole, pieces = WindowCounter(1_000), WindowCounter(1_000)
    wanted = whole.ranks(hashes).tolist()
    found = [rank for piece in np.array_split(hashes, 200) for rank in pieces.ranks(piece).tolist()]
    assert len(hashes) // 200 < FEW < 1_000
    assert found == wanted
    assert pieces.dump() == whole.dump()


def test_weights_add_up_the_same_in_any_order() -> None:
    weights = discounts(np.array([0.0, 0.3, 0.9, 0.999]), 4_096).astype(np.float64)
    for row in weights:
        assert row.sum() == row[::-1].sum() == float(np.cumsum(row)[-1])

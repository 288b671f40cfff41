"""Panes: counts in two panes and first occurrences, exact however keys are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.panes import FEWEST_BITS, MOST_BITS, MOST_COUNT, Once, Panes, slots_for
from tests.helpers.traffic import hash_of

Batches = list[list[tuple[int, int]]]
BATCHES = st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=20), min_size=1, max_size=6)


def added(batches: Batches, pane: int = 0, fade: float = 0.5, panes: Panes | None = None) -> list[float]:
    panes, found = panes or Panes(19), []
    panes.turn(pane)
    for batch in batches:
        keys, weights = np.array([key for key, _ in batch], np.int64), np.array([weight for _, weight in batch], np.uint8)
        found += panes.add(keys, weights, np.full(len(keys), fade))[1].tolist()
    return found


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_each_key_is_counted_up_to_and_with_its_turn(batches: Batches) -> None:
    total: dict[int, int] = {}
    expected = []
    for key, weight in (pair for batch in batches for pair in batch):
        total[key] = total.get(key, 0) + weight
        expected.append(float(total[key]))
    assert added(batches) == expected


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_the_cut_makes_no_difference(batches: Batches) -> None:
    assert added(batches) == added([[pair] for batch in batches for pair in batch])


def test_the_pane_before_fades_and_the_one_before_that_is_gone() -> None:
    panes = Panes(12)
    assert added([[(1, 2), (1, 2)]], 0, panes=panes) == [2, 4]
    assert added([[(1, 1)]], 1, fade=0.25, panes=panes) == [2]
    assert panes.count(np.array([1]), 0.5).tolist() == [3]
    assert added([[(1, 1)]], 2, fade=1.0, panes=panes) == [2]
    assert added([[(1, 1)]], 9, fade=1.0, panes=panes) == [1]


def test_counts_stop_where_a_byte_does() -> None:
    assert added([[(1, 2)] * 200])[-1] == MOST_COUNT


def test_what_is_cleared_counts_from_nothing() -> None:
    panes = Panes(12)
    added([[(1, 2), (2, 2)]], panes=panes)
    panes.clear(np.array([1]))
    assert panes.count(np.array([1, 2]), 0.0).tolist() == [0, 2]


def test_a_state_is_loaded_as_it_was_dumped() -> None:
    panes, again = Panes(12), Panes(12)
    added([[(1, 2), (2, 2)]], panes=panes)
    added([[(7, 1)]], 1, panes=panes)
    again.load(panes.dump())
    assert again.dump() == panes.dump()
    assert again.count(np.array([1, 7]), 1.0).tolist() == [2, 1]


def test_a_state_of_another_size_is_refused() -> None:
    panes = Panes(12)
    added([[(1, 2)]], panes=panes)
    with pytest.raises(ValueError, match="8192 bytes expected"):
        Panes(13).load(panes.dump())


def test_an_empty_state_takes_no_room() -> None:
    assert len(Panes(MOST_BITS).dump()) < 20


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=20), min_size=1, max_size=6))
def test_a_key_is_first_once(batches: list[list[int]]) -> None:
    once, found = Once(20), []
    for batch in batches:
        found += once.first(hash_of(np.array(batch, np.int64))).tolist()
    keys = [key for batch in batches for key in batch]
    assert found == [key not in keys[:place] for place, key in enumerate(keys)]


def test_a_key_of_the_pane_before_is_no_news_and_later_it_is() -> None:
    once, key = Once(20), hash_of(np.array([3]))
    for pane, expected in ((0, True), (1, False), (2, False), (4, True)):
        once.turn(pane)
        assert once.first(key).tolist() == [expected]


def test_there_are_four_slots_per_key_within_reason() -> None:
    assert 1 << slots_for(20_000) >= 80_000
    assert slots_for(1) == FEWEST_BITS
    assert slots_for(10**9) == MOST_BITS

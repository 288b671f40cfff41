"""What the table of callers lets in, and what it lets go."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.caller_table import ADMIT, WAYS, CallerTable
from tests.helpers.traffic import hash_of


def keys_of(*numbers: int) -> NDArray[np.uint64]:
    return hash_of(np.array(numbers))


def small(sets: int = 1) -> CallerTable:
    return CallerTable(sets, {"calls": "i8"})


def place_all(table: CallerTable, keys: NDArray[np.uint64], minute: int = 0) -> list[int]:
    slots: list[int] = []
    while len(slots) < len(keys):
        some, taken = table.place(keys[len(slots) :], minute)
        slots += some[:taken].tolist()
        known = some[:taken][some[:taken] >= 0]
        np.add.at(table.seen, known, 1)
        table.minute[known] = minute
    return slots


def test_a_caller_keeps_its_place() -> None:
    table = small(4)
    first = place_all(table, keys_of(1, 2, 3))
    assert place_all(table, keys_of(3, 2, 1, 1)) == [first[2], first[1], first[0], first[0]]
    assert len(set(first)) == 3


def test_a_full_set_lets_a_newcomer_in_at_its_fourth_call() -> None:
    table = small()
    place_all(table, keys_of(*range(WAYS)))
    slots = place_all(table, keys_of(*[99] * (ADMIT + 1)))
    assert slots[: ADMIT - 1] == [-1] * (ADMIT - 1)
    assert slots[ADMIT - 1] == slots[ADMIT] >= 0


def test_one_shot_callers_never_evict_anyone() -> None:
    table = small()
    residents = keys_of(*range(WAYS))
    place_all(table, residents)
    assert set(place_all(table, keys_of(*range(100, 5_000)))) == {-1}
    assert -1 not in place_all(table, residents)


def test_a_suspect_outlasts_a_flood_of_ids_that_each_call_often() -> None:
    table = small()
    suspect = place_all(table, keys_of(1))[0]
    table.held[suspect] = 10.0
    flood = np.repeat(hash_of(np.arange(100, 1_100)), ADMIT + 2)
    place_all(table, flood, minute=60)
    assert place_all(table, keys_of(1), minute=60) == [suspect]


@pytest.mark.parametrize("size", [1, 3, 50])
def test_places_do_not_depend_on_the_cut(size: int) -> None:
    stream = hash_of(np.random.default_rng(3).zipf(1.3, 3_000) % 400)
    whole, pieces = small(4), small(4)
    expected = place_all(whole, stream)
    found = [slot for begin in range(0, len(stream), size) for slot in place_all(pieces, stream[begin : begin + size])]
    assert (found, pieces.dump()) == (expected, whole.dump())


def test_a_dump_holds_only_what_is_used_and_comes_back_whole() -> None:
    table, again = small(1_024), small(1_024)
    assert len(table.dump()) < 500
    place_all(table, hash_of(np.arange(300)))
    again.load(table.dump())
    assert again.dump() == table.dump()
    assert place_all(again, hash_of(np.arange(290, 310))) == place_all(table, hash_of(np.arange(290, 310)))


def test_a_dump_of_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="columns"):
        CallerTable(1, {"other": "i8"}).load(small().dump())

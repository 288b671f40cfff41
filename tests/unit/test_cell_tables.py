"""Cell tables: rows that resemble each other share cells; a cell's share of golden traffic is what was counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cell_tables import CELLS, TABLES, Face, Grid, drawn, face_of, filled, lower_median, surprise
from models.margin_scan import HIT, MISS, RHO, MarginScan
from models.standardise import Column


def empty(features: int = 10, width: int = 6, prior: float = 1.0) -> Grid:
    return drawn(np.arange(features), width, 1.0, prior, np.random.default_rng(1))


def normal(seed: int, rows: int, features: int = 10) -> Column:
    return np.random.default_rng(seed).normal(size=(features, rows)).astype(np.float32)


def shared(face: Face, one: Column, other: Column) -> float:
    return float((face.keys(one) == face.keys(other)).mean())


def test_rows_that_resemble_each_other_share_most_cells_and_others_hardly_any() -> None:
    face, rows = face_of(empty()), normal(0, 500)
    assert shared(face, rows, rows + np.float32(0.01)) > 0.9
    assert shared(face, rows, normal(1, 500)) < 0.1


def test_a_rows_cells_are_its_own_whatever_stands_beside_it() -> None:
    face, rows = face_of(empty()), normal(0, 100)
    alone = np.concatenate([face.keys(rows[:, row : row + 1]) for row in range(100)])
    assert np.array_equal(face.keys(rows), alone)


@pytest.mark.parametrize("features", [1, 3, 6, 7, 11, 61])
def test_tables_read_features_evenly_and_none_twice(features: int) -> None:
    which = np.frombuffer(empty(features).which, "<u2").reshape(TABLES, -1)
    assert which.shape == (TABLES, min(6, features))
    assert all(len(set(table)) == len(table) for table in which.tolist())
    read = np.bincount(which.reshape(-1), minlength=features)
    assert read.max() - read.min() <= 1


def test_the_share_of_a_cell_is_what_was_counted_in_it() -> None:
    grid, rows = empty(), np.repeat(normal(0, 50), np.arange(1, 51), axis=1)
    keys = face_of(grid).keys(rows)
    face = face_of(filled(grid, keys, np.zeros(keys.shape, np.bool_)))
    counted = np.stack([np.bincount(mine, minlength=TABLES * CELLS)[mine] for mine in keys.T], axis=1)
    expected = face.expected(keys, 1_000) * (len(keys) + 1) / 1_000 - 1
    assert np.abs(expected / counted - 1).max() < 0.05


def test_a_cell_without_golden_rows_is_expected_to_hold_less_than_one_row_would_make_it() -> None:
    grid = empty(prior=0.2)
    keys = face_of(grid).keys(normal(0, 1_000))
    face = face_of(filled(grid, keys, np.zeros(keys.shape, np.bool_)))
    elsewhere = face.keys(normal(1, 10) + np.float32(50))
    assert np.median(face.expected(elsewhere, 1_000)) == pytest.approx(1_000 * 0.2 / 1_000.2)


def test_a_table_that_reads_what_a_row_lacks_is_void_and_the_others_are_not() -> None:
    face, absent = face_of(empty()), np.zeros((10, 2), np.bool_)
    absent[3, 1] = True
    reads = (face.which == 3).any(axis=0)
    assert face.void(absent).tolist() == [[False] * TABLES, reads.tolist()]
    assert 0 < reads.sum() < TABLES


def test_as_many_as_expected_surprise_nobody() -> None:
    assert surprise(np.array([0.0, 1.0, 3.0]), np.array([2.0, 2.0, 3.0])).tolist() == [0, 0, 0]
    assert surprise(np.array([10.0]), np.array([1.0]))[0] == pytest.approx(10 * np.log(10) - 9)


def test_the_score_needs_more_than_half_of_the_tables() -> None:
    assert lower_median(np.array([[9.0] * 4 + [0.0] * 4, [9.0] * 5 + [0.0] * 3])).tolist() == [0, 9]


def test_a_near_row_is_worth_nothing_on_average_when_hits_are_as_frequent_as_they_may_be() -> None:
    assert np.allclose(RHO * HIT + (1 - RHO) * MISS, 1.0)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 10))
def test_the_statistic_does_not_depend_on_how_near_rows_are_cut(hits: list[bool], size: int) -> None:
    whole, parts = MarginScan(), MarginScan()
    found = whole.weigh(np.array(hits), 5.0)
    pieces = [hits[begin : begin + size] for begin in range(0, len(hits), size)]
    cut = np.concatenate([parts.weigh(np.array(piece), 0.0 if number else 5.0) for number, piece in enumerate(pieces)])
    assert np.allclose(found, cut, rtol=1e-9)


def test_misses_alone_end_nowhere_and_hits_alone_far_up() -> None:
    scan = MarginScan()
    assert scan.weigh(np.zeros(2_000, np.bool_), 100.0)[-1] < 1e-6
    assert scan.weigh(np.ones(8, np.bool_), 1.0)[-1] > 1e9
    scan.reset()
    assert scan.weigh(np.ones(3, np.bool_), 0.0).tolist() == [0, 0, 0]

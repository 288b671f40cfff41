"""Offenders: who is to blame for a strange row."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.loda import Loda, face_of
from models.loda_fit import build_loda
from models.offenders import CANDIDATES, NOBODY, offenders
from tests.helpers.packaged import Packaged, packaged

Values = NDArray[np.float32]


def normal(features: int, rows: int, seed: int = 1) -> Values:
    return np.random.default_rng(seed).normal(size=(features, rows)).astype(np.float32)


def built(values: Values) -> Loda:
    return build_loda(values, tuple(f"f{index}" for index in range(len(values))), 1)[0]


@pytest.mark.parametrize("data", packaged(), ids=lambda data: data.name)
def test_a_feature_far_outside_is_the_first_to_blame(data: Packaged) -> None:
    face = face_of(built(data.usual))
    usable = face.standard.usable
    rows = np.repeat(np.median(data.usual, axis=1)[:, None], len(usable), axis=1)
    rows[usable, np.arange(len(usable))] += 4 * np.ptp(data.usual[usable], axis=1)
    assert offenders(face, rows)[:, 0].tolist() == usable.tolist()


def test_of_two_planted_features_both_are_among_the_three_blamed() -> None:
    golden, rows = normal(10, 4_000), normal(10, 50, seed=2)
    rows[[2, 7]] += np.float32(6)
    blamed = offenders(face_of(built(golden)), rows)
    assert np.mean([{2, 7} <= set(of_row) for of_row in blamed.tolist()]) > 0.9


def test_a_broken_habit_is_blamed_on_the_features_that_broke_it() -> None:
    both, rest = normal(1, 4_000)[0], normal(6, 4_000, seed=3)
    golden = np.concatenate((both[None], both[None] + np.float32(0.02) * rest[:1], rest[1:]))
    rows = golden[:, :40].copy()
    rows[0], rows[1] = 1.5, -1.5
    blamed = offenders(face_of(built(golden)), rows, 2)
    assert np.isin(blamed, (0, 1)).mean() > 0.75


def test_a_row_is_blamed_alike_whoever_stands_beside_it() -> None:
    golden = normal(5, 2_000)
    face, rows = face_of(built(golden)), golden[:, :300] * np.float32(3)
    together = offenders(face, rows).tolist()
    assert [offenders(face, rows[:, [at]])[0].tolist() for at in range(300)] == together
    assert offenders(face, rows[:, 7:]).tolist() == together[7:]


def test_nobody_is_blamed_for_a_row_at_the_centre_and_nobody_twice() -> None:
    golden = normal(5, 2_000)
    face = face_of(built(golden))
    assert (offenders(face, face.standard.centre[:, None]) == NOBODY).all()
    for blamed in offenders(face, golden[:, :100] * np.float32(4), 5).tolist():
        named = [feature for feature in blamed if feature != NOBODY]
        assert len(named) == len(set(named))


def test_more_names_than_features_are_left_empty() -> None:
    blamed = offenders(face_of(built(normal(2, 500))), np.full((2, 1), 9, np.float32), 5)
    assert sorted(blamed[0].tolist()) == [NOBODY, NOBODY, NOBODY, 0, 1]


def test_of_five_hundred_features_the_farthest_are_tried() -> None:
    golden = normal(500, 400)
    rows = golden[:, :3].copy()
    rows[CANDIDATES + 9] = 40
    assert (offenders(face_of(built(golden)), rows)[:, 0] == CANDIDATES + 9).all()


@pytest.mark.parametrize("golden", [np.ones((3, 200)), np.full((3, 200), np.nan), np.ones((0, 200))])
def test_features_that_never_vary_are_never_to_blame(golden: NDArray[np.float64]) -> None:
    face = face_of(built(golden.astype(np.float32)))
    assert (offenders(face, normal(len(golden), 4)) == NOBODY).all()
    assert offenders(face, normal(len(golden), 0)).shape == (0, 3)


def test_features_that_hardly_matter_are_not_named_beside_one_that_does() -> None:
    golden, rows = normal(8, 4_000), normal(8, 60, seed=2)
    rows[3] = 40
    blamed = offenders(face_of(built(golden)), rows)
    assert (blamed[:, 0] == 3).all()
    assert (blamed[:, 1:] == NOBODY).mean() > 0.5

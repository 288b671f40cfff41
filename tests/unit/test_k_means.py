"""k_means: centres that stand for rows, the same however rows are cut."""

from __future__ import annotations

import numpy as np

from models.k_means import k_means, nearest, squared_distance


def three_heaps() -> np.ndarray:
    rng = np.random.default_rng(1)
    centre = np.array([[0, 0], [10, 0], [0, 10]], np.float32)[rng.integers(3, size=300)]
    return np.ascontiguousarray((centre + rng.normal(0, 0.1, (300, 2))).T, np.float32)


def test_three_heaps_get_a_centre_each() -> None:
    found = k_means(three_heaps(), 3, seed=1)
    assert sorted(map(tuple, np.rint(found).astype(int).tolist())) == [(0, 0), (0, 10), (10, 0)]


def test_the_nearest_centre_is_the_one_that_plain_arithmetic_finds() -> None:
    rng = np.random.default_rng(2)
    centres, rows = rng.normal(size=(64, 7)).astype(np.float32), rng.normal(size=(7, 500)).astype(np.float32)
    plain = np.square(centres[:, :, None].astype(float) - rows[None]).sum(axis=1)
    assert nearest(centres, rows).tolist() == plain.argmin(axis=0).tolist()
    assert np.allclose(squared_distance(centres, rows, nearest(centres, rows)), plain.min(axis=0), atol=1e-4)


def test_a_row_is_assigned_alone_as_in_company() -> None:
    rng = np.random.default_rng(3)
    centres, rows = rng.normal(size=(1_024, 36)).astype(np.float32), rng.normal(size=(36, 700)).astype(np.float32)
    whole = nearest(centres, rows)
    assert [int(nearest(centres, rows[:, [at]])[0]) for at in range(700)] == whole.tolist()


def test_rows_that_are_all_the_same_have_one_centre() -> None:
    assert k_means(np.ones((4, 50), np.float32), 8, seed=1).tolist() == [[1.0] * 4]


def test_the_same_rows_and_seed_give_the_same_centres() -> None:
    assert k_means(three_heaps(), 5, seed=4).tobytes() == k_means(three_heaps(), 5, seed=4).tobytes()

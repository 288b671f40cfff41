"""Neighbours: the same distance whoever stands beside a row, and small beside golden rows only."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.neighbours import EXACT, FARTHEST, GROUPS, OWN, Near, build_neighbours, near_of
from tocsin.codec import pack, unpack

Values = NDArray[np.float32]


def normal(features: int, rows: int, seed: int = 1) -> Values:
    return np.random.default_rng(seed).normal(size=(features, rows)).astype(np.float32)


def near(golden: Values, spread: float = 1.0) -> Near:
    found = build_neighbours(golden.T, spread)
    assert found is not None
    return near_of(found, len(golden))


def test_golden_rows_have_the_spread_asked_for_and_are_about_nought() -> None:
    found = near(normal(6, 1_024), 0.5).nats(normal(6, 4_000, seed=2))
    assert abs(found.mean()) < 0.1
    assert found.std() == pytest.approx(0.5, rel=0.2)


def test_the_farther_a_row_the_greater_its_distance() -> None:
    steps = np.zeros((4, 50), np.float32)
    steps[0] = np.linspace(3, 7, 50)
    found = near(normal(4, 1_024)).nats(steps)
    assert (np.diff(found) >= 0).all()
    assert found[0] > 0.5


def test_a_row_between_two_clusters_is_far_from_both() -> None:
    golden = normal(2, 1_024) * np.float32(0.2)
    golden[0] += np.where(np.arange(1_024) % 2, np.float32(1), np.float32(-1))
    between, inside = near(golden).nats(np.array([[0, 1], [0, 0]], np.float32)).tolist()
    assert between > inside + 1


@pytest.mark.parametrize("features", [1, 10, 64, 300])
def test_distances_are_exact_in_float32(features: int) -> None:
    golden, rows = normal(features, 200) * 5, normal(features, 64, seed=2) * 5
    made = build_neighbours(golden.T, 1.0)
    assert made is not None
    face = near_of(made, features)
    references = np.frombuffer(made.rows, "<i2").reshape(-1, features).astype(np.int64)
    assert int(np.abs(references).max()) <= face.most
    assert 4 * features * int(face.most) ** 2 <= EXACT
    steps = np.rint(np.clip(rows * face.grid, -face.most, face.most)).astype(np.int64)
    exact = np.square(steps.T[:, None] - references[None]).sum(axis=2) / np.exp2(
        np.frombuffer(made.own, "i1").astype(np.float64)
    )
    nearest = np.stack([exact[:, group::GROUPS].min(axis=1) for group in range(GROUPS)]).astype(np.float32)
    logs = (nearest + np.float32(made.near)).view(np.int32).sum(axis=0, dtype=np.int64) // GROUPS
    assert face.nats(rows).tolist() == ((logs - made.usual) * made.weight).tolist()


WIDE = normal(9, 1_500, seed=4) ** 3
FACE = near(WIDE[:, :1_024])
WHOLE = FACE.nats(WIDE).tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(0, 800))
def test_a_distance_belongs_to_its_row_alone(size: int, start: int) -> None:
    assert FACE.nats(WIDE[:, start : start + size]).tolist() == WHOLE[start : start + size]


@pytest.mark.parametrize("size", [512, 7, 1])
def test_any_cut_gives_the_same_distances(size: int) -> None:
    found = [value for begin in range(0, 1_500, size) for value in FACE.nats(WIDE[:, begin : begin + size]).tolist()]
    assert found == WHOLE


def test_no_rows_have_no_distance() -> None:
    assert len(FACE.nats(WIDE[:, :0])) == 0


def test_what_lies_beyond_the_farthest_is_as_far_as_that() -> None:
    ends = np.full((9, 2), 2 * FARTHEST, np.float32)
    ends[:, 1] = 1e30
    first, second = FACE.nats(ends).tolist()
    assert first == second


def test_golden_rows_that_are_all_alike_are_tolerated() -> None:
    alike = np.repeat(normal(3, 5), 100, axis=1)
    found = near(alike).nats(np.concatenate((alike[:, :1], alike[:, :1] + 3), axis=1))
    assert np.isfinite(found).all()
    assert found[1] > found[0]


def test_too_few_rows_are_no_neighbours() -> None:
    assert build_neighbours(normal(3, GROUPS * (OWN + 1) - 1).T, 1.0) is None
    assert build_neighbours(normal(3, GROUPS * (OWN + 1)).T, 1.0) is not None


def test_they_survive_the_wire() -> None:
    made = build_neighbours(normal(10, 1_024).T, 1.0)
    assert made is not None
    assert msgspec.structs.astuple(unpack(pack(made), type(made), "test")) == msgspec.structs.astuple(made)
    assert len(made.rows) == 2 * 10 * 1_024

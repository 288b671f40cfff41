"""Cells and experts: pay-offs are fair under the golden masses, and one search finds every cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.cells import EDGES, cells_of, lookup_of, padded, pay_offs
from models.experts import CELLS, EXPERTS, NAMES, PAYOFFS

floats = st.floats(-1e6, 1e6, width=32)
samples = st.lists(st.tuples(floats | st.sampled_from([0.0, 1.0, -0.0]), st.floats(0.01, 1.0)), min_size=1, max_size=300)


def column(values: list[float] | NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def ones(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.ones(len(values))


def test_every_expert_is_positive_with_mean_one_and_has_a_name_of_its_own() -> None:
    assert PAYOFFS.shape == (CELLS, len(EXPERTS)) == (64, 76)
    assert PAYOFFS.min() > 0
    assert PAYOFFS.max() < 33
    assert np.allclose(PAYOFFS.mean(axis=0), 1.0, atol=1e-14)
    assert len(set(NAMES)) == len(NAMES)


def test_an_expert_pays_for_the_direction_it_is_named_after() -> None:
    first = {expert.direction: PAYOFFS[:, index] for index, expert in reversed(list(enumerate(EXPERTS)))}
    assert first["up"][-1] > first["up"][0]
    assert first["down"][0] > first["down"][-1]
    assert min(first["wider"][[0, -1]]) > first["wider"][32]
    assert max(first["narrower"][[0, -1]]) < first["narrower"][32]
    assert int(first["top"].argmax()) == 63
    assert int(first["bottom"].argmax()) == 0


@settings(max_examples=60, deadline=None)
@given(samples)
def test_whatever_the_atoms_the_golden_masses_make_every_bet_fair(sample: list[tuple[float, float]]) -> None:
    values, weights = column([value for value, _ in sample]), np.array([weight for _, weight in sample])
    cells = cells_of(values, weights)
    assert len(cells.edges) <= EDGES
    assert (np.diff(cells.edges) > 0).all()
    assert cells.masses.min() > 0
    assert cells.masses.sum() == pytest.approx(1.0)
    assert cells.rows == pytest.approx(weights.sum())
    assert np.allclose((cells.masses[:, None] * pay_offs(cells.masses)).sum(axis=0), 1.0, atol=1e-12)


def test_a_value_that_many_rows_share_is_a_cell_of_its_own() -> None:
    rng = np.random.default_rng(1)
    cells = cells_of(column(np.where(rng.random(20_000) < 0.4, 0.0, rng.exponential(size=20_000))), np.ones(20_000))
    zero, tiny, below = np.searchsorted(cells.edges, column([0.0, 1e-6, -1e-6]), "right").tolist()
    assert len({zero, tiny, below}) == 3
    assert cells.masses[zero] == pytest.approx(0.4, abs=0.01)
    assert np.delete(cells.masses, zero).max() < 0.02


def test_values_without_atoms_fall_into_cells_of_equal_mass() -> None:
    cells = cells_of(column(np.random.default_rng(2).normal(size=64_000)), np.ones(64_000))
    assert np.allclose(cells.masses, 1 / 64, atol=1e-4)


def test_weights_count_not_rows() -> None:
    values = column(np.random.default_rng(3).normal(size=10_000))
    weights = np.where(values > 0, 1.0, 1 / 3)
    cells = cells_of(values, weights)
    assert float(np.median(cells.edges)) == pytest.approx(float(np.quantile(values[values > 0], 1 / 3)), abs=0.05)


def test_a_sample_of_nothing_is_one_cell() -> None:
    for values in (column([]), column([np.nan, np.nan])):
        cells = cells_of(values, ones(values))
        assert (len(cells.edges), cells.masses.tolist(), cells.rows) == (0, [1.0], 0.0)


def test_a_constant_knows_what_lies_below_and_above_it() -> None:
    cells = cells_of(column([5.0] * 1_000), np.ones(1_000))
    assert np.searchsorted(cells.edges, column([4.0, 5.0, 6.0]), "right").tolist() == [0, 1, 2]
    paid = pay_offs(cells.masses)
    bottom, top = (max(i for i, expert in enumerate(EXPERTS) if expert.direction == end) for end in ("bottom", "top"))
    assert paid[0, bottom] > 30
    assert paid[2, top] > 30


def test_a_cell_that_does_not_exist_says_nothing() -> None:
    edges, masses = padded(cells_of(column([1.0, 2.0]), np.ones(2)))
    assert edges.shape == (EDGES,)
    assert np.isinf(edges[-1])
    assert (pay_offs(masses)[masses == 0] == 1.0).all()


def test_one_search_finds_the_cell_of_every_quantity_bucket_and_row() -> None:
    rng = np.random.default_rng(4)
    golden = rng.normal(size=(3, 2, 500)).astype(np.float32) * np.float32(10)
    golden[0, 0] = np.round(golden[0, 0])
    edges = np.stack([[padded(cells_of(values, ones(values)))[0] for values in bucket] for bucket in golden])
    values = np.round(rng.normal(size=(2, 400)) * 12, 1).astype(np.float32)
    bucket = rng.integers(0, 3, 400)
    wanted = [
        [int(np.searchsorted(edges[at, quantity], values[quantity, row], "right")) for row, at in enumerate(bucket)]
        for quantity in range(2)
    ]
    assert lookup_of(edges).cells(values, bucket).tolist() == wanted


def test_a_missing_value_has_some_cell_of_its_own_quantity() -> None:
    edges = np.stack([[padded(cells_of(column([1, 2, 3]), np.ones(3)))[0]] * 2])
    found = lookup_of(edges).cells(column(np.full((2, 1), np.nan)), np.zeros(1, np.int64))
    assert ((found >= 0) & (found < CELLS)).all()

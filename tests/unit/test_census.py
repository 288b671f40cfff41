"""Census: every row into one cell per quantity, whatever the block's layout and however it was cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.baseline import Baseline, Season
from models.cells import EDGES
from models.census import Census, Counted
from models.discount import discount
from models.quantity import columns
from tests.helpers.baselines import baseline_of
from tests.helpers.traffic import START_MS, cut, poisson, rows_at, with_values
from tocsin.errors import StateError
from tocsin.rows import Rows

HOURLY = Season("UTC", 24, 1)


def calm(seed: int = 1, seconds: float = 600.0) -> Rows:
    return rows_at(*poisson(seed, 5_000, 0.001, seconds), seed=seed)


def alone(rows: Rows) -> Rows:
    """Returns the rows as if each were another caller's."""
    return replace(rows, hash=np.arange(len(rows), dtype=np.uint64))


def total(counted: list[Counted]) -> list[list[float]]:
    weights: list[list[float]] = sum((one.weights for one in counted), np.zeros(counted[0].weights.shape)).tolist()
    return weights


def by_hand(baseline: Baseline, rows: Rows) -> list[list[float]]:
    counts = np.zeros((len(baseline.quantities), 64))
    for number, (quantity, column) in enumerate(zip(baseline.quantities, columns(baseline, rows), strict=True)):
        edges = np.frombuffer(quantity.edges, "<f4").reshape(-1, EDGES)[0]
        for value in column[~np.isnan(column)]:
            counts[number, np.searchsorted(edges, value, "right")] += 1
    return counts.tolist()


def test_every_row_counts_once_in_every_quantity() -> None:
    golden, rows = calm(1), alone(calm(2))
    baseline = baseline_of(golden)
    counted = Census(baseline, 1).count(rows)
    assert [one.rows for one in counted] == [len(rows)]
    assert np.allclose(counted[0].weights.sum(axis=1), len(rows))
    assert total(counted) == by_hand(baseline, rows)


def test_golden_rows_fill_the_cells_as_their_masses_say() -> None:
    golden = alone(calm(3, 4_000))
    baseline = baseline_of(golden)
    (counted,) = Census(baseline, 1).count(golden)
    for quantity, weights in zip(baseline.quantities, counted.weights, strict=True):
        assert np.allclose(weights / len(golden), np.frombuffer(quantity.masses, "<f8"), atol=2e-3)


def test_a_missing_value_is_counted_only_as_missing() -> None:
    golden = calm(1)
    baseline = baseline_of(golden)
    values = golden.values.copy()
    values[0] = np.nan
    counted = Census(baseline, 1).count(with_values(golden, 0, values=values))[0]
    names = [quantity.name for quantity in baseline.quantities]
    assert counted.weights[names.index("amount")].sum() == 0
    assert counted.weights[names.index("missing amount")].sum() == counted.weights[names.index("missing km")].sum() > 0
    assert (counted.weights[names.index("missing amount")] != counted.weights[names.index("missing km")]).any()


def test_features_are_found_by_name() -> None:
    golden, rows = calm(1), calm(2)
    baseline = baseline_of(golden)
    turned = replace(rows, features=("hour", "colour", "amount", "km"), values=rows.values[[2, 1, 0, 1]])
    assert total(Census(baseline, 1).count(turned)) == total(Census(baseline, 1).count(rows))


def test_each_hour_is_held_against_its_own_cells() -> None:
    golden = rows_at(*poisson(1, 2_000, 0.01, 7_200.0))
    later = golden.ts >= START_MS + 3_600_000
    golden = with_values(golden, 0, confidence=np.where(later, golden.confidence / 2, golden.confidence))
    baseline = baseline_of(golden, watches=("confidence",), season=HOURLY)
    first, second = Census(baseline, 1).count(alone(golden))
    assert second.bucket == first.bucket + 1
    assert (first.rows, second.rows) == (int((~later).sum()), int(later.sum()))
    assert (first.first_ts, second.last_ts) == (int(golden.ts.min()), int(golden.ts.max()))
    assert first.last_row == int(np.flatnonzero(~later)[-1])
    for one in (first, second):
        assert np.allclose(one.weights.sum(axis=0) / one.rows, 1 / 64, atol=2e-3)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_any_cut_adds_up_to_the_same_counts_and_leaves_the_same_state(size: int) -> None:
    baseline = baseline_of(calm(1), correlation=0.3, window=1_000)
    rows = rows_at(*poisson(5, 30, 0.2, 600.0))
    whole, parts = Census(baseline, 2), Census(baseline, 2)
    counted = [one for block in cut(rows, size) for one in parts.count(block)]
    assert np.allclose(total(counted), total(whole.count(rows)), atol=1e-4)
    assert parts.dump() == whole.dump()


def test_a_callers_later_events_weigh_what_the_discount_leaves() -> None:
    baseline = baseline_of(calm(1), watches=("confidence",), correlation=0.5)
    rows = rows_at(np.arange(10.0), np.zeros(10, np.int64))
    (counted,) = Census(baseline, 1).count(rows)
    assert counted.weights.sum() == pytest.approx(float(discount(np.arange(1, 11), 0.5).sum()), rel=1e-6)


def test_a_restart_in_mid_window_changes_nothing() -> None:
    baseline = baseline_of(calm(1), correlation=0.3)
    rows = rows_at(*poisson(5, 30, 0.2, 600.0))
    first, second = rows.select(slice(0, 800)), rows.select(slice(800, None))
    whole, before, after = Census(baseline, 1), Census(baseline, 1), Census(baseline, 1)
    whole.count(first)
    before.count(first)
    after.load(before.dump())
    assert total(after.count(second)) == total(whole.count(second))
    assert after.dump() == whole.dump()


def test_bytes_that_are_no_state_are_refused() -> None:
    census = Census(baseline_of(calm(1)), 1)
    for data in (b"", b"\xff" * 9, Census(baseline_of(calm(1)), 2).dump()):
        with pytest.raises(StateError):
            census.load(data)


def test_no_rows_and_no_quantities_are_tolerated() -> None:
    rows = calm(1)
    assert Census(baseline_of(rows), 1).count(rows.select(slice(0, 0))) == []
    (counted,) = Census(baseline_of(rows, watches=()), 1).count(rows)
    assert counted.weights.shape == (0, 64)

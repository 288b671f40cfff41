"""Gains by kind of row are the sums that row by row would give."""

from __future__ import annotations

import numpy as np
import pytest

from models.gains import Gains

ROWS, BUCKETS, CELLS, EXPERTS = 1_000, 3, 8, 5


@pytest.fixture
def gains() -> Gains:
    rng = np.random.default_rng(1)
    table = rng.normal(size=(BUCKETS, CELLS, EXPERTS))
    bucket = np.sort(rng.integers(0, BUCKETS, ROWS))
    return Gains(table, bucket, rng.integers(0, CELLS, ROWS), rng.choice([1.0, 0.5, 0.25, 0.0], ROWS))


def row_by_row(gains: Gains) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rows: np.ndarray[tuple[int, int], np.dtype[np.float64]] = gains.table[gains.bucket, gains.cell]
    return rows


def test_centred_gains_have_no_mean_in_any_bucket(gains: Gains) -> None:
    rows = row_by_row(gains.centred())
    for bucket in range(BUCKETS):
        assert rows[gains.bucket == bucket].mean(axis=0) == pytest.approx(np.zeros(EXPERTS), abs=1e-12)


def test_the_variance_is_that_of_the_rows(gains: Gains) -> None:
    used = gains.weights > 0
    assert gains.variance() == pytest.approx(row_by_row(gains).var(axis=0))
    assert gains.variance(used) == pytest.approx(row_by_row(gains)[used].var(axis=0))


def test_blocks_are_summed_by_weight_across_buckets_and_the_rest_is_left_out(gains: Gains) -> None:
    weighted = row_by_row(gains) * gains.weights[:, None]
    assert gains.sums_of_blocks(64) == pytest.approx(weighted[: 15 * 64].reshape(15, 64, EXPERTS).sum(axis=1))


def test_what_a_stake_is_multiplied_by_is_summed_from_start_to_start(gains: Gains) -> None:
    each = np.expm1(row_by_row(gains) * gains.weights[:, None])
    wanted = [each[:300].sum(axis=0), each[300:301].sum(axis=0), each[301:].sum(axis=0)]
    assert gains.from_each(np.array([0, 300, 301])) == pytest.approx(np.array(wanted))

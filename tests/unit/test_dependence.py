"""How far golden rows are from independent."""

from __future__ import annotations

import numpy as np
import pytest

from models.cells import pay_offs
from models.dependence import day_margin, day_or_part, intra_class_correlation, ranks_within, tempering

ROWS = 40_000
UNIFORM = np.log(pay_offs(np.full(64, 1 / 64)))


def evidence_of(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    cell = np.argsort(np.argsort(values)) * 64 // len(values)
    evidence: np.ndarray[tuple[int, int], np.dtype[np.float64]] = UNIFORM[cell]
    return evidence


def autoregressive(seed: int, phi: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    noise = np.random.default_rng(seed).normal(size=ROWS) * np.sqrt(1 - phi * phi)
    for index in range(1, ROWS):
        noise[index] += phi * noise[index - 1]
    return noise  # stationary, variance 1


def test_ranks_are_within_their_bucket_and_ties_share_theirs() -> None:
    values = np.array([3, 1, 1, 100, 200], np.float32)
    assert ranks_within(values, np.array([0, 0, 0, 1, 1])) == pytest.approx([2.5 / 3, 1 / 3, 1 / 3, 0.25, 0.75])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.9])
def test_the_share_of_variance_between_callers_is_found(share: float) -> None:
    rng = np.random.default_rng(1)
    who = rng.integers(0, 3_000, ROWS)
    values = np.sqrt(share) * rng.normal(size=3_000)[who] + np.sqrt(1 - share) * rng.normal(size=ROWS)
    ranks = ranks_within(values.astype(np.float32), np.zeros(ROWS, np.int64))
    assert intra_class_correlation(ranks, who.astype(np.uint64)) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("who", [np.zeros(500), np.arange(500)], ids=["one caller", "no caller twice"])
def test_where_nothing_can_be_said_the_correlation_is_none(who: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert intra_class_correlation(np.random.default_rng(2).random(500), who.astype(np.uint64)) == 0.0


def test_a_constant_is_no_cluster() -> None:
    assert intra_class_correlation(np.full(100, 0.5), (np.arange(100) // 4).astype(np.uint64)) == 0.0


def test_independent_rows_are_hardly_tempered_and_neighbours_that_agree_are() -> None:
    weights = np.ones(ROWS)
    alone = tempering(evidence_of(np.random.default_rng(3).normal(size=ROWS)), weights)
    together = tempering(evidence_of(autoregressive(3, 0.5)), weights)
    assert np.median(alone) > 0.8
    assert together[:6].max() < 0.5  # sums of an AR(1) of .5 vary three times as much
    assert (together > 0).all()


def test_days_that_differ_are_allowed_for() -> None:
    rng = np.random.default_rng(5)
    day = np.arange(ROWS) // 2_000
    weights = np.ones(ROWS)
    calm = day_margin(evidence_of(rng.normal(size=ROWS)), weights, day)
    moody = day_margin(evidence_of(rng.normal(size=ROWS) + rng.normal(size=20)[day] * 0.2), weights, day)
    assert (moody[:6] > 2 * calm[:6]).all()


def test_one_day_has_no_margin_but_its_parts_do() -> None:
    evidence = evidence_of(np.random.default_rng(6).normal(size=ROWS))
    one_day = np.zeros(ROWS, np.int64)
    assert (day_margin(evidence, np.ones(ROWS), one_day) == 0).all()
    assert (day_margin(evidence, np.ones(ROWS), day_or_part(one_day)) > 0).all()

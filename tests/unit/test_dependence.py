"""How far golden rows are from independent."""

from __future__ import annotations

import numpy as np
import pytest

from models.cells import pay_offs
from models.dependence import burstiness, day_margin, day_or_part, intra_class_correlation, ranks_within, tempering, wandering
from models.gains import Gains

ROWS = 40_000
UNIFORM = np.log(pay_offs(np.full(64, 1 / 64)))[None, :, :]


def gains_of(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Gains:
    cell = np.argsort(np.argsort(values)) * 64 // len(values)
    return Gains(UNIFORM, np.zeros(len(values), np.int64), cell, np.ones(len(values)))


def autoregressive(seed: int, phi: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    noise: np.ndarray[tuple[int], np.dtype[np.float64]] = np.random.default_rng(seed).normal(size=ROWS) * np.sqrt(1 - phi**2)
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
    alone = tempering(gains_of(np.random.default_rng(3).normal(size=ROWS)))
    together = tempering(gains_of(autoregressive(3, 0.5)))
    assert np.median(alone) > 0.8
    assert together[:6].max() < 0.5  # sums of an AR(1) of .5 vary three times as much
    assert (together > 0).all()


def ranks_of(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return ranks_within(values.astype(np.float32), np.zeros(len(values), np.int64))


def test_callers_that_take_turns_at_random_make_no_bursts_and_sessions_do() -> None:
    rng = np.random.default_rng(7)
    habits = rng.normal(size=5)
    at_random = habits[rng.integers(0, 5, ROWS)] + rng.normal(size=ROWS)
    in_sessions = habits[np.repeat(rng.integers(0, 5, ROWS // 10), 10)] + rng.normal(size=ROWS)
    assert burstiness(ranks_of(at_random)) == 1.0
    assert burstiness(ranks_of(in_sessions)) > 1.5
    assert burstiness(np.full(ROWS, 0.5)) == 1.0


def margin_of(values: np.ndarray[tuple[int], np.dtype[np.float64]], day: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    return float(day_margin(gains_of(values), day, np.ones(UNIFORM.shape[2]))[:6].mean())


def test_days_that_differ_are_allowed_for_and_chance_within_them_is_not_counted_again() -> None:
    rng = np.random.default_rng(5)
    day = np.arange(ROWS) // 2_000
    calm = rng.normal(size=ROWS)
    assert margin_of(calm, day) < 0.004  # sd of a day's mean by chance alone: 0.006 to 0.013
    assert margin_of(calm + rng.normal(size=20)[day] * 0.2, day) > 0.02


def test_a_drift_is_not_allowed_for_but_told() -> None:
    rng = np.random.default_rng(8)
    day = np.arange(ROWS) // 2_000
    apart, walk = rng.normal(size=20), np.cumsum(rng.normal(size=20))
    exchangeable, drifting = (rng.normal(size=ROWS) + (way / way.std())[day] * 0.5 for way in (apart, walk))
    assert margin_of(drifting, day) < 0.7 * margin_of(exchangeable, day)
    assert wandering(ranks_of(exchangeable), np.ones(ROWS), day) > 0.05
    assert wandering(ranks_of(drifting), np.ones(ROWS), day) < 0.01
    assert wandering(ranks_of(drifting), np.ones(ROWS), day // 5) == 1.0  # four days tell nothing


def test_one_day_has_no_margin_but_its_parts_may() -> None:
    one_day = np.zeros(ROWS, np.int64)
    moody = np.random.default_rng(6).normal(size=ROWS) + np.sin(np.arange(ROWS) / 4_000)
    assert margin_of(moody, one_day) == 0.0
    assert margin_of(moody, day_or_part(one_day)) > 0.0

"""The space that callers are followed in, the limits golden callers keep, and the bets on them."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import loda
from models.baseline import Baseline, decode_baseline, encode_baseline
from models.path_limits import Drawn, limits_of
from models.paths import (
    DIMS,
    FLIP,
    MARGIN,
    RHO,
    SELF,
    SIGNALS,
    Space,
    edge_of,
    on_grid,
    prints_of,
    product,
    space_of,
    steps_of,
)
from models.paths_fit import fit, outlined
from models.tail_bets import BETS, CROWD_EPOCH, KINDS, LAMBDA, STAKED, Crowd, factors, levels, run
from tests.helpers.baselines import baseline_of
from tests.helpers.searches import asked, bisections, fitted, golden, golden_rows, mixed, records, without_answers


def space(baseline: Baseline | None = None) -> Space:
    known = fitted()[0] if baseline is None else baseline
    assert known.paths is not None
    assert known.envelope is not None
    return space_of(known.paths, known, loda.face_of(known.envelope).standard)


def test_densities_are_the_same_bits_however_rows_are_cut() -> None:
    places = space().places(records(1, 1_000).T)
    whole = space().densities(places)
    for size in (1, 7, 241):
        parts = [space().densities(places[begin : begin + size]) for begin in range(0, len(places), size)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_no_squared_distance_leaves_the_whole_numbers_of_float32() -> None:
    for dims in range(1, DIMS + 1):
        edge = float(edge_of(dims))
        assert 3 * dims * edge**2 <= 2**24
        assert dims * (2 * edge) ** 2 <= 2**24


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 1 << 30))
@settings(max_examples=20, deadline=None)
def test_products_of_whole_numbers_are_exact(rows: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.integers(-500, 500, (rows, width)), rng.integers(-60, 60, (width, 16))
    made = product(left.astype(np.float32), right.astype(np.float32))
    assert np.array_equal(made, left @ right)


def test_the_desert_is_thinner_than_the_crowd() -> None:
    crowd, desert = records(2, 200), records(2, 200) * np.float32(4)
    dense, thin = (space().densities(space().places(rows.T)) for rows in (crowd, desert))
    assert np.median(thin) > 10 * np.median(dense)


def test_folding_keeps_distances_on_average() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(40, 400)).astype(np.float32)
    signs = rng.choice(np.array([-1.0, 1.0], np.float32), (40, DIMS))
    whole, folded = steps_of(rows, None), steps_of(rows, signs)
    before = np.square(np.diff(whole, axis=0)).sum(axis=1)
    after = np.square(np.diff(folded, axis=0)).sum(axis=1) / DIMS
    assert 0.9 < float(np.mean(after / before)) < 1.1
    assert float(np.std(after / before)) < 0.5


def test_places_beyond_the_grid_stand_at_its_edge() -> None:
    assert on_grid(np.array([[1e9, -1e9, 2.4]], np.float32), np.float32(1), np.float32(500)).tolist() == [[500, -500, 2]]


def test_a_fingerprint_tells_rows_apart_that_differ_in_one_feature_and_knows_what_is_missing() -> None:
    rows = np.array([[1, 1, 1, np.nan, np.nan], [2, 2, 3, 2, 2]], np.float32)
    prints = prints_of(rows).tolist()
    assert prints[0] == prints[1]
    assert prints[3] == prints[4]
    assert len(set(prints)) == 3


def test_limits_are_kept_by_golden_callers_and_what_they_never_had_has_none() -> None:
    limits = space().limits
    assert (limits[SELF] > 0).all()
    assert (limits[:, 1] <= limits[:, 0]).all()
    bare = baseline_of(without_answers(golden_rows()), watches=("confidence", "envelope"))
    paths, _ = fit(golden(without_answers(golden_rows())), bare, 0.1)
    unknown = np.frombuffer(paths.limits if paths else b"", "<f4").reshape(len(SIGNALS), len(RHO))
    assert np.isneginf(unknown[[MARGIN, FLIP]]).all()
    assert np.isfinite(unknown[SELF]).all()


def _drawn(strange: int, of: int = 100) -> Drawn:
    """Returns callers of whom some are ten times as like themselves as all others."""
    rng = np.random.default_rng(6)
    signals = [np.full((100, len(SIGNALS)), np.nan, np.float32) for _ in range(of)]
    for caller, own in enumerate(signals):
        own[:, SELF] = rng.lognormal(0, 0.3, 100) * (0.1 if caller < strange else 1.0)
    return Drawn(np.arange(1, of + 1, dtype=np.uint64), signals)


def test_one_strange_caller_in_a_hundred_is_muted_and_sets_no_limit() -> None:
    usual, _ = limits_of(_drawn(0))
    limits, muted = limits_of(_drawn(1))
    assert muted[0].tolist() == [False, False, True, False]
    assert muted.sum() == 1
    assert limits[SELF] == pytest.approx(usual[SELF], rel=0.1)


def test_limits_go_beyond_the_strangest_golden_caller_for_newcomers_will_be_stranger() -> None:
    drawn = _drawn(0)
    for caller, own in enumerate(drawn.signals):
        own[:, SELF] *= np.float32(np.exp(-caller / 40))  # each caller a little more like itself than the one before
    strangest = min(float(np.sort(own[:, SELF])[5]) for own in drawn.signals)
    assert limits_of(drawn)[0][SELF, 0] < strangest


def test_many_strange_callers_are_what_is_usual_here() -> None:
    limits, muted = limits_of(_drawn(30))
    assert not muted.any()
    assert (limits[SELF] < 0.15).all()


def test_a_bout_that_the_bets_would_take_for_a_search_lowers_the_limits() -> None:
    calm = _drawn(0)
    calm.signals[3][20:40, SELF] *= np.float32(0.3)
    assert (limits_of(calm)[0][SELF] < limits_of(_drawn(0))[0][SELF]).all()


def test_honest_golden_traffic_arms_the_detector() -> None:
    paths, gate = fitted()[0].paths, fitted()[1]
    assert paths is not None
    assert gate.armed
    assert gate.says.startswith("armed")


def test_golden_traffic_whose_last_days_hold_a_search_does_not() -> None:
    rows = golden_rows()
    values, who = rows.values.T.copy(), np.zeros(len(rows), np.int64)
    values[10_000:10_200] = bisections(20, 200)
    hostile = asked(values, who)
    hash_of = rows.hash.copy()
    hash_of[10_000:10_200] = 99
    _, gate = fit(golden(replace(hostile, hash=hash_of, ts=rows.ts)), fitted()[0], 0.1)
    assert not gate.armed
    assert "accused" in gate.says


def test_golden_callers_who_are_hardly_known_arm_nothing() -> None:
    rows = asked(*mixed(1, 3_000, 2_000), every_s=400.0)
    paths, gate = fit(golden(rows), baseline_of(rows, watches=("confidence", "envelope")), 0.1)
    assert paths is not None
    assert not gate.armed
    assert "needed; found" in gate.says


def test_what_is_too_little_is_said() -> None:
    few = asked(*mixed(1, 200, 5))
    paths, gate = fit(golden(asked(*mixed(1, 260, 5))), baseline_of(few, watches=("confidence", "envelope")), 0.1)
    assert paths is None
    assert "needed; found" in gate.says
    assert outlined(msgspec.structs.replace(fitted()[0], envelope=None)) is None


def test_a_baseline_with_paths_travels() -> None:
    baseline = fitted()[0]
    assert decode_baseline(encode_baseline(baseline), "a test").paths == baseline.paths


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 1 << 30))
@settings(max_examples=30, deadline=None)
def test_sums_run_together_are_those_run_row_by_row(counts: list[int], seed: int) -> None:
    rng, total = np.random.default_rng(seed), sum(counts)
    made = factors(rng.random((total, KINDS)) < 0.2, rng.random((total, len(SIGNALS))) < 0.9, Crowd().pays())
    stakes, before = rng.random(total), rng.random((len(counts), BETS + 1))
    together = run(before.copy(), np.array(counts), stakes, made.copy())
    row = 0
    for caller, count in enumerate(counts):
        sums = before[caller]
        for _ in range(count):
            sums = (sums + stakes[row]) * made[row]
            assert np.array_equal(sums, together[row])
            assert levels(sums[None])[0] == levels(together)[row]
            row += 1


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_caller_beyond_its_limits_as_often_as_it_may_gains_nothing_on_average(share: float) -> None:
    everyone = np.ones((1, len(SIGNALS)), np.bool_)
    hit, miss = (factors(np.full((1, KINDS), below), everyone, Crowd().pays())[0] for below in (True, False))
    rho = np.append(np.repeat(np.tile(RHO, len(SIGNALS)), len(LAMBDA)), 0.0) * share
    gains = rho * hit + (1 - rho) * miss
    assert (gains <= 1 + 1e-12).all()
    assert hit[STAKED] == miss[STAKED] == 1


def test_what_everybody_does_pays_nothing_and_what_one_caller_does_pays_as_ever() -> None:
    crowd, alone = Crowd(), Crowd()
    for epoch in range(1, 40):
        crowd.turn(epoch)
        crowd.draw(np.ones((50, KINDS), np.bool_))
        alone.turn(epoch)
        alone.draw(np.arange(50)[:, None] < np.ones(KINDS))
    assert (crowd.pays() <= 1 + 1e-12).all()
    assert np.array_equal(alone.pays(), Crowd().pays())
    assert CROWD_EPOCH > 0


def test_epochs_in_which_nobody_was_drawn_fade_what_was_known() -> None:
    crowd, steps = Crowd(), Crowd()
    for one in (crowd, steps):
        one.turn(1)
        one.draw(np.ones((50, KINDS), np.bool_))
    crowd.turn(9)
    for epoch in range(2, 10):
        steps.turn(epoch)
    assert crowd.drawn == pytest.approx(steps.drawn)
    assert crowd.hits == pytest.approx(steps.hits)

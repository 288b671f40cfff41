"""LODA: silent about golden rows, plain-spoken about strange ones, and nobody teaches it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import anomaly

from models.loda import CALIBRATION_ROWS, PROJECTIONS, Loda, p_values, scores
from models.loda_fit import build_loda, held_out
from tests.helpers.packaged import Packaged, packaged
from tocsin.codec import pack, unpack
from tocsin.rows import category_code

SETS = pytest.mark.parametrize("data", packaged(), ids=lambda data: data.name)
DECLARED = 0.05
Values = NDArray[np.float32]


def normal(features: int, rows: int, seed: int = 1) -> Values:
    return np.random.default_rng(seed).normal(size=(features, rows)).astype(np.float32)


def names(values: Values) -> tuple[str, ...]:
    return tuple(f"f{index}" for index in range(len(values)))


def built(values: Values) -> Loda:
    return build_loda(values, names(values), 1)[0]


def auc(usual: NDArray[np.float64], strange: NDArray[np.float64]) -> float:
    """Returns how often a strange row scores above a usual one."""
    below = np.searchsorted(np.sort(usual), strange, "left") + np.searchsorted(np.sort(usual), strange, "right")
    return float(below.mean() / (2 * len(usual)))


def half_space_trees(golden: Values, rows: Values) -> NDArray[np.float64]:
    """Returns the scores of River's HalfSpaceTrees after learning the golden rows."""
    low = golden.min(axis=1, keepdims=True)
    span = np.maximum(golden.max(axis=1, keepdims=True) - low, 1e-6)
    trees = anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=200, seed=1)
    for row in np.clip((golden - low) / span, 0, 1).T.tolist():
        trees.learn_one(dict(enumerate(row)))
    scaled = np.clip((rows - low) / span, 0, 1)
    return np.array([trees.score_one(dict(enumerate(row))) for row in scaled.T.tolist()])


def planted(data: Packaged, rows: int = 100) -> Values:
    """Returns usual rows in which every third feature or so is anywhere between the least and the greatest usual value."""
    rng = np.random.default_rng(3)
    low, high = data.usual.min(axis=1, keepdims=True), data.usual.max(axis=1, keepdims=True)
    anywhere = rng.uniform(low, high, (len(low), rows)).astype(np.float32)
    return np.where(rng.random(anywhere.shape) < 1 / 3, anywhere, data.usual[:, -rows:])


@SETS
def test_it_tells_another_class_from_the_golden_one(data: Packaged) -> None:
    cut = data.usual.shape[1] * 2 // 3
    loda = built(data.usual[:, :cut])
    wanted = {"phishing": 0.9, "segment": 0.9, "banana": 0.75}[data.name]
    assert auc(scores(loda, data.usual[:, cut:]), scores(loda, data.strange)) > wanted


@SETS
def test_it_beats_half_space_trees_on_planted_outliers(data: Packaged) -> None:
    cut = min(data.usual.shape[1] * 2 // 3, 1_000)
    golden, usual, strange = data.usual[:, :cut], data.usual[:, cut : cut + 200], planted(data)
    loda = built(golden)
    mine = auc(scores(loda, usual), scores(loda, strange))
    theirs = auc(half_space_trees(golden, usual), half_space_trees(golden, strange))
    assert mine > theirs


@SETS
def test_as_many_benign_rows_lie_outside_as_declared(data: Packaged) -> None:
    outside = []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(data.usual.shape[1])
        golden, later = data.usual[:, order[::2]], data.usual[:, order[1::2]]
        loda = built(golden)
        outside.append((p_values(loda, scores(loda, later)) <= DECLARED).mean())
    assert 0.8 * DECLARED < np.mean(outside) < 1.2 * DECLARED


def test_a_walk_of_a_fifth_of_the_traffic_towards_a_target_moves_nothing() -> None:
    golden, traffic = normal(5, 2_000), normal(5, 1_000, seed=2)
    loda = built(golden)
    target, before = np.full((5, 1), 6, np.float32), pack(loda)
    at_first = p_values(loda, scores(loda, target))
    traffic[:, ::5] = target * np.linspace(0, 1, 200, dtype=np.float32)
    for begin in range(0, 1_000, 50):
        scores(loda, traffic[:, begin : begin + 50])
    assert pack(loda) == before
    assert p_values(loda, scores(loda, target)).tolist() == at_first.tolist()
    assert at_first[0] == pytest.approx(1 / 501)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.integers(0, 400), st.booleans())
def test_a_score_belongs_to_its_row_alone(size: int, start: int, backwards: bool) -> None:
    values = WIDE[:, ::-1] if backwards else WIDE
    whole = WHOLE[::-1] if backwards else WHOLE
    assert scores(FROZEN, values[:, start : start + size]).tolist() == whole[start : start + size].tolist()


def _wide() -> Values:
    values = normal(7, 1_000, seed=5) ** 3
    values[2, ::3] = np.nan
    values[6] = np.arange(1_000) % 5
    return values


WIDE = _wide()
FROZEN = build_loda(WIDE, (*names(WIDE)[:6], "=colour"), 1)[0]
WHOLE = scores(FROZEN, WIDE)


def test_scores_are_exact_in_float32_and_usual_rows_score_about_zero() -> None:
    assert WHOLE.astype(np.float32).astype(np.float64).tolist() == WHOLE.tolist()
    assert abs(WHOLE[held_out(len(WHOLE))].mean()) < 0.2


@pytest.mark.parametrize("features", [1, 2, 3, 500])
def test_it_works_for_one_feature_and_for_five_hundred_on_two_hundred_rows(features: int) -> None:
    golden = normal(features, 200)
    loda = built(golden)
    found = scores(loda, np.concatenate((golden[:, :50], golden[:, :50] + np.float32(9)), axis=1))
    assert np.isfinite(found).all()
    assert found[50:].min() > found[:50].max()
    assert p_values(loda, found)[50:].max() == pytest.approx(1 / 51)


@pytest.mark.parametrize("golden", [np.ones((3, 200)), np.full((3, 200), np.nan), np.ones((0, 200)), np.ones((3, 0))])
def test_features_that_never_vary_say_nothing_about_anybody(golden: NDArray[np.float64]) -> None:
    values = golden.astype(np.float32)
    loda, rows = built(values), normal(len(golden), 4)
    assert np.isnan(scores(loda, rows)).all()
    assert np.isnan(p_values(loda, scores(loda, rows))).all()


def test_a_constant_among_others_is_left_out() -> None:
    golden = np.concatenate((normal(3, 500), np.full((1, 500), 7, np.float32)))
    changed = golden.copy()
    changed[3] = 1e6
    loda = built(golden)
    assert scores(loda, changed).tolist() == scores(loda, golden).tolist()


def test_a_missing_value_stands_at_the_centre() -> None:
    golden = normal(5, 999)
    loda, holes, medians = built(golden), golden.copy(), golden.copy()
    aside = held_out(999)
    holes[1, ::2], medians[1, ::2] = np.nan, np.median(golden[1, ~aside])
    assert scores(loda, holes).tolist() == scores(loda, medians).tolist()


def test_a_row_without_any_known_value_has_no_score() -> None:
    rows = normal(5, 3)
    rows[:, 1] = np.nan
    assert np.isnan(scores(built(normal(5, 500)), rows)).tolist() == [False, True, False]


def test_a_row_without_a_score_is_not_strange() -> None:
    p = p_values(built(normal(2, 500)), np.array([np.nan, 0.0]))
    assert np.isnan(p).tolist() == [True, False]


def test_a_category_never_seen_is_as_strange_as_they_get() -> None:
    rng = np.random.default_rng(1)
    codes = np.array([category_code(name) for name in ("card", "cash", "cheque", "barter")], np.float32)
    golden = np.stack((rng.normal(size=4_000), codes[rng.choice(3, 4_000, p=(0.7, 0.29, 0.01))])).astype(np.float32)
    loda, _ = build_loda(golden, ("amount", "=means"), 1)
    card, cash, cheque, barter = scores(loda, np.stack((np.zeros(4, np.float32), codes))).tolist()
    assert max(card, cash) < cheque < barter


def test_an_id_of_which_every_row_has_its_own_says_nothing() -> None:
    golden = np.stack((normal(1, 1_000)[0], np.arange(1_000, dtype=np.float32)))
    loda, _ = build_loda(golden, ("amount", "=id"), 1)
    later = golden + np.array([[0], [5_000]], np.float32)
    assert scores(loda, later).tolist() == scores(loda, golden).tolist()


def test_one_golden_row_at_a_billion_spreads_hides_nobody() -> None:
    golden = normal(4, 2_000)
    golden[0, 7] = 1e9
    shifted = normal(4, 500, seed=3) + np.array([[12], [0], [0], [0]], np.float32)
    rows = np.concatenate((normal(4, 500, seed=2), shifted), axis=1)
    found = scores(built(golden), rows)
    assert auc(found[:500], found[500:]) > 0.99


def test_values_at_the_end_of_the_numbers_are_scored() -> None:
    ends = np.array([[3e38, -3e38, 1e-40]] * 3, np.float32)
    assert np.isfinite(scores(built(normal(3, 300)), ends)).all()


def test_a_usual_value_of_each_feature_in_an_unusual_combination_is_strange() -> None:
    rng = np.random.default_rng(1)
    both = rng.normal(size=4_000)
    golden = np.stack([both + 0.1 * rng.normal(size=4_000) for _ in range(4)]).astype(np.float32)
    broken = golden[:, 3_000:].copy()
    broken[0] = -broken[0]
    loda = built(golden[:, :3_000])
    assert auc(scores(loda, golden[:, 3_000:]), scores(loda, broken)) > 0.75


def test_the_same_rows_and_seed_give_the_same_bytes() -> None:
    golden = normal(5, 500)
    assert build_loda(golden, names(golden), 1) == build_loda(golden.copy(), names(golden), 1)
    assert build_loda(golden, names(golden), 1) != build_loda(golden, names(golden), 2)


def test_it_survives_the_wire_and_stays_small() -> None:
    golden = normal(10, 30_000)
    loda, references = build_loda(golden, names(golden), 1)
    assert unpack(pack(loda), Loda, "test") == loda
    assert len(pack(loda)) < 100_000
    assert len(loda.calibration) == 4 * CALIBRATION_ROWS
    assert np.frombuffer(references, "<f4").reshape(-1, 10).shape == (1_024, 10)
    assert len(loda.weights) == 4 * PROJECTIONS * 7


def test_a_quarter_is_held_out_in_runs_that_keep_sessions_together() -> None:
    aside = held_out(1_000)
    assert aside.sum() == 250
    assert np.count_nonzero(np.diff(aside)) < 12

"""Ours scores exactly as River's HalfSpaceTrees."""

from __future__ import annotations

from river import anomaly

from models.half_space_trees import HEIGHT, LIMITS_FROM, TREES, WINDOW, HalfSpaceTrees
from tests.helpers.traffic import FEATURES, cut, poisson, rows_at
from tocsin.clock import Clock


def test_scores_are_those_of_river_on_the_same_points_also_after_a_restart() -> None:
    rows = rows_at(*poisson(1, 10, 0.1, 1_500))  # one call a second: every row is read
    detector = HalfSpaceTrees(seed=5)
    for number, block in enumerate(cut(rows, 100)):
        detector.observe(block, Clock())
        if number == 8:
            state = detector.dump()
            detector = HalfSpaceTrees(seed=5)
            detector.load(state)
    river = anomaly.HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=WINDOW, seed=5)
    theirs = []
    for point in rows.values.T.astype(float).tolist()[LIMITS_FROM:]:
        scaled = detector.scaled(point)
        theirs.append(river.score_one(scaled))
        river.learn_one(scaled)
    assert tuple(detector.features) == FEATURES
    assert detector.share.first == theirs[WINDOW:] != []


def test_limits_are_fixed_by_the_first_rows() -> None:
    detector = HalfSpaceTrees()
    rows = rows_at(*poisson(1, 10, 0.1, 1_500))
    detector.observe(rows.select(slice(0, LIMITS_FROM)), Clock())
    before = list(detector.limits)
    detector.observe(rows.select(slice(LIMITS_FROM, None)), Clock())
    assert detector.limits == before
    assert all(low < high for low, high in before)

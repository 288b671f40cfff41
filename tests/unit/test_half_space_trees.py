"""Ours scores exactly as River's HalfSpaceTrees."""

from __future__ import annotations

import numpy as np
import pytest
from river import anomaly

from models.half_space_trees import HEIGHT, LIMITS_FROM, TREES, WINDOW, HalfSpaceTrees
from models.river_state import Forest, restore_forest
from tests.helpers.traffic import FEATURES, cut, poisson, rows_at, with_values
from tocsin.clock import Clock
from tocsin.errors import StateError


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


def masses(detector: HalfSpaceTrees) -> list[tuple[int, int]]:
    return [(node.l_mass, node.r_mass) for tree in detector.trees._tree_nodes for node in tree]


@pytest.mark.parametrize("learnt", [0, 1, WINDOW - 1, WINDOW, 2 * WINDOW + 100])
def test_the_leaves_say_what_river_counted_in_every_node(learnt: int) -> None:
    rows = rows_at(*poisson(1, 10, 0.1, 1_500)).select(slice(0, LIMITS_FROM + learnt))
    rows = with_values(rows, 0, values=np.where(rows.values > 60, np.float32(np.nan), rows.values))
    detector, restored = HalfSpaceTrees(seed=5), HalfSpaceTrees(seed=5)
    for block in cut(rows, 100):
        detector.observe(block, Clock())
    restored.load(detector.dump())
    assert masses(restored) == masses(detector)
    assert restored.dump() == detector.dump()
    assert sum(now for now, _ in masses(detector)) == learnt % WINDOW * TREES * (HEIGHT + 1)


def test_a_dump_is_never_older_than_the_last_point() -> None:
    rows = rows_at(*poisson(1, 10, 0.1, 1_500))
    often, once = HalfSpaceTrees(), HalfSpaceTrees()
    for block in cut(rows, 100):
        often.observe(block, Clock())
        once.observe(block, Clock())
        often.dump()
    assert often.dump() == once.dump()


def test_masses_of_other_trees_are_refused() -> None:
    detector = HalfSpaceTrees()
    detector.observe(rows_at(*poisson(1, 10, 0.1, 60)), Clock())
    forest = Forest(b"\0", b"\0", 0, True)
    with pytest.raises(StateError, match="of 640 leaves expected, of 1 and 1 found"):
        restore_forest(detector.trees, forest)

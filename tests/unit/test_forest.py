"""Forest: bagged trees that answer as a model does which looks at a few features only."""

from __future__ import annotations

import numpy as np

from models.forest import TREES, votes

RNG = np.random.default_rng(1)
KNOWN, TESTS = (RNG.normal(size=(9, many)).astype(np.float32) for many in (600, 500))


def rule(values: np.ndarray) -> np.ndarray:
    """Returns three answers by two of nine features."""
    return np.where(values[3] > 0.5, 2, (values[7] < -0.2).astype(np.int64))


def test_a_rule_over_two_of_nine_features_is_copied() -> None:
    given = votes(KNOWN, rule(KNOWN), 3, TESTS)
    assert (given.argmax(axis=1) == rule(TESTS)).mean() > 0.97


def test_every_tree_has_one_vote_on_every_row() -> None:
    assert np.allclose(votes(KNOWN, rule(KNOWN), 3, TESTS).sum(axis=1), TREES)


def test_the_same_rows_give_the_same_votes() -> None:
    assert votes(KNOWN, rule(KNOWN), 3, TESTS).tobytes() == votes(KNOWN, rule(KNOWN), 3, TESTS).tobytes()


def test_rows_that_are_alike_but_answered_otherwise_share_a_leaf() -> None:
    given = votes(np.zeros((2, 400), np.float32), np.arange(400) % 4 // 3, 2, np.zeros((2, 1), np.float32))
    assert abs(given[0, 1] / TREES - 0.25) < 0.03


def test_one_known_row_answers_everything() -> None:
    assert votes(KNOWN[:, :1], np.array([1]), 2, TESTS).argmax(axis=1).tolist() == [1] * 500

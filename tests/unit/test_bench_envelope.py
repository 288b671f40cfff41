"""The envelope benchmark's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from bench.detection.envelope import quality, stream_of
from bench.detection.envelope_delay import WITH, WITHOUT, delays
from bench.detection.envelope_methods import OURS, methods
from bench.detection.envelope_walk import walks
from tests.helpers.packaged import Packaged, packaged


def test_quality_counts_ties_half_and_thresholds_on_usual_rows() -> None:
    strange = np.array([False, False, True, True])
    assert quality(np.array([1.0, 2.0, 2.0, 3.0]), strange) == {"auc": 0.875, "tpr at fpr 0.01": 0.5}
    assert quality(np.zeros(4), strange) == {"auc": 0.5, "tpr at fpr 0.01": 0.0}


@pytest.mark.parametrize("data", packaged(), ids=lambda data: data.name)
def test_golden_rows_are_usual_and_none_of_them_comes_again(data: Packaged) -> None:
    stream = stream_of(data, 1)
    assert stream.rows.shape[1] == len(stream.strange)
    assert 0 < stream.strange.sum() <= 1_000
    usual = data.usual.shape[1]
    assert stream.golden.shape[1] + int((~stream.strange).sum()) == usual


def test_a_walk_leads_what_follows_the_stream_and_not_what_is_frozen() -> None:
    usual = np.random.default_rng(1).normal(size=(3, 2_500)).astype(np.float32)
    golden, later = usual[:, :1_000], usual[:, 1_000:]
    moved = {name: after - before for name, before, after in walks(golden, later, np.full((3, 1), 6, np.float32), 1)}
    assert moved[OURS] == moved["river HalfSpaceTrees, frozen"] == 0.0
    assert moved["river HalfSpaceTrees, online"] > 0.005


@pytest.mark.parametrize("name", methods())
def test_every_method_scores_every_row(name: str) -> None:
    rows = np.random.default_rng(1).normal(size=(3, 320)).astype(np.float32)
    found = methods()[name](rows[:, :300])(rows[:, 300:])
    assert found.shape == (20,)
    assert np.isfinite(found).all()


def test_a_share_of_strange_rows_is_waited_for_until_it_is_told() -> None:
    told = list(delays(quick=True))
    assert {name for name, _, _, _ in told} == {WITH, WITHOUT}
    assert all(0 < events < 2_000 for _, _, events, _ in told)

"""The envelope benchmark's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from bench.detection.envelope import quality, stream_of
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

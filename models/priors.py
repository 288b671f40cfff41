"""Priors: how a bank divides what it stakes among the quantities that it watches.

Theory. A bank's statistic is the average of its quantities' with weights that add up to 1, whatever they are, so weights cost
no false alarm; a weight of 1/100 costs a delay, of log 100 in the evidence needed. Single features, confidences and so on
keep half of the weight however many pairs and mixes of features there are beside them, for most changes show in one alone;
pairs, which are few and name who fell out with whom, have half of the rest.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline

ALONE: Final = "alone"
SHARES: Final[dict[str, float]] = {ALONE: 2.0, "pair": 1.0, "projection": 1.0}
"""Weights of the groups that are there, relative to each other; every kind of quantity not named here is of the first."""


def priors(baseline: Baseline, quantities: list[int]) -> NDArray[np.float64]:
    """Returns the weight of each quantity, float64 (quantities,), > 0, adding up to 1.

    Args:
        baseline: the model's.
        quantities: indices in it.
    """
    kinds = [baseline.quantities[index].watches for index in quantities]
    groups = [kind if kind in SHARES else ALONE for kind in kinds]
    size = Counter(groups)
    weights = np.array([SHARES[group] / size[group] for group in groups], np.float64)
    return weights / weights.sum() if len(weights) else weights

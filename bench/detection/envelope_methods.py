"""Methods: what tells single strange inputs from golden ones. Golden rows in, a function of later rows to scores out.

What is frozen learns golden rows only; what is online learns each row after scoring it as well, as its makers mean it.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import anomaly, compose, preprocessing

from models.loda import Loda, scores
from models.loda_fit import build_loda

Values = NDArray[np.float32]
Scores = NDArray[np.float64]
Fitted = Callable[[Values], Scores]
"""Rows in, (features, rows), scores out, greater is stranger."""
Method = Callable[[Values], Fitted]
"""Golden rows in."""

SEED: Final = 1
OURS: Final = "tocsin envelope, frozen"


def frozen(golden: Values, seed: int = SEED) -> Loda:
    """Returns the envelope of golden rows."""
    return build_loda(golden, tuple(map(str, range(len(golden)))), seed)[0]


def _envelope(golden: Values) -> Fitted:
    loda = frozen(golden)
    return lambda rows: scores(loda, rows)


def _histograms(golden: Values) -> Fitted:
    loda = msgspec.structs.replace(frozen(golden), neighbours=None)
    return lambda rows: scores(loda, rows)


def _forest(golden: Values) -> Fitted:
    forest = importlib.import_module("sklearn.ensemble").IsolationForest(n_estimators=100, random_state=1).fit(golden.T)
    return lambda rows: -np.asarray(forest.score_samples(rows.T), np.float64)


def _local_outlier_factor(golden: Values) -> Fitted:
    sklearn = importlib.import_module("sklearn")
    scaler = importlib.import_module("sklearn.preprocessing").StandardScaler()
    factor = importlib.import_module("sklearn.neighbors").LocalOutlierFactor(n_neighbors=20, novelty=True)
    with sklearn.config_context(assume_finite=True):
        factor.fit(scaler.fit_transform(golden.T))
    return lambda rows: -np.asarray(factor.score_samples(scaler.transform(rows.T)), np.float64)


def _constant(_: Values) -> Fitted:
    return lambda rows: np.zeros(rows.shape[1])


def _river(build: Callable[[], Any], online: bool) -> Method:
    def fit(golden: Values) -> Fitted:
        model = build()
        for row in golden.T.tolist():
            model.learn_one(dict(enumerate(row)))

        def score(rows: Values) -> Scores:
            found = []
            for row in rows.T.tolist():
                point = dict(enumerate(row))
                found.append(float(model.score_one(point)))
                if online:
                    model.learn_one(point)
            return np.array(found)

        return score

    return fit


def _trees() -> Any:
    return compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(n_trees=10, height=8, seed=1))


def _support_vectors() -> Any:
    return compose.Pipeline(preprocessing.StandardScaler(), anomaly.OneClassSVM())


METHODS: Final[dict[str, Method]] = {
    OURS: _envelope,
    "tocsin histograms alone, frozen": _histograms,
    "scikit-learn IsolationForest, frozen": _forest,
    "scikit-learn LocalOutlierFactor, frozen": _local_outlier_factor,
    "river HalfSpaceTrees, frozen": _river(_trees, online=False),
    "river HalfSpaceTrees, online": _river(_trees, online=True),
    "river OneClassSVM, online": _river(_support_vectors, online=True),
    "dummy": _constant,
}


def methods() -> dict[str, Method]:
    """Returns those whose libraries are installed."""
    installed = importlib.util.find_spec("sklearn") is not None
    return {name: fit for name, fit in METHODS.items() if installed or not name.startswith("scikit")}

"""Envelope: which single inputs are told from golden ones, beside detectors of River and scikit-learn.

`python -m bench.detection envelope --json`. Golden rows are usual ones, 5,000 or a quarter; then come others of the same set
with strange ones among them, in random order. What is frozen learns golden rows only; what is online learns them and then
each row after scoring it, as its makers mean it. `tpr at fpr 0.01` is the share of strange rows found at the threshold that 1 %
of usual ones exceed. The public sets are read from `../shared/data`, if it is there; nothing of Tocsin was chosen on them.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from river import anomaly, compose, preprocessing

from bench.detection.result import Result
from models.loda import p_values, scores
from models.loda_fit import build_loda
from tests.helpers.packaged import Packaged, packaged, split

PART: Final = "envelope"
PUBLIC: Final = Path(__file__).parents[3] / "shared" / "data" / "adbench"
NOTED: Final = (
    "cover",
    "donors",
    "http",
    "mammography",
    "pendigits",
    "satimage-2",
    "shuttle",
    "smtp",
    "thyroid",
    "campaign",
    "celeba",
)
"""The sets that earlier measurements in the field's notes are over."""
GOLDEN: Final = 5_000
USUAL: Final = 20_000
STRANGE: Final = 1_000
SEEDS: Final = (0, 1, 2)
BATCH: Final = 512
FALSE: Final = 0.01
TAILS: Final = (0.05, 0.01)
LODA: Final = "tocsin loda, frozen"

Values = NDArray[np.float32]
Scores = NDArray[np.float64]
Fitted = Callable[[Values], Scores]
"""Rows in, (features, rows), scores out, greater is stranger."""
Method = Callable[[Values], Fitted]
"""Golden rows in."""


def _loda(golden: Values) -> Fitted:
    loda, _ = build_loda(golden, tuple(map(str, range(len(golden)))), 1)
    return lambda rows: scores(loda, rows)


def _forest(golden: Values) -> Fitted:
    forest = importlib.import_module("sklearn.ensemble").IsolationForest(n_estimators=100, random_state=1).fit(golden.T)
    return lambda rows: -np.asarray(forest.score_samples(rows.T), np.float64)


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
    LODA: _loda,
    "scikit-learn IsolationForest, frozen": _forest,
    "river HalfSpaceTrees, frozen": _river(_trees, online=False),
    "river HalfSpaceTrees, online": _river(_trees, online=True),
    "river OneClassSVM, online": _river(_support_vectors, online=True),
}


@dataclass(frozen=True, slots=True)
class Stream:
    """One set in one order.

    Attributes:
        golden: float32 (features, rows).
        rows: what comes after.
        strange: bool (rows,), which of them are.
    """

    golden: Values
    rows: Values
    strange: NDArray[np.bool_]


def stream_of(data: Packaged, seed: int) -> Stream:
    """Returns a set's golden rows and what comes after, no more than slow peers can bear."""
    rng = np.random.default_rng(seed)
    usual = data.usual[:, rng.permutation(data.usual.shape[1])]
    strange = data.strange[:, rng.permutation(data.strange.shape[1])[:STRANGE]]
    golden = min(GOLDEN, usual.shape[1] // 4)
    after = usual[:, golden : golden + USUAL]
    order = rng.permutation(after.shape[1] + strange.shape[1])
    rows = np.concatenate((after, strange), axis=1)[:, order]
    return Stream(np.ascontiguousarray(usual[:, :golden]), np.ascontiguousarray(rows), order >= after.shape[1])


def public(noted: bool) -> Iterator[Packaged]:
    """Yields the public sets that are there: those of NOTED, or the others."""
    for path in sorted(PUBLIC.glob("*.npz")):
        name = path.stem.partition("_")[2]
        if (name in NOTED) == noted:
            with np.load(path, allow_pickle=False) as stored:
                yield split(name, stored["X"].astype(np.float32), stored["y"].astype(bool))


def shipped() -> Iterator[Packaged]:
    """Yields the sets that River and scikit-learn ship."""
    yield from packaged()
    if importlib.util.find_spec("sklearn") is None:
        return
    sets = importlib.import_module("sklearn.datasets")
    for name, usual in (("breast_cancer", 1), ("digits", 0)):
        rows, classes = getattr(sets, f"load_{name}")(return_X_y=True)
        yield split(name, rows.astype(np.float32), classes != usual)


def quality(found: Scores, strange: NDArray[np.bool_]) -> dict[str, float]:
    """Returns the area under the ROC curve, ties counting half, and the share found at a false positive rate of FALSE."""
    usual, odd = np.sort(found[~strange]), found[strange]
    below = np.searchsorted(usual, odd, "left") + np.searchsorted(usual, odd, "right")
    threshold = usual[int(np.ceil((1 - FALSE) * len(usual))) - 1]
    return {"auc": float(below.mean() / (2 * len(usual))), f"tpr at fpr {FALSE}": float((odd > threshold).mean())}


def _measured(data: Packaged, seeds: tuple[int, ...], methods: dict[str, Method]) -> Iterator[Result]:
    for seed in seeds:
        stream = stream_of(data, seed)
        for name, method in methods.items():
            for metric, value in quality(method(stream.golden)(stream.rows), stream.strange).items():
                yield Result(PART, data.name, name, metric, value, seed)
        loda, _ = build_loda(stream.golden, data.features, seed)
        p = p_values(loda, scores(loda, stream.rows[:, ~stream.strange]))
        for tail in TAILS:
            yield Result(PART, data.name, LODA, f"usual rows with p <= {tail}", float((p <= tail).mean()), seed)


def _costs(methods: dict[str, Method]) -> Iterator[Result]:
    """Yields CPU time per event over 10 features, one row at a time and BATCH rows at a time."""
    rows = np.random.default_rng(1).lognormal(size=(10, 4_096)).astype(np.float32)
    for name, method in methods.items():
        score = method(rows[:, :2_048])
        for size, calls in ((1, 100), (BATCH, 4)):
            blocks = [np.ascontiguousarray(rows[:, at * size : (at + 1) * size]) for at in range(calls)]
            score(blocks[0])
            best = min(_cpu(score, blocks) for _ in range(3)) / (size * calls)
            yield Result(PART, "10 features", name, f"us per event, {size} at a time", best * 1e6)


def _cpu(score: Fitted, blocks: list[Values]) -> float:
    begin = time.process_time()
    for block in blocks:
        score(block)
    return time.process_time() - begin


def run(quick: bool = False) -> Iterator[Result]:
    """Yields every number of this part; a quick run has one seed and shipped sets only."""
    methods = {name: fit for name, fit in METHODS.items() if importlib.util.find_spec("sklearn") or "scikit" not in name}
    yield from _costs(methods)
    yield from _over("mean of shipped sets", shipped(), SEEDS[:1] if quick else SEEDS, methods)
    if not quick:
        yield from _over("mean of noted public sets", public(noted=True), SEEDS, methods)
        yield from _over("mean of other public sets", public(noted=False), SEEDS, methods)


def _over(name: str, sets: Iterator[Packaged], seeds: tuple[int, ...], methods: dict[str, Method]) -> Iterator[Result]:
    """Yields every number of these sets, then each method's means over them."""
    results: dict[tuple[str, str], list[float]] = {}
    for data in sets:
        for result in _measured(data, seeds, methods):
            results.setdefault((result.method, result.metric), []).append(result.value)
            yield result
    for (method, metric), values in results.items():
        yield Result(PART, name, method, metric, fmean(values))

"""Envelope: which single inputs are told from golden ones, beside detectors of River and scikit-learn.

`python -m bench.detection envelope --json`. Golden rows are usual ones, 5,000 or a quarter; then come others of the same set
with strange ones among them, in random order. `tpr at fpr 0.01` is the share of strange rows found at the threshold that 1 %
of usual ones exceed; `flagged` is what the envelope's own p-value of 1 % flags, golden rows alone having set it, beside one
that never and one that always fires. Then an attacker walks towards a strange row (`envelope_walk.py`), and a share of an
otherwise calm stream lies outside until the detector says so. The public sets are read from `../shared/data`, if it is there;
second opinion and tail were chosen on the sets shipped and the other public ones, the noted ones were looked at in the end.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.detection.envelope_blame import blamed
from bench.detection.envelope_delay import delays
from bench.detection.envelope_methods import OURS, Fitted, Method, Scores, Values, frozen, methods
from bench.detection.envelope_walk import walks
from bench.detection.result import Result
from models.loda import p_values, scores
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
TAILS: Final = (0.05, 1 / 64, 0.01)
COMMITTED: Final = 0.01
RESOLVED: Final = 4
"""Golden rows that must lie beyond a p-value, or a set is too small to say how often it is reached."""


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


def _measured(data: Packaged, seeds: tuple[int, ...], tried: dict[str, Method]) -> Iterator[Result]:
    for seed in seeds:
        stream = stream_of(data, seed)
        for name, method in tried.items():
            for metric, value in quality(method(stream.golden)(stream.rows), stream.strange).items():
                yield Result(PART, data.name, name, metric, value, seed)
        yield from _committed(data.name, stream, seed)
        usual, strange = stream.rows[:, ~stream.strange], stream.rows[:, stream.strange]
        for name, before, after in walks(stream.golden, usual, strange, seed):
            yield Result(PART, data.name, name, "p of the target before a walk", before, seed)
            yield Result(PART, data.name, name, "p of the target after a walk", after, seed)
            yield Result(PART, data.name, name, "a walk moves the target's p by", abs(after - before), seed)
        for many, first, share, right in blamed(stream.golden, usual, seed):
            yield Result(PART, data.name, OURS, f"first named is planted, of {many}", first, seed)
            yield Result(PART, data.name, OURS, f"share of {many} planted named", share, seed)
            yield Result(PART, data.name, OURS, f"share of named planted, of {many}", right, seed)


def _committed(name: str, stream: Stream, seed: int) -> Iterator[Result]:
    """Yields how many rows lie at or under a p-value that golden rows alone have set."""
    loda = frozen(stream.golden, seed)
    p = p_values(loda, scores(loda, stream.rows))
    rows = len(loda.calibration) // 4
    for tail in (tail for tail in TAILS if (rows + 1) * tail >= RESOLVED):
        yield Result(PART, name, OURS, f"usual rows with p <= {tail:.2g}", float((p[~stream.strange] <= tail).mean()), seed)
    for method, flagged in ((OURS, p <= COMMITTED), ("dummy", p < 0), ("always fires", p >= 0)):
        yield Result(PART, name, method, "usual rows flagged", float(flagged[~stream.strange].mean()), seed)
        yield Result(PART, name, method, "strange rows flagged", float(flagged[stream.strange].mean()), seed)


def _costs(tried: dict[str, Method]) -> Iterator[Result]:
    """Yields CPU time per event over 10 features, one row at a time and BATCH rows at a time."""
    rows = np.random.default_rng(1).lognormal(size=(10, 4_096)).astype(np.float32)
    for name, method in tried.items():
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
    tried = methods()
    yield from _costs(tried)
    for method, share, delay, seed in delays(quick):
        yield Result(PART, f"calm, then {share:.1%} outside", method, "events until it says so", delay, seed)
    yield from _over("mean of shipped sets", shipped(), SEEDS[:1] if quick else SEEDS, tried)
    if not quick:
        yield from _over("mean of other public sets", public(noted=False), SEEDS, tried)
        yield from _over("mean of noted public sets", public(noted=True), SEEDS, tried)


def _over(name: str, sets: Iterator[Packaged], seeds: tuple[int, ...], tried: dict[str, Method]) -> Iterator[Result]:
    """Yields every number of these sets, then each method's means over them."""
    results: dict[tuple[str, str], list[float]] = {}
    for data in sets:
        for result in _measured(data, seeds, tried):
            results.setdefault((result.method, result.metric), []).append(result.value)
            yield result
    for (method, metric), values in results.items():
        yield Result(PART, name, method, metric, fmean(values))

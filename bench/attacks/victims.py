"""Victims: scikit-learn classifiers of two classes, and the records that their golden traffic, clients and attackers hold.

Every set is cut once per seed into four parts that share no row: what the victim learnt from, what golden traffic is made of,
what ordinary clients hold afterwards, and what attackers hold. Features are scaled so that half a percent of the rows lies
below 0 and half a percent above 1; attackers stay between. Rows are never clipped: real telemetry has tails.

`DEVELOPMENT` names the sets, and seeds below 1,000 the cuts, on which constants may be chosen; what is reported comes from
`REPORTED` and seeds from 1,000 on. Sets of `../shared/data` are used when they are there and named in every number.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import datasets
from river.datasets import synth

from tocsin.errors import ConfigError

PUBLIC: Final = Path(__file__).parents[3] / "shared" / "data" / "adbench"
DEVELOPMENT: Final = ("mixture", "waveform", "phishing")
REPORTED: Final = ("magic", "cover", "shuttle", "satellite", "spambase", "manifold", "agrawal", "digits")
LARGE: Final = ("magic", "cover", "shuttle", "manifold", "agrawal")
"""Those of `REPORTED` with records enough for thousands of clients."""
TRAIN: Final = 4_000
GOLDEN: Final = 30_000
BENIGN: Final = 120_000
SEEDS: Final = 400
"""Rows of each part at most; a smaller set is cut in proportion."""
PARTS: Final = (0.2, 0.4, 0.35, 0.05)
"""Shares of a small set: learnt from, golden, benign, attackers'."""
TAIL: Final = 0.005
FLIP: Final = 0.5

Values = NDArray[np.float32]
"""(rows, features), scaled."""
Answers = NDArray[np.float32]
"""(rows,), probability of class 1."""


@dataclass(frozen=True)
class Victim:
    """One model and the records around it.

    Attributes:
        name: of the set.
        seed: of the cut and of the model.
        golden: records of golden traffic.
        benign: records of ordinary clients.
        seeds: records that attackers hold.
        model: a scikit-learn classifier of classes 0 and 1.
        accuracy: on `benign`.
    """

    name: str
    seed: int
    golden: Values
    benign: Values
    seeds: Values
    model: Any = field(repr=False)
    accuracy: float = 0.0

    @property
    def width(self) -> int:
        """Returns the number of features."""
        return int(self.golden.shape[1])

    def answers(self, values: Values) -> Answers:
        """Returns what the victim answers: the probability of class 1 of each row. Many small calls belong in `one_thread`."""
        found: Answers = self.model.predict_proba(values)[:, 1].astype(np.float32)
        return found


class Source(NamedTuple):
    """One row of `SETS`.

    Attributes:
        load: seed → (float64 (rows, features), bool (rows,)), in any order.
        trees: whether the victim is boosted trees, whose answers are steps; a small neural network otherwise.
        packaged: whether it is there without `../shared/data`.
    """

    load: Callable[[int], tuple[NDArray[np.float64], NDArray[np.bool_]]]
    trees: bool
    packaged: bool


def one_thread() -> AbstractContextManager[Any]:
    """Returns a context in which libraries of linear algebra and OpenMP keep to one thread: rows are few, threads cost more."""
    limited: AbstractContextManager[Any] = importlib.import_module("threadpoolctl").threadpool_limits(1)
    return limited


def has_sklearn() -> bool:
    """Returns whether scikit-learn is there."""
    return importlib.util.find_spec("sklearn") is not None


@cache
def victim(name: str, seed: int) -> Victim:
    """Returns the victim of one set, the same for the same seed.

    Raises:
        ConfigError: scikit-learn or the set is missing; says what to do.
    """
    if not has_sklearn():
        raise ConfigError("bench: scikit-learn needed for victims; found none. Install with: pip install -e '.[dev]'")
    values, classes = SETS[name].load(seed)
    rng = np.random.default_rng([seed, 17])
    order = rng.permutation(len(values))
    train, golden, benign, seeds = _cut(order)
    low, high = np.quantile(values[train], (TAIL, 1 - TAIL), axis=0)
    scaled = ((values - low) / np.where(high > low, high - low, 1.0)).astype(np.float32)
    model = _model(SETS[name].trees, seed)
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")  # a network may stop before it has converged: it need not be good, only a model
        model.fit(scaled[train], classes[train].astype(int))
        accuracy = float(model.score(scaled[benign[:5_000]], classes[benign[:5_000]].astype(int)))
    return Victim(name, seed, scaled[golden], scaled[benign], scaled[seeds], model, accuracy)


def available(names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns those of the sets that can be loaded here."""
    return tuple(name for name in names if SETS[name].packaged or PUBLIC.is_dir())


def _cut(order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    wanted = (TRAIN, GOLDEN, BENIGN, SEEDS)
    sizes = [min(most, int(share * len(order))) for most, share in zip(wanted, PARTS, strict=True)]
    ends = np.cumsum(sizes)
    return [order[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _model(trees: bool, seed: int) -> Any:
    if trees:
        return importlib.import_module("sklearn.ensemble").HistGradientBoostingClassifier(max_iter=60, random_state=seed)
    return importlib.import_module("sklearn.neural_network").MLPClassifier((32,), max_iter=60, random_state=seed)


def _public(file: str, made_classes: bool = False) -> Callable[[int], tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    def load(seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        path = PUBLIC / f"{file}.npz"
        if not path.exists():
            raise ConfigError(f"bench: {path.name} needed in ../shared/data/adbench; found none")
        with np.load(path, allow_pickle=False) as stored:
            values, classes = stored["X"].astype(np.float64), stored["y"].astype(bool)
        return values, _made(values, seed) if made_classes else classes

    return load


def _made(values: NDArray[np.float64], seed: int) -> NDArray[np.bool_]:
    """Returns classes of our own, for a set whose own are 99 : 1: above the median of a wave along a random direction."""
    rng = np.random.default_rng([seed, 5])
    z = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    along, bent = (z @ rng.normal(size=(z.shape[1], 2))).T
    level = np.sin(along / 2) + bent / np.sqrt(z.shape[1]) + rng.normal(0, 0.2, len(z))
    made: NDArray[np.bool_] = level > np.median(level)
    return made


def _river(build: Callable[[int], Any], rows: int, positive: Callable[[Any], bool]) -> Callable[[int], Any]:
    def load(seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        stream = build(seed)
        taken = list(stream.take(rows)) if rows else list(stream)
        return np.array([list(x.values()) for x, _ in taken], float), np.array([positive(y) for _, y in taken])

    return load


def _mixture(seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns 12 features around 30 centres of very unequal weight; three have long tails, two are whole numbers."""
    rng = np.random.default_rng([seed, 2])
    which = rng.choice(30, 200_000, p=rng.dirichlet(np.full(30, 0.7)))
    values = rng.normal(size=(30, 12))[which] + rng.normal(0, 0.4, (200_000, 12))
    classes = _made(values, seed)
    values[:, :3] = np.exp(values[:, :3])
    values[:, 10:] = np.round(values[:, 10:] * 2)
    return values, classes


def _manifold(seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns 24 features that five hidden numbers, bent, explain but for some noise; four have long tails."""
    rng = np.random.default_rng([seed, 3])
    hidden = rng.normal(size=(200_000, 5))
    values = np.tanh(hidden @ rng.normal(size=(5, 24))) + hidden @ rng.normal(0, 0.3, (5, 24))
    values += rng.normal(0, 0.15, values.shape)
    classes = _made(values, seed)
    values[:, :4] = np.exp(1.5 * values[:, :4])
    return values, classes


def _digits(_seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, classes = importlib.import_module("sklearn.datasets").load_digits(return_X_y=True)
    return values, classes >= 5


SETS: Final[dict[str, Source]] = {
    "mixture": Source(_mixture, trees=False, packaged=True),
    "manifold": Source(_manifold, trees=False, packaged=True),
    "waveform": Source(_river(lambda s: synth.Waveform(seed=s), 120_000, lambda y: y == 0), trees=True, packaged=True),
    "agrawal": Source(_river(lambda s: synth.Agrawal(1, seed=s), 120_000, lambda y: y == 1), trees=True, packaged=True),
    "phishing": Source(_river(lambda _: datasets.Phishing(), 0, bool), trees=False, packaged=True),
    "digits": Source(_digits, trees=False, packaged=True),
    "magic": Source(_public("22_magic.gamma"), trees=True, packaged=False),
    "cover": Source(_public("10_cover", made_classes=True), trees=True, packaged=False),
    "shuttle": Source(_public("32_shuttle", made_classes=True), trees=False, packaged=False),
    "satellite": Source(_public("30_satellite"), trees=False, packaged=False),
    "spambase": Source(_public("35_SpamBase"), trees=False, packaged=False),
}
"""Name → where it comes from. Made here: mixture, manifold; by River: waveform, agrawal, phishing; scikit-learn: digits."""

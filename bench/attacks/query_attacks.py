"""Query attacks: what an attacker asks of a victim, in order, with what it was told.

- *HopSkipJump* (Chen, Jordan, Wainwright, S&P 2020) and the *boundary* attack (Brendel, Rauber, Bethge, ICLR 2018), both by the
  Adversarial Robustness Toolbox: from a record of the other class back towards one's own, along the boundary, by labels only.
- *SimBA-like* (Guo et al., ICML 2019): one feature at a time, up or down, whatever lowers the confidence is kept.
- *JBDA* (Papernot et al., AsiaCCS 2017): a surrogate learns the victim; records are moved along its gradient and asked.
- *line search* (Lowd, Meek, KDD 2005): bisection between two records of different classes, pair after pair.
- *sweep*: one record, one of its features at a time taken through its range, as in attribute inference.
- *uniform*: points of the whole box (Tramèr et al., USENIX Security 2016).
- *natural* (knowledge distillation on mix-up records): blends of two records of one's own, which look like anybody's.

The toolbox draws its starting points unseeded, so they are drawn here in its way and handed to it: the same seed, the same log.
Each attack is repeated on further records until its budget of queries is spent.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.attacks.victims import FLIP, Answers, Values, Victim, one_thread
from tocsin.errors import ConfigError

FIRST_DRAWS: Final = 50
BISECTIONS: Final = 10
SIMBA_STEP: Final = 0.05
SWEEP_STEPS: Final = 60
JBDA_SEEDS: Final = 50
JBDA_STEP: Final = 0.1
JBDA_HIDDEN: Final = 16


class SpentError(Exception):
    """The attacker may ask no more."""


@dataclass(frozen=True, slots=True)
class Log:
    """One attacker's queries.

    Attributes:
        values: what was asked, in order, (queries, features).
        answers: what the victim said.
    """

    values: Values
    answers: Answers

    def __len__(self) -> int:
        """Returns the number of queries."""
        return len(self.answers)


class Oracle:
    """The victim as an attacker sees it: it answers, keeps a log, and stops when the budget is spent.

    Args:
        answers: the victim's.
        budget: queries.
    """

    def __init__(self, answers: Callable[[Values], Answers], budget: int) -> None:
        self.left = budget
        self._answers = answers
        self._asked: list[Values] = []
        self._told: list[Answers] = []

    def ask(self, values: Values) -> Answers:
        """Returns the probability of class 1 of each row.

        Raises:
            SpentError: there were more rows than queries left; those that were left have been asked.
        """
        asked = np.asarray(values, np.float32).reshape(len(values), -1)[: self.left]
        if len(asked):
            told = self._answers(asked)
            self.left -= len(asked)
            self._asked.append(asked.copy())
            self._told.append(told)
        if len(asked) < len(values) or not self.left:
            raise SpentError
        return told

    def label(self, value: Values) -> bool:
        """Returns the class of one record."""
        return bool(self.ask(value[None])[0] >= FLIP)

    def log(self) -> Log:
        """Returns what was asked so far."""
        return Log(np.concatenate(self._asked), np.concatenate(self._told))


Attack = Callable[[Oracle, Values, np.random.Generator], None]
"""(victim, records in hand, chance): asks until SpentError."""


def has_toolbox() -> bool:
    """Returns whether the Adversarial Robustness Toolbox is there."""
    return importlib.util.find_spec("art") is not None


def record(victim: Victim, attack: str, seed: int, budget: int) -> Log:
    """Returns one attacker's log; it is made in a moment and kept nowhere.

    Raises:
        ConfigError: the attack needs the Adversarial Robustness Toolbox and it is missing; says what to do.
    """
    return run(ATTACKS[attack], victim, [seed, zlib.crc32(attack.encode())], budget)


def run(attack: Attack, victim: Victim, seed: list[int], budget: int) -> Log:
    """Returns what one attack asks, at most `budget` queries."""
    oracle, rng = Oracle(victim.answers, budget), np.random.default_rng(seed)
    held = np.clip(victim.seeds, 0, 1)[rng.permutation(len(victim.seeds))]
    with one_thread(), suppress(SpentError):
        attack(oracle, held, rng)
    return oracle.log()


def hop_skip_jump(oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    """Asks as the toolbox's HopSkipJump does."""
    options = {"norm": 2, "max_iter": 16, "max_eval": 500, "init_eval": 20, "init_size": FIRST_DRAWS}
    _by_toolbox("HopSkipJump", options, oracle, held, rng)


def boundary(oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    """Asks as the toolbox's boundary attack does."""
    options = {"targeted": False, "max_iter": 40, "num_trial": 10, "init_size": FIRST_DRAWS}
    _by_toolbox("BoundaryAttack", options, oracle, held, rng)


def _by_toolbox(name: str, options: dict[str, Any], oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    if not has_toolbox():
        raise ConfigError(
            f"bench: {name} needs the Adversarial Robustness Toolbox; found none. Install with: pip install -e '.[dev]'"
        )
    logging.getLogger("art").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of every deep-learning framework that is not there
        evasion = importlib.import_module("art.attacks.evasion")
        estimators = importlib.import_module("art.estimators.classification")
        told = estimators.BlackBoxClassifier(
            lambda values: _both(oracle.ask(values)), held.shape[1:], 2, clip_values=(0.0, 1.0)
        )
        np.random.seed(int(rng.integers(1 << 31)))  # the toolbox draws from numpy's global generator
        for start in held:
            first = _first_draw(oracle, start, rng)
            if first is not None:
                getattr(evasion, name)(told, verbose=False, **options).generate(start[None], x_adv_init=first[None])


def _both(answers: Answers) -> Values:
    return np.stack((1 - answers, answers), axis=1)


def _first_draw(oracle: Oracle, start: Values, rng: np.random.Generator) -> Values | None:
    """Returns a random point of the other class, as the toolbox looks for one; None if there was none in FIRST_DRAWS."""
    own = oracle.label(start)
    for _ in range(FIRST_DRAWS):
        drawn = rng.random(start.shape).astype(np.float32)
        if oracle.label(drawn) != own:
            return drawn
    return None


def simba(oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    """Asks as SimBA does in the basis of the features, until the class flips, then of the next record."""
    for start in held:
        x = start.copy()
        best = float(oracle.ask(x[None])[0])
        own = best >= FLIP
        for feature in np.tile(rng.permutation(len(x)), 20):
            for step in rng.permutation([-SIMBA_STEP, SIMBA_STEP]):
                tried = x.copy()
                tried[feature] = np.clip(tried[feature] + step, 0, 1)
                if tried[feature] == x[feature]:
                    continue
                told = float(oracle.ask(tried[None])[0])
                if (told < best) == own and told != best:
                    x, best = tried, told
                    break
            if (best >= FLIP) != own:
                break


def jbda(oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    """Asks as Papernot's substitute training does: some records, then each moved along the surrogate's gradient, doubling."""
    network = importlib.import_module("sklearn.neural_network").MLPClassifier
    x = held[:JBDA_SEEDS]
    y = oracle.ask(x) >= FLIP
    while True:
        moved = rng.random(x.shape).astype(np.float32)  # where all answers are alike there is no gradient to follow
        if y.any() and not y.all():
            surrogate = network((JBDA_HIDDEN,), max_iter=100, random_state=int(rng.integers(1 << 31)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a surrogate need not converge
                surrogate.fit(x, y.astype(int))
            toward = np.where(y, -1.0, 1.0)[:, None] * np.sign(_gradient(surrogate, x))
            moved = np.clip(x + JBDA_STEP * toward, 0, 1).astype(np.float32)
        told = oracle.ask(moved) >= FLIP
        x, y = np.concatenate((x, moved)), np.concatenate((y, told))


def _gradient(surrogate: Any, x: Values) -> NDArray[np.float64]:
    """Returns d logit / d x of a network with one hidden layer of rectifiers."""
    (inner, outer), (bias, _) = surrogate.coefs_, surrogate.intercepts_
    gradient: NDArray[np.float64] = ((x @ inner + bias > 0) * outer[:, 0]) @ inner.T
    return gradient


def line_search(oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    """Asks for two records and, when their classes differ, bisects between them."""
    while True:
        a, b = held[rng.choice(len(held), 2, replace=False)]
        own = oracle.label(a)
        if own == oracle.label(b):
            continue
        for _ in range(BISECTIONS):
            middle = (a + b) / 2
            if oracle.label(middle) == own:
                a = middle
            else:
                b = middle


def sweep(oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    """Asks for one record with one feature after another taken through its range."""
    for start in held:
        for feature in rng.permutation(len(start)):
            tried = np.repeat(start[None], SWEEP_STEPS, axis=0)
            tried[:, feature] = rng.permutation(np.linspace(0, 1, SWEEP_STEPS))
            oracle.ask(tried)


def uniform(oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    """Asks anywhere in the box."""
    while True:
        oracle.ask(rng.random((64, held.shape[1])).astype(np.float32))


def natural(oracle: Oracle, held: Values, rng: np.random.Generator) -> None:
    """Asks for blends of two records in hand."""
    while True:
        a, b = held[rng.integers(len(held), size=(2, 64))]
        share = rng.beta(0.4, 0.4, (64, 1)).astype(np.float32)
        oracle.ask(share * a + (1 - share) * b)


BY_TOOLBOX: Final = frozenset({"HopSkipJump", "boundary"})
ATTACKS: Final[dict[str, Attack]] = {
    "HopSkipJump": hop_skip_jump,
    "boundary": boundary,
    "SimBA-like": simba,
    "JBDA": jbda,
    "line search": line_search,
    "sweep": sweep,
    "uniform": uniform,
    "natural": natural,
}
"""Name in tables → how it asks."""


def here() -> tuple[str, ...]:
    """Returns the attacks that can be run here: without the toolbox, not its two."""
    return tuple(name for name in ATTACKS if has_toolbox() or name not in BY_TOOLBOX)

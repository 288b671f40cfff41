"""Exposure: how much of a model has been bought: what callers, alone and together, have seen of it, and what that is worth.

Theory. To copy a model one needs its answers where its traffic is, so what is counted is coverage: of the baseline's golden
references, a sample of that traffic, how many are the nearest to some question that was asked. A question further out than
golden traffic goes counts for none. What coverage is worth is read off a curve that the traffic's own questions and answers
teach (`learning_curve.py`): as many of them are kept from every corner, so that a crowd in one changes little.

No alarm can come before 80 % of a copy's fidelity: that takes about a hundred answers. This is a report, not an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models import loda
from models.baseline import Baseline
from models.k_means import nearest, squared_distance
from models.learning_curve import Curve, coverage_of, curve_of
from models.quantity import features_of
from tocsin.errors import ConfigError
from tocsin.event import Caller
from tocsin.rows import Rows

TOP: Final = 20
MOST_CALLERS: Final = 1 << 16
"""Held at once, with 128 bytes each; half of them, those who have seen least, are forgotten when there are more."""
PER_REFERENCE: Final = 8
"""Questions kept with their answers, the first of each corner: a crowd in one of them changes little."""
INSIDE: Final = 0.99
"""Share of golden references that lie as near to another one as a question must to count for one."""

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Holder(NamedTuple):
    """Who has seen how much.

    Attributes:
        caller: who; None for all callers together.
        questions: asked.
        coverage: share of golden traffic that was near one of them, [0, 1].
        fidelity: share of the model's decisions that can be imitated with the answers; None when answers are not known.
    """

    caller: Caller | None
    questions: int
    coverage: float
    fidelity: float | None


@dataclass(frozen=True, slots=True)
class Exposed:
    """The report on one model.

    Attributes:
        model: `namespace/name@version`.
        callers: how many there were; at least, when some were forgotten.
        together: all of them.
        holders: the TOP who have seen most.
        curve: what coverage is worth; None when answers are not known, or too few.
    """

    model: str
    callers: int
    together: Holder
    holders: tuple[Holder, ...]
    curve: Curve | None


@dataclass(slots=True)
class _Seen:
    """What one caller has seen.

    Attributes:
        caller: who.
        questions: asked.
        references: bool (references,), packed.
    """

    caller: Caller
    questions: int
    references: NDArray[np.uint8]


@dataclass(slots=True)
class _Kept:
    """Questions with answers, the first PER_REFERENCE of each reference."""

    asked: list[NDArray[np.float32]] = field(default_factory=list)
    answers: list[Ints] = field(default_factory=list)
    references: list[Ints] = field(default_factory=list)


class Exposure:
    """Follows the traffic of one model, in ledger order.

    Args:
        baseline: the model's.
        most: callers held at once.

    Raises:
        ConfigError: the baseline has no references.
    """

    def __init__(self, baseline: Baseline, most: int = MOST_CALLERS) -> None:
        if baseline.envelope is None or not baseline.references or not baseline.features:
            raise ConfigError(f"exposure of {baseline.model}: a baseline with features and golden references expected")
        self._baseline, self._most = baseline, most
        self._standard = loda.face_of(baseline.envelope).standard
        golden = np.frombuffer(baseline.references, "<f4").reshape(-1, len(baseline.features))
        self._references, self._mass = np.unique(golden, axis=0, return_counts=True)
        self._radius = _radius(self._references)
        self._room = np.full(len(self._references), PER_REFERENCE)
        self._together = np.zeros(len(self._references), np.bool_)
        self._seen: dict[int, _Seen] = {}
        self._codes: dict[str, int] = {}
        self._kept = _Kept()
        self._questions = self._forgotten = 0

    def add(self, rows: Rows) -> None:
        """Takes rows; those of other models are passed over."""
        if rows.kind != "inference" or rows.model != self._baseline.model or not len(rows):
            return
        standardised = self._standard.apply(features_of(self._baseline.features, rows))
        near = nearest(self._references, standardised)
        inside = squared_distance(self._references, standardised, near) <= self._radius
        self._questions += len(rows)
        self._together[near[inside]] = True
        self._note(rows, near, inside)
        self._keep(rows, standardised, near, inside)

    def report(self) -> Exposed:
        """Returns what has been seen so far, and what it is worth."""
        curve = self._curve()
        ranked = sorted(self._seen.values(), key=lambda seen: (-self._covered(seen), -seen.questions, seen.caller.hash))
        holders = tuple(_holder(seen.caller, seen.questions, self._covered(seen), curve) for seen in ranked[:TOP])
        together = _holder(None, self._questions, self._coverage(self._together), curve)
        return Exposed(self._baseline.model, len(self._seen) + self._forgotten, together, holders, curve)

    def _note(self, rows: Rows, near: Ints, inside: Bools) -> None:
        """Notes who asked."""
        order = np.argsort(rows.hash, kind="stable")
        begins = np.flatnonzero(np.diff(rows.hash[order], prepend=~rows.hash[order[:1]]))
        for mine in np.split(order, begins[1:]):
            key = int(rows.hash[mine[0]])
            if key not in self._seen:
                self._make_room()
                nothing = np.packbits(np.zeros_like(self._together))
                self._seen[key] = _Seen(rows.caller_of(int(mine[0])), 0, nothing)
            seen = self._seen[key]
            seen.questions += len(mine)
            news = np.zeros_like(self._together)
            news[near[mine[inside[mine]]]] = True
            seen.references |= np.packbits(news)

    def _make_room(self) -> None:
        if len(self._seen) >= self._most:
            least = sorted(self._seen, key=lambda key: (self._covered(self._seen[key]), self._seen[key].questions, key))
            for key in least[: len(least) // 2]:
                del self._seen[key]
            self._forgotten += len(least) // 2

    def _keep(self, rows: Rows, standardised: NDArray[np.float32], near: Ints, inside: Bools) -> None:
        """Keeps questions that have an answer where there is room for more."""
        codes = np.array([self._codes.setdefault(name, len(self._codes)) if name else -1 for name in rows.labels] or [-1])
        answers = codes[rows.label]
        wanted = np.flatnonzero(inside & (answers >= 0) & (self._room[near] > 0))
        wanted = wanted[np.argsort(near[wanted], kind="stable")]
        begins = np.flatnonzero(np.diff(near[wanted], prepend=-1))
        rank = np.arange(len(wanted)) - np.repeat(begins, np.diff(begins, append=len(wanted)))
        wanted = np.sort(wanted[rank < self._room[near[wanted]]])
        self._room -= np.bincount(near[wanted], minlength=len(self._room))
        self._kept.asked.append(standardised[:, wanted])
        self._kept.answers.append(answers[wanted])
        self._kept.references.append(near[wanted])

    def _curve(self) -> Curve | None:
        kept = self._kept
        if not sum(map(len, kept.answers)):
            return None
        asked, answers = np.concatenate(kept.asked, axis=1), np.concatenate(kept.answers)
        return curve_of(asked, answers, np.concatenate(kept.references), self._mass)

    def _covered(self, seen: _Seen) -> float:
        return self._coverage(np.unpackbits(seen.references, count=len(self._together)).astype(np.bool_))

    def _coverage(self, references: Bools) -> float:
        return coverage_of(references, self._mass)


def _holder(caller: Caller | None, questions: int, coverage: float, curve: Curve | None) -> Holder:
    return Holder(caller, questions, coverage, None if curve is None else curve.fidelity(coverage, questions))


def _radius(references: NDArray[np.float32]) -> float:
    """Returns the squared distance from another reference within which INSIDE of the references lie."""
    apart = np.empty(len(references), np.float32)
    for at in range(len(references)):
        others = np.square(references - references[at]).sum(axis=1)
        others[at] = np.inf
        apart[at] = others.min()
    return float(np.quantile(apart, INSIDE)) if len(references) > 1 else 0.0

"""Query join: all blocks of a frame as one, for a step over many callers costs little more than one over few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.caller_rings import CallerRings
from models.followed import Followed, Following
from models.paths import DIMS, SIGNALS, prints_of
from models.quantity import features_of
from models.query_signals import Questions
from tocsin.rows import Rows

Ints = NDArray[np.int64]
StakesOf = Callable[[str, Ints], NDArray[np.float64]]
"""(model, event times) → seconds that each row stakes."""
COLUMNS = {"place": "i8", "keys": "u8", "owners": "u2", "epochs": "i4", "stakes": "f8", "ts": "i8"}


@dataclass(frozen=True, slots=True)
class Part:
    """One block.

    Attributes:
        rows: it.
        model: whose callers they are of.
        start: where it begins among the joined rows.
        place: where it began among all rows, those of models that are not followed included.
    """

    rows: Rows
    model: Followed
    start: int
    place: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Blocks of models whose callers are followed.

    Attributes:
        parts: in ledger order.
        place: int64 (rows,), of each among all rows.
        keys: uint64 (rows,), what the rings know callers by; never 0.
        owners: uint16 (rows,), `State.number` of their models.
        epochs: int32 (rows,), of the crowd.
        stakes: float64 (rows,), seconds.
        ts: int64 (rows,), Unix milliseconds.
    """

    parts: list[Part]
    place: Ints
    keys: NDArray[np.uint64]
    owners: NDArray[np.uint16]
    epochs: NDArray[np.int32]
    stakes: NDArray[np.float64]
    ts: Ints

    @property
    def models(self) -> dict[int, Followed]:
        """Returns owner → model."""
        return {part.model.state.number: part.model for part in self.parts}

    def part_of(self, row: int) -> Part:
        """Returns the block of a row."""
        return next(part for part in reversed(self.parts) if part.start <= row)


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions of callers that have a ring, sorted by slot, each caller's in ledger order.

    Attributes:
        row: int64 (questions,), which joined row each is.
        questions: what was asked.
        silent: bool (questions, SIGNALS), signals that say nothing about the caller.
    """

    row: Ints
    questions: Questions
    silent: NDArray[np.bool_]

    def pick(self, which: NDArray[np.bool_]) -> Asked:
        """Returns some of them."""
        return self if which.all() else Asked(self.row[which], self.questions.pick(which), self.silent[which])


def join(blocks: Sequence[Rows], following: Following, rings: CallerRings, stakes: StakesOf) -> Joined:
    """Returns the blocks as one; counts their rows, and takes what they stake from the models' accounts.

    Args:
        blocks: in ledger order.
        following: says which are followed.
        rings: of their callers.
        stakes: of their models.
    """
    parts: list[Part] = []
    columns: list[tuple[NDArray[Any], ...]] = []
    start = place = 0
    for rows in blocks:
        model = following.of(rows.model, rings) if len(rows) else None
        if model is not None:
            parts.append(Part(rows, model, start, place))
            columns.append(
                (
                    np.arange(place, place + len(rows)),
                    np.maximum(rows.hash ^ model.salt, np.uint64(1)),
                    np.full(len(rows), model.state.number, np.uint16),
                    model.epochs(len(rows)),
                    stakes(rows.model, rows.ts),
                    rows.ts,
                )
            )
            start += len(rows)
        place += len(rows)
    if not columns:
        return Joined(parts, *(np.empty(0, kind) for kind in COLUMNS.values()))
    return Joined(parts, *(np.concatenate(column) for column in zip(*columns, strict=True)))


def asked_in(joined: Joined, begin: int, slots: Ints) -> Asked:
    """Returns what the joined rows from `begin` on ask, of callers that have a ring.

    Args:
        joined: all rows.
        begin: the first of this step.
        slots: int64 (rows of this step,), where their callers live, -1 for none.
    """
    made = []
    for part in joined.parts:
        low, high = max(part.start, begin), min(part.start + len(part.rows), begin + len(slots))
        mine = np.flatnonzero(slots[low - begin : max(high, low) - begin] >= 0) + low
        if len(mine):
            rows = part.rows if len(mine) == len(part.rows) else part.rows.select(mine - part.start)
            made.append(Asked(mine, _questions(rows, part.model, slots[mine - begin]), _silent(rows, part.model)))
    if not made:
        return Asked(np.empty(0, np.int64), Questions.none(), np.empty((0, len(SIGNALS)), np.bool_))
    questions = Questions.joined([one.questions for one in made])
    order = np.argsort(questions.slot.astype(np.uint16), kind="stable")  # sixteen bits are sorted by radix
    row, silent = np.concatenate([one.row for one in made]), np.concatenate([one.silent for one in made])
    return Asked(row[order], questions.pick(order), silent[order])


def _questions(rows: Rows, model: Followed, slot: Ints) -> Questions:
    space = model.space
    values = features_of(model.baseline.features, rows)
    places = np.zeros((len(rows), DIMS), np.int16)
    places[:, : space.dims] = space.places(values)
    density = space.densities(places[:, : space.dims])
    return Questions(
        slot=slot,
        places=places,
        prints=prints_of(values),
        labels=space.labels(rows.labels, rows.label),
        density=density,
        measure=np.minimum(density, space.ceiling),
        margin=space.margins(rows.confidence),
    )


def _silent(rows: Rows, model: Followed) -> NDArray[np.bool_]:
    muted = model.space.silences(rows.hash)
    return np.zeros((len(rows), len(SIGNALS)), np.bool_) if muted is None else muted

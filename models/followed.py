"""Followed: the models whose callers are followed, each against the baseline that is in force."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import loda
from models.baseline import Baseline, hash_of
from models.caller_rings import CallerRings
from models.paths import Space, space_of
from models.tail_bets import BETS, CROWD_EPOCH, KINDS, Crowd

MOST_NUMBER: Final = (1 << 16) - 1


class State(msgspec.Struct, array_like=True):
    """What is remembered of one model.

    Attributes:
        baseline: hash of the one that its callers were compared with.
        number: of the owner of its callers in the rings, from 1.
        rows: of the model so far.
        crowd: what all its callers do now.
    """

    baseline: str
    number: int
    rows: int = 0
    crowd: Crowd = msgspec.field(default_factory=Crowd)


@dataclass(frozen=True, slots=True)
class Followed:
    """One model under one baseline.

    Attributes:
        state: changes as rows come.
        baseline: in force.
        space: its `Paths`.
        salt: sets its callers apart from those of other models and baselines.
    """

    state: State
    baseline: Baseline
    space: Space
    salt: np.uint64

    def epochs(self, rows: int) -> NDArray[np.int32]:
        """Returns the crowd's epoch, from 1, of so many more rows, and counts them."""
        number = np.arange(self.state.rows, self.state.rows + rows)
        self.state.rows += rows
        return (number // CROWD_EPOCH + 1).astype(np.int32)

    def below(self, signals: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Returns which signals are beyond their limits, bool (rows, KINDS)."""
        return (signals[:, :, None] < self.space.limits).reshape(len(signals), KINDS)

    def pays(self, below: NDArray[np.bool_], epochs: NDArray[np.int32], drawn: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Returns what each row's bets pay when they hit, float64 (rows, BETS + 1); draws the callers for later epochs.

        Args:
            below: bool (rows, KINDS), at least one row.
            epochs: int32 (rows,).
            drawn: bool (rows,), the first row of its caller in its epoch.
        """
        crowd = self.state.crowd
        made = np.empty((len(below), BETS + 1))
        for epoch in range(int(epochs.min()), int(epochs.max()) + 1):
            rows = epochs == epoch
            crowd.turn(epoch)
            made[rows] = crowd.pays()
            crowd.draw(below[rows & drawn])
        return made


@dataclass(slots=True)
class Following:
    """All of one shard's.

    Attributes:
        baselines: model → its baseline, as in force at any time.
        states: model → what is remembered.
    """

    baselines: Mapping[str, Baseline]
    states: dict[str, State] = field(default_factory=dict)
    _faces: dict[str, Followed] = field(default_factory=dict)

    def of(self, model: str, rings: CallerRings) -> Followed | None:
        """Returns the model as it is followed now, None when its baseline does not say how.

        Args:
            model: whose rows have come.
            rings: from which callers under a baseline of the past are dropped.
        """
        baseline = self.baselines.get(model)
        if baseline is None or baseline.paths is None or baseline.envelope is None:
            return None
        face = self._faces.get(model)
        if face is None or face.baseline is not baseline:
            name, state = hash_of(baseline), self.states.get(model)
            if state is None or state.baseline != name:
                if state is not None:
                    rings.drop(state.number)
                state = self.states[model] = State(name, self._free())
            space = space_of(baseline.paths, baseline, loda.face_of(baseline.envelope).standard)
            salt = np.uint64(zlib.crc32(f"{model} {name}".encode()) * 0x1_0000_0001)
            face = self._faces[model] = Followed(state, baseline, space, salt)
        return face

    def load(self, states: dict[str, State]) -> None:
        """Replaces what is remembered."""
        self.states, self._faces = states, {}

    def _free(self) -> int:
        taken = {state.number for state in self.states.values()}
        return next(number for number in range(1, MOST_NUMBER) if number not in taken)

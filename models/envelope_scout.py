"""Envelope's scout: picks single inputs far outside the golden envelope, and says which features put them there.

A row is picked if at most one golden row in 256 is as strange (conformal p-value; where fewer were scored, none). Telling
every one of a flood would tell no more: each is paid for by EVERY rows that pass, and no more than AT_ONCE can be saved for.
Which rows are told depends on rows alone, not on how they were cut.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline, hash_of
from models.detector import Report, Seat
from models.loda import Face, face_of
from models.offenders import NOBODY, TOP, offenders
from models.quantity import features_of
from models.scored import scores_of
from models.strange_rows import StrangeRow, StrangeRows, body_of
from tocsin.codec import pack
from tocsin.errors import ConfigError, StateError
from tocsin.event import ROW_BITS, Caller
from tocsin.rows import Rows

ID: Final = "envelope"
STRANGE: Final = 1 / 256
EVERY: Final = 16
AT_ONCE: Final = 64
AT_A_TIME: Final = 256
"""Rows whose features are tried at once."""


class Because(NamedTuple):
    """Why rows are strange, all arrays of as many entries as rows.

    Attributes:
        score: nats, 0 for a usual row; NaN where no feature that varies is known.
        p: conformal p-value, in (0, 1]; NaN likewise.
        features: names of up to TOP features to blame, the worst first.
    """

    score: NDArray[np.float64]
    p: NDArray[np.float64]
    features: list[tuple[str, ...]]


def because(baseline: Baseline, rows: Rows) -> Because | None:
    """Returns each row's score, p-value and the features without which it would be less strange; None without an envelope.

    Args:
        baseline: of the rows' model.
        rows: to be judged, each by itself.
    """
    if baseline.envelope is None:
        return None
    face, values = face_of(baseline.envelope), features_of(baseline.features, rows)
    found = scores_of(face, values)
    blamed: list[tuple[str, ...]] = []
    for begin in range(0, len(rows), AT_A_TIME):
        worst = offenders(face, values[:, begin : begin + AT_A_TIME]).tolist()
        blamed += [tuple(baseline.features[feature] for feature in of_row if feature != NOBODY) for of_row in worst]
    return Because(found, face.p_values(found), blamed)


class EnvelopeScout:
    """One shard's.

    Args:
        baseline: the model's, with or without an envelope.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline, self._hash = baseline, hash_of(baseline)
        self._face = None if baseline.envelope is None else face_of(baseline.envelope)
        self._least = np.float32(np.inf) if self._face is None else _least(self._face)
        self._earned = EVERY * AT_ONCE

    def look(self, rows: Rows) -> Report | None:
        """Returns the strange ones of these rows, as far as they may be told; None for none."""
        if self._face is None or not len(rows):
            return None
        values = features_of(self._baseline.features, rows)
        found = scores_of(self._face, values)
        told = self._told(np.flatnonzero(found > self._least).tolist(), len(rows))
        return self._report(self._face, rows, values, found, told) if told else None

    def _told(self, picked: list[int], rows: int) -> list[int]:
        """Returns those of the picked rows that may be told, after which all rows have passed."""
        told, passed = [], -1
        for row in picked:
            self._earned = min(self._earned + row - passed, EVERY * AT_ONCE)
            passed = row
            if self._earned >= EVERY:
                self._earned -= EVERY
                told.append(row)
        self._earned = min(self._earned + rows - 1 - passed, EVERY * AT_ONCE)
        return told

    def _report(
        self, face: Face, rows: Rows, values: NDArray[np.float32], found: NDArray[np.float64], told: list[int]
    ) -> Report:
        blamed = offenders(face, values[:, told], TOP).tolist()
        p = face.p_values(found[told]).tolist()
        callers: dict[int, Caller] = {}
        strange = []
        for row, features, p_value in zip(told, blamed, p, strict=True):
            caller = rows.caller_of(row)
            callers.setdefault(caller.hash, caller)
            position = int(rows.position[row])
            where = (int(rows.source[row]), position >> ROW_BITS, position & ((1 << ROW_BITS) - 1))
            named = tuple(feature for feature in features if feature != NOBODY)
            strange.append(StrangeRow(caller.hash, *where, int(rows.ts[row]), float(found[row]), p_value, named))
        return Report(tuple(callers.values()), body_of(StrangeRows(rows.sources, tuple(strange))))

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        return pack((self._hash, self._earned))

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned under the same baseline.

        Raises:
            StateError: it is no such state; the scout then stays as it was.
        """
        try:
            baseline, earned = msgspec.msgpack.decode(data, type=tuple[str, int])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateError(f"{ID}: a scout's state expected; {error}") from error
        if baseline != self._hash:
            raise StateError(f"{ID}: a scout of baseline {self._hash[:12]} expected, of {baseline[:12]} found")
        self._earned = earned


def scout(seat: Seat) -> EnvelopeScout:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{ID} on {seat.model}: a baseline expected, none found")
    return EnvelopeScout(seat.baseline)


def _least(face: Face) -> np.float32:
    """Returns the score that only strange rows exceed: no more golden ones than one in 1 / STRANGE."""
    calibration = face.calibration
    exceeding = max(int((len(calibration) + 1) * STRANGE) - 1, 0)
    return calibration[-1 - exceeding] if len(calibration) else np.float32(np.inf)

"""Boundary scout: in sense, reports the rows that come near the model's decision boundary.

One golden row in thirty-two is near. Of each it tells judge who asked, how far from the boundary, when, how many the
caller had asked before, what kind of caller it is (`strangers.py`), and what was asked; of the others only how many there
were of each kind. Shards see callers apart, only judge sees the search as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.caller_counts import CallerCounts
from models.detector import Report
from models.margins import below_of, signed_distance
from models.quantity import features_of
from models.strangers import kinds_of
from tocsin.codec import pack, unpack
from tocsin.errors import StateError
from tocsin.event import Coordinates
from tocsin.rows import Rows

MOST_FEATURES: Final = 32
"""Of a row, told to judge."""
KINDS: Final = 3

Ints = NDArray[np.int64]


class _Body(msgspec.Struct, array_like=True):
    """`Report.body`.

    Attributes:
        caller: uint16 (near rows,), index into the report's callers.
        distance: float32 (near rows,), how far above the boundary.
        ts: int64 (near rows,), Unix milliseconds.
        number: uint32 (near rows,), of the row among its caller's.
        kind: uint8 (near rows,), of its caller.
        far: rows of each kind of caller that were not near, before the last of these near rows and since the last report.
        values: float32 (near rows, features), the baseline's first MOST_FEATURES.
        at: where each entered.
    """

    caller: bytes
    distance: bytes
    ts: bytes
    number: bytes
    kind: bytes
    far: tuple[int, int, int]
    values: bytes
    at: list[Coordinates]


@dataclass(frozen=True, slots=True)
class Near:
    """Near rows as judge reads them; see `_Body`."""

    caller: NDArray[np.uint16]
    distance: NDArray[np.float32]
    ts: NDArray[np.int64]
    number: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    far: tuple[int, int, int]
    values: NDArray[np.float32]
    at: list[Coordinates]

    def questions(self) -> list[int]:
        """Returns what each row asked, as far as its score tells."""
        found: list[int] = self.distance.view(np.uint32).tolist()
        return found


def near_of(body: bytes, where: str) -> Near:
    """Returns the near rows of a report.

    Raises:
        VersionError: it is no report of this version.
    """
    told = unpack(body, _Body, where)
    distance = np.frombuffer(told.distance, "<f4")
    return Near(
        caller=np.frombuffer(told.caller, "<u2"),
        distance=distance,
        ts=np.frombuffer(told.ts, "<i8"),
        number=np.frombuffer(told.number, "<u4"),
        kind=np.frombuffer(told.kind, "u1"),
        far=told.far,
        values=np.frombuffer(told.values, "<f4").reshape(len(distance), -1),
        at=told.at,
    )


class BoundaryScout:
    """Looks at one model's rows in one shard.

    Args:
        baseline: the model's; without margins in it there is nothing to report.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline, margins = baseline, baseline.margins
        self._below = "" if margins is None else below_of(margins, baseline.boundary, baseline.labels)
        self._counts = CallerCounts(b"" if margins is None else margins.callers)
        self._far = np.zeros(KINDS, np.int64)

    def look(self, rows: Rows) -> Report | None:
        """Returns the near rows, None for none."""
        baseline = self._baseline
        known = ~np.isnan(rows.confidence)
        if baseline.margins is None or not known.any():
            return None
        if not known.all():
            rows = rows.select(known)
        distance = signed_distance(rows, baseline.boundary, self._below)
        near = np.abs(distance) <= np.float32(baseline.near)
        numbers, before = self._counts.count(rows.hash, near)
        kinds, which = kinds_of(numbers, before), np.flatnonzero(near)
        end = int(which[-1]) + 1 if len(which) else 0
        if not len(which):
            self._far += _numbers_of(kinds)
            return None
        far = self._far + _numbers_of(kinds[:end][~near[:end]])
        self._far = _numbers_of(kinds[end:])
        return self._report(rows, which, (distance, numbers, kinds), far)

    def _report(self, rows: Rows, near: Ints, told: tuple[NDArray[np.float32], Ints, Ints], far: Ints) -> Report:
        distance, numbers, kinds = told
        first, caller = np.unique(rows.hash[near], return_index=True, return_inverse=True)[1:]
        names = self._baseline.features[:MOST_FEATURES]
        new, pure, known = far.tolist()
        body = _Body(
            caller=caller.astype("<u2").tobytes(),
            distance=distance[near].astype("<f4").tobytes(),
            ts=rows.ts[near].astype("<i8").tobytes(),
            number=np.minimum(numbers[near], 0xFFFF_FFFF).astype("<u4").tobytes(),
            kind=kinds[near].astype("u1").tobytes(),
            far=(new, pure, known),
            values=np.ascontiguousarray(features_of(names, rows)[:, near].T, "<f4").tobytes(),
            at=[rows.coordinates(row) for row in near.tolist()],
        )
        return Report(tuple(rows.caller_of(int(near[row])) for row in first.tolist()), pack(body))

    def dump(self) -> bytes:
        """Returns the callers' counts and what was not told yet: equal state is equal bytes."""
        return pack((self._counts.dump(), self._far.tolist()))

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned.

        Raises:
            StateError: it is no such state; the scout then stays as it was.
        """
        try:
            counts, far = msgspec.msgpack.decode(data, type=tuple[bytes, tuple[int, int, int]])
            self._counts.load(counts)
        except (msgspec.DecodeError, StateError) as error:
            raise StateError(f"boundary_probe: a scout of this version expected; {error}") from error
        self._far = np.array(far, np.int64)


def _numbers_of(kinds: Ints) -> Ints:
    """Returns how many there are of each kind."""
    numbers: Ints = np.bincount(kinds, minlength=KINDS)
    return numbers

"""Newcomer scout: watches in one shard how callers that golden traffic did not have begin, for `newcomer_cohort` in judge.

Of each newcomer it keeps which cells its first n₀ questions fell in (64 bits), how many they were and when they began; the
n₀-th is told, and then the caller is a customer like any other for a month.

Theory. A million ids invented in an hour must neither fill the memory nor push the others out. So when the table is full
half of all callers, by a bit of their keyed hash, are looked at no more, neither those held nor those to come, and again
whenever that is not enough (adaptive sampling; Wegman, in Flajolet 1990, Computing 43). Who is left is a fair sample, whoever
came in which order: a flood makes the scout see fewer attackers and fewer customers alike, and never blinds it. Each day
those that are done, or too slow to be done within KEEP, make room, and when there is plenty the sample grows again.

The table is sorted by hash and as large as it must be: equal content is equal bytes, however it came about.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import loda
from models.baseline import Baseline
from models.detector import Report, Seat
from models.evenness import face_of
from models.k_means import nearest
from models.quantity import features_of
from models.season import DAY_MS
from tocsin.codec import pack
from tocsin.errors import ConfigError, StateError
from tocsin.rows import Rows

OWNER: Final = "newcomer_cohort"
MOST: Final = 1 << 15
"""Newcomers held per model and shard: 0.8 MB."""
PLENTY: Final = 4
"""With less than a PLENTY-th of them held the sample grows."""
KEEP_MS: Final = 30 * DAY_MS
SLOW: Final = 4
"""After a SLOW-th of KEEP_MS a newcomer must have asked a SLOW-th of its questions."""
TOLD: Final = np.dtype([("mask", "<u8"), ("first_ms", "<i8"), ("last_ms", "<i8")])
"""What is told of each newcomer."""
COLUMNS: Final = (("mask", "<u8"), ("first_ms", "<i8"), ("asked", "u1"))

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]


class _Dump(msgspec.Struct, array_like=True):
    high_ms: int
    depth: int
    keys: bytes
    columns: list[bytes]


class NewcomerScout:
    """Looks at the rows of one model.

    Args:
        baseline: the model's; one without `evenness` leaves the scout nothing to do.
        most: newcomers held.

    Attributes:
        high_ms: the latest event time so far, Unix milliseconds.
        depth: how often the callers looked at were halved.
        keys: uint64 (newcomers,), their hashes, rising.
        columns: what is known of each: see COLUMNS.
    """

    def __init__(self, baseline: Baseline, most: int = MOST) -> None:
        self.high_ms = 0
        self.depth = 0
        self.keys: Keys = np.empty(0, np.uint64)
        self.columns: dict[str, NDArray[Any]] = {name: np.empty(0, kind) for name, kind in COLUMNS}
        self._most = most
        self._names = baseline.features
        self._n0 = 0
        if baseline.evenness is not None and baseline.envelope is not None:
            self._n0 = baseline.evenness.n0
            self._face = face_of(baseline.evenness, len(baseline.features))
            self._standard = loda.face_of(baseline.envelope).standard

    def look(self, rows: Rows) -> Report | None:
        """Returns what the newcomers visited whose n0-th question is among these rows; None when there are none."""
        if not self._n0 or not len(rows):
            return None
        high = np.maximum.accumulate(np.maximum(rows.ts, self.high_ms))
        days = high // DAY_MS
        strange = np.flatnonzero(~self._face.is_known(rows.hash))
        told: list[NDArray[np.void]] = []
        begin, day = 0, self.high_ms // DAY_MS
        while begin < len(rows):
            if days[begin] != day:
                day = int(days[begin])
                self._sweep(day * DAY_MS)
            end = int(np.searchsorted(days, day, side="right"))
            told += self._follow(rows, strange[np.searchsorted(strange, begin) : np.searchsorted(strange, end)])
            begin = end
        self.high_ms = int(high[-1])
        body = b"".join(part.tobytes() for part in told)
        return Report((), body) if body else None

    def _follow(self, rows: Rows, which: Ints) -> list[NDArray[np.void]]:
        """Takes these rows of strangers; thins the sample out before the first that there is no room for."""
        told: list[NDArray[np.void]] = []
        which = which[self._sampled(rows.hash[which])]
        while len(which):
            keys, first = np.unique(rows.hash[which], return_index=True)
            unheld = ~self._held(keys)
            new, room = np.sort(first[unheld]), self._most - len(self.keys)
            if len(new) <= room:
                self._let_in(keys[unheld], rows.ts[which[first[unheld]]])
                return [*told, self._apply(rows, which)]
            if new[room]:
                told += self._follow(rows, which[: new[room]])
            self._thin()
            which = which[new[room] :]
            which = which[self._sampled(rows.hash[which])]
        return told

    def _let_in(self, keys: Keys, ts: Ints) -> None:
        if len(keys):
            at = np.searchsorted(self.keys, keys)
            self.keys = np.insert(self.keys, at, keys)
            for name, given in (("mask", np.uint64(0)), ("first_ms", ts), ("asked", np.uint8(0))):
                self.columns[name] = np.insert(self.columns[name], at, given)

    def _apply(self, rows: Rows, which: Ints) -> NDArray[np.void]:
        """Counts these rows, all of whose callers are held; returns what is to be told, in their order."""
        asked, mask = self.columns["asked"], self.columns["mask"]
        slot = np.searchsorted(self.keys, rows.hash[which])
        busy = np.flatnonzero(asked[slot] < self._n0)
        busy = busy[np.argsort(slot[busy], kind="stable")]
        which, slot = which[busy], slot[busy]
        starts = np.flatnonzero(np.diff(slot, prepend=-1))
        place = np.arange(1, len(slot) + 1) - np.repeat(starts, np.diff(starts, append=len(slot)))
        rank = asked[slot] + place
        early = rank <= self._n0
        which, slot, rank = which[early], slot[early], rank[early]
        if len(which):
            starts = np.flatnonzero(np.diff(slot, prepend=-1))
            values = self._standard.apply(features_of(self._names, rows)[:, which])
            bits = np.left_shift(np.uint64(1), nearest(self._face.centres, values).astype(np.uint64))
            mask[slot[starts]] |= np.bitwise_or.reduceat(bits, starts)
            asked[slot[np.append(starts[1:], len(slot)) - 1]] = rank[np.append(starts[1:], len(slot)) - 1]
        done = np.flatnonzero(rank == self._n0)
        done = done[np.argsort(which[done])]
        told = np.empty(len(done), TOLD)
        told["mask"], told["first_ms"] = mask[slot[done]], self.columns["first_ms"][slot[done]]
        told["last_ms"] = rows.ts[which[done]]
        return told

    def _held(self, keys: Keys) -> NDArray[np.bool_]:
        if not len(self.keys):
            return np.zeros(len(keys), np.bool_)
        held: NDArray[np.bool_] = self.keys[np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)] == keys
        return held

    def _sampled(self, keys: Keys) -> NDArray[np.bool_]:
        sampled: NDArray[np.bool_] = keys & np.uint64((1 << self.depth) - 1) == 0
        return sampled

    def _keep(self, which: NDArray[np.bool_]) -> None:
        self.keys = self.keys[which]
        self.columns = {name: column[which] for name, column in self.columns.items()}

    def _thin(self) -> None:
        """Makes room: halves the callers looked at until half of the table is free."""
        while len(self.keys) > self._most // 2 and self.depth < 63:
            self.depth += 1
            self._keep(self._sampled(self.keys))

    def _sweep(self, now_ms: int) -> None:
        """Forgets who came long ago or will never be done; looks at more callers when that leaves plenty of room."""
        age = now_ms - self.columns["first_ms"]
        slow = (age > KEEP_MS // SLOW) & (self.columns["asked"].astype(np.int64) * SLOW < self._n0)
        self._keep(~(slow | (age > KEEP_MS)))
        if self.depth and len(self.keys) < self._most // PLENTY:
            self.depth -= 1

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        columns = [zlib.compress(self.columns[name].astype(kind).tobytes(), 1) for name, kind in COLUMNS]
        return pack(_Dump(self.high_ms, self.depth, self.keys.astype("<u8").tobytes(), columns))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: it is no state of this version; the scout then stays as it was.
        """
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
            keys = np.frombuffer(dump.keys, "<u8").astype(np.uint64)
            parts = zip(COLUMNS, dump.columns, strict=True)
            columns = {name: np.frombuffer(zlib.decompress(part), kind).copy() for (name, kind), part in parts}
            if any(len(column) != len(keys) for column in columns.values()):
                raise ValueError(f"{len(keys)} newcomers expected in every column")
        except (ValueError, zlib.error) as error:
            raise StateError(f"{OWNER}: a scout's state expected; {error}") from error
        self.high_ms, self.depth, self.keys, self.columns = dump.high_ms, dump.depth, keys, columns


def build(seat: Seat) -> NewcomerScout:
    """Returns one, cold.

    Raises:
        ConfigError: the seat has no baseline.
    """
    if seat.baseline is None:
        raise ConfigError(f"{OWNER} on {seat.model}: a baseline expected, none found")
    return NewcomerScout(seat.baseline)

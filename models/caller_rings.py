"""Caller rings: the last 32 distinct questions of each caller, in bounded memory that an id explosion cannot wash out.

Theory. As `caller_table.py`: a set-associative table of eight ways, where a set that is full lets nobody in who was not seen
ADMIT times by a conservative count-min sketch (Estan and Varghese 2002, SIGCOMM). But a ring is large and a step over many
callers dear, so nobody is evicted while rows are being looked up: who found a set full is noted, and once in EPOCH rows the
most frequent of them replace the least suspect entries, one per set and MOST_LET_IN in all. A flood of ids, or more regular
callers than places, thus costs a bounded amount of work, and whoever asks most often gets in first: who is looked for.

A ring's newest entry stands last. Memory that nobody touched is never committed by the operating system, and a dump holds
the entries that are used.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.caller_table import put, take
from models.frequency_sketch import FrequencySketch
from models.paths import DIMS
from models.tail_bets import BETS, STAKED, levels
from tocsin.codec import pack

SETS: Final = 2_048
WAYS: Final = 8
RING: Final = 32
ADMIT: Final = 4
EPOCH: Final = 1_024
"""Rows between two lettings in; what must not depend on frames happens at multiples of it."""
MOST_LET_IN: Final = 32
SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
FADES: Final = 200_000.0
"""Rows in which an entry loses as much worth as eight more questions would give it."""
ACCUSED: Final = 16.0

CALLER: Final = np.dtype(
    [
        ("sums", "f8", (BETS + 1,)),
        ("onset_ms", "i8"),
        ("told_ms", "i8"),
        ("row", "i8"),
        ("since", "i4"),
        ("told", "i4"),
        ("drawn", "i4"),
        ("seen", "i4"),
        ("owner", "u2"),
        ("filled", "u1"),
    ],
    align=True,
)
"""What is kept of a caller besides its ring: its sums (`tail_bets.py`); when its suspect path began; when and at which length
it was last told; its last row's number; its path's length; the crowd's last epoch in which it was drawn; how many distinct
questions it asked; whose caller it is; entries in its ring."""

Slots = NDArray[np.int64]


class _Dump(msgspec.Struct, array_like=True):
    slots: bytes
    keys: bytes
    callers: bytes
    places: bytes
    prints: bytes
    labels: bytes
    sketch: bytes
    waiting: bytes
    owners: bytes
    rows: int


@dataclass(slots=True)
class CallerRings:
    """One shard's.

    Attributes:
        key: uint64 (slots,), 0 = empty.
        callers: CALLER (slots,).
        places: int16 (slots, RING, DIMS).
        prints: uint32 (slots, RING), fingerprints.
        labels: uint8 (slots, RING).
        rows: looked up so far.
        sketch: how often those were seen who found a set full.
        let_in: how many replaced another; not part of the state.
    """

    key: NDArray[np.uint64] = field(init=False)
    callers: NDArray[np.void] = field(init=False)
    places: NDArray[np.int16] = field(init=False)
    prints: NDArray[np.uint32] = field(init=False)
    labels: NDArray[np.uint8] = field(init=False)
    rows: int = field(init=False)
    sketch: FrequencySketch = field(init=False)
    let_in: int = field(init=False, default=0)
    _room: NDArray[np.int64] = field(init=False)
    _waiting: list[tuple[NDArray[np.uint64], NDArray[np.uint16]]] = field(init=False)

    def __post_init__(self) -> None:
        """Starts empty."""
        size = SETS * WAYS
        self.key, self.callers = np.zeros(size, np.uint64), np.zeros(size, CALLER)
        self.places = np.zeros((size, RING, DIMS), np.int16)
        self.prints, self.labels = np.zeros((size, RING), np.uint32), np.zeros((size, RING), np.uint8)
        self.rows = 0
        self._room = np.full(SETS, WAYS, np.int64)
        self.sketch = FrequencySketch()
        self._waiting = []

    @property
    def memory(self) -> int:
        """Returns the bytes it takes when every page has been touched."""
        columns = (self.key, self.callers, self.places, self.prints, self.labels)
        return sum(column.nbytes for column in columns) + self.sketch.memory

    def place(self, keys: NDArray[np.uint64], owners: NDArray[np.uint16]) -> tuple[Slots, int]:
        """Returns (slots, taken): where the first `taken` ≥ 1 rows' callers live, -1 for one that is not (yet) let in.

        Args:
            keys: uint64 (rows,), never 0.
            owners: uint16 (rows,), whose callers they are, for `drop`.
        """
        if self._waiting and self.rows % EPOCH == 0:
            self._settle()
        slots = self._find(keys)
        missing = np.flatnonzero(slots < 0)
        if len(missing) or self._waiting:
            taken = min(len(keys), EPOCH - self.rows % EPOCH)
            slots = slots[:taken]
            self._fill(keys, owners, slots, missing[missing < taken])
        self.rows += len(slots)
        return slots, len(slots)

    def drop(self, owner: int) -> None:
        """Forgets all callers of an owner."""
        gone = np.flatnonzero((self.callers["owner"] == owner) & (self.key != 0))
        self.key[gone] = 0
        self.callers[gone] = np.zeros((), CALLER)
        np.add.at(self._room, gone // WAYS, 1)
        self._waiting = [(keys[owners != owner], owners[owners != owner]) for keys, owners in self._waiting]

    def _find(self, keys: NDArray[np.uint64]) -> Slots:
        base = _homes(keys) * WAYS
        slots = base + (self.key.reshape(-1, WAYS)[base // WAYS] == keys[:, None]).argmax(axis=1)
        return np.where(self.key[slots] == keys, slots, -1)

    def _fill(self, keys: NDArray[np.uint64], owners: NDArray[np.uint16], slots: Slots, missing: Slots) -> None:
        """Gives free places to callers that have none, in order, and notes who found none."""
        homes = _homes(keys[missing])
        hopeful = missing[self._room[homes] > 0]
        for row, home in zip(hopeful.tolist(), homes[self._room[homes] > 0].tolist(), strict=True):
            if self._room[home] > 0 and not (self.key[home * WAYS : (home + 1) * WAYS] == keys[row]).any():
                free = home * WAYS + int((self.key[home * WAYS : (home + 1) * WAYS] == 0).argmax())
                self._seat(free, keys[row], owners[row], self.rows + row)
        if len(hopeful):
            slots[hopeful] = self._find(keys[hopeful])
        waiting = missing[slots[missing] < 0]
        if len(waiting):
            self._waiting.append((keys[waiting], owners[waiting]))

    def _seat(self, slot: int, key: np.uint64, owner: np.uint16, row: int) -> None:
        self._room[slot // WAYS] -= int(self.key[slot] == 0)
        self.callers[slot] = np.zeros((), CALLER)
        self.callers["owner"][slot] = owner
        self.callers["row"][slot] = row
        self.key[slot] = key

    def _settle(self) -> None:
        """Counts who waited, and lets in the most frequent of them."""
        waiting = np.concatenate([keys for keys, _ in self._waiting])
        whose = np.concatenate([owners for _, owners in self._waiting])
        self._waiting = []
        keys, first, counts = np.unique(waiting, return_index=True, return_counts=True)
        often = self.sketch.add(keys, counts)
        candidates = np.flatnonzero(often >= ADMIT)
        order = candidates[np.argsort(-often[candidates], kind="stable")][:MOST_LET_IN]
        taken: set[int] = set()
        for index, home in zip(order.tolist(), _homes(keys[order]).tolist(), strict=True):
            if home not in taken:
                taken.add(home)
                self.let_in += 1
                self._seat(self._weakest(home), keys[index], whose[first[index]], self.rows)

    def _weakest(self, home: int) -> int:
        """Returns a free place of this set, or that of its least suspect caller."""
        ways = slice(home * WAYS, (home + 1) * WAYS)
        callers = self.callers[ways]
        staked = np.maximum(callers["sums"][:, STAKED], 1e-300)
        suspect = np.log(np.maximum(levels(callers["sums"]) / staked, 1.0))
        worth = 8.0 * suspect + np.minimum(callers["seen"], 32) / 8.0 + ACCUSED * (callers["told"] > 0)
        worth -= (self.rows - callers["row"]) / FADES
        worth[self.key[ways] == 0] = -np.inf
        return home * WAYS + int(worth.argmin())

    def dump(self) -> bytes:
        """Returns the used places, the touched cells of the sketch, and who waits."""
        used = np.flatnonzero(self.key)
        rings = _entries(self.callers["filled"][used])
        waiting = [np.concatenate(part) for part in zip(*self._waiting, strict=True)] or [np.empty(0), np.empty(0)]
        return pack(
            _Dump(
                _deflate(used, "<u4"),
                _deflate(self.key[used], "<u8"),
                zlib.compress(take(self.callers, used).tobytes(), 1),
                _deflate(self.places[used][rings], "<i2"),
                _deflate(self.prints[used][rings], "<u4"),
                _deflate(self.labels[used][rings], "u1"),
                self.sketch.dump(),
                _deflate(waiting[0], "<u8"),
                _deflate(waiting[1], "<u2"),
                self.rows,
            )
        )

    def load(self, data: bytes) -> None:
        """Replaces all by what `dump` returned.

        Raises:
            ValueError: it is no dump; msgspec.DecodeError and zlib.error are raised as they come.
        """
        dump = msgspec.msgpack.decode(data, type=_Dump)
        self.__post_init__()
        used = _inflate(dump.slots, "<u4").astype(np.int64)
        self.key[used] = _inflate(dump.keys, "<u8")
        put(self.callers, used, np.frombuffer(zlib.decompress(dump.callers), CALLER))
        slot, entry = np.nonzero(_entries(self.callers["filled"][used]))
        self.places[used[slot], entry] = _inflate(dump.places, "<i2").reshape(-1, DIMS)
        self.prints[used[slot], entry] = _inflate(dump.prints, "<u4")
        self.labels[used[slot], entry] = _inflate(dump.labels, "u1")
        self._room -= np.bincount(used // WAYS, minlength=SETS)
        self.sketch.load(dump.sketch)
        waiting = _inflate(dump.waiting, "<u8").astype(np.uint64)
        self._waiting = [(waiting, _inflate(dump.owners, "<u2").astype(np.uint16))] if len(waiting) else []
        self.rows = dump.rows


def _homes(keys: NDArray[np.uint64]) -> Slots:
    with np.errstate(over="ignore"):
        homes: Slots = ((keys * SPREAD) >> np.uint64(64 - SETS.bit_length() + 1)).astype(np.int64)
    return homes


def _entries(filled: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns which entries of these rings are used, (rings, RING)."""
    return np.arange(RING) >= RING - filled[:, None].astype(np.int64)


def _deflate(values: NDArray[np.generic], kind: str) -> bytes:
    return zlib.compress(values.astype(kind).tobytes(), 1)


def _inflate(data: bytes, kind: str) -> NDArray[np.generic]:
    return np.frombuffer(zlib.decompress(data), kind)

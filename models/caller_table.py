"""Caller table: what is remembered of each caller, in bounded memory that an id explosion cannot wash out.

Theory. A set-associative table, as in a processor's cache: a key may live in any of the 8 ways of one set, so finding it is
one gather and one comparison, for a whole block at once. While its set has room a key is let in at once. When the set is
full, a newcomer must first be seen ADMIT times by a conservative count-min sketch (Estan and Varghese 2002, SIGCOMM): an
estimate that is never too low until it is halved, every HALVE_EVERY counted events, so that the past fades. Then the entry
with the least evidence goes: what its owner `holds` against it, then how often it was seen, less its age. One-shot ids are
thus never let in past a full set, and what they could evict is each other.

Everything depends on the rows and their order only. An eviction compares all ways of a set, so rows of that set which are
looked up but not yet applied would make it depend on how rows were cut: `place` then stops short, and is called again.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.codec import pack

WAYS = 8
ADMIT = 4
HALVE_EVERY = 1 << 19
SKETCH_BITS = 20
SPREAD = np.uint64(0x9E3779B97F4A7C15)
DUMPED = ("key", "group", "minute", "seen", "held")

Slots = NDArray[np.int64]
Columns = dict[str, NDArray[np.generic]]


class _Dump(msgspec.Struct, array_like=True):
    """A snapshot's layout: only used slots and touched sketch cells, deflated."""

    slots: bytes
    columns: dict[str, bytes]
    cells: bytes
    counts: bytes
    counted: int


@dataclass(slots=True)
class CallerTable:
    """A bounded table of callers.

    Attributes:
        sets: a power of two; the table holds `8 * sets` callers.
        columns: what the owner keeps per caller besides: name → numpy dtype.
        key: uint64 (slots,), 0 = empty.
        minute: int32 (slots,), when the owner last refreshed it; -1 for a new entry.
        seen: float64 (slots,), how often it was seen, as its owner counts.
        held: float32 (slots,), how much is held against it; an entry that holds more is evicted later.
        group: uint16 (slots,), a number of the owner's to find all of a kind by, in memory of its own; 0 in a new entry.
        data: the owner's columns, each (slots,), 0 in a new entry.
        records: (slots,), all of a caller but its key in one record, the same memory.
    """

    sets: int
    columns: dict[str, str]
    key: NDArray[np.uint64] = field(init=False)
    minute: NDArray[np.int32] = field(init=False)
    seen: NDArray[np.float64] = field(init=False)
    held: NDArray[np.float32] = field(init=False)
    group: NDArray[np.uint16] = field(init=False)
    data: dict[str, NDArray[np.generic]] = field(init=False)
    records: NDArray[np.void] = field(init=False)
    _used: bytearray = field(init=False)
    _cells: bytearray = field(init=False)
    _counted: int = field(init=False)

    def __post_init__(self) -> None:
        """Starts empty; untouched memory costs nothing, for the operating system hands out zero pages on first write."""
        size = self.sets * WAYS
        self.key, self.group = np.zeros(size, np.uint64), np.zeros(size, np.uint16)
        own = [("minute", "i4"), ("seen", "f8"), ("held", "f4")]
        # One record per caller: a caller's columns then share cache lines, which halves the time of a step.
        records = np.zeros(size, np.dtype([*own, *self.columns.items()], align=True))
        self.minute, self.seen, self.held = records["minute"], records["seen"], records["held"]
        self.data = {name: records[name] for name in self.columns}
        self.records = records
        self._used = bytearray(self.sets)
        self._cells = bytearray(2 << SKETCH_BITS)
        self._counted = 0

    @property
    def size(self) -> int:
        """Returns how many callers fit in."""
        return self.sets * WAYS

    def place(self, keys: NDArray[np.uint64], minute: int | Slots) -> tuple[Slots, int]:
        """Returns (slots, taken): where the first `taken` ≥ 1 rows live, -1 for a caller that is not (yet) let in.

        Args:
            keys: uint64 (rows,), never 0.
            minute: the owner's minute, which tells the age of entries; or int64 (rows,), each row's.
        """
        homes = (keys * SPREAD) >> np.uint64(64 - self.sets.bit_length() + 1)
        base = homes.astype(np.int64) * WAYS
        match = self.key.reshape(-1, WAYS)[homes.view(np.int64)] == keys[:, None]
        slots = base + match.argmax(axis=1)
        found = self.key[slots] == keys
        if found.all():
            return slots, len(keys)
        slots[~found] = -1
        return self._let_in(keys, base, slots, found, minute)

    def _let_in(
        self, keys: NDArray[np.uint64], base: Slots, slots: Slots, found: NDArray[np.bool_], minute: int | Slots
    ) -> tuple[Slots, int]:
        rows = np.flatnonzero(~found)
        spread = keys[rows] * SPREAD
        width = np.uint64((1 << SKETCH_BITS) - 1)
        ones = ((spread >> np.uint64(24)) & width).tolist()
        twos = (((spread >> np.uint64(4)) & width) + (width + np.uint64(1))).tolist()
        busy = set(base[found].tolist())
        placed: dict[int, int] = {}
        for row, key, home, one, two in zip(rows.tolist(), keys[rows].tolist(), base[rows].tolist(), ones, twos, strict=True):
            slot = placed.get(key, -1)
            if slot < 0 and self._used[home // WAYS] < WAYS:
                slot = home + self._used[home // WAYS]
                self._used[home // WAYS] += 1
                self._reset(slot, key)
            elif slot < 0 and self._estimate(one, two) + 1 >= ADMIT:
                if home in busy and row:
                    return slots[:row], row
                self._count(one, two)
                slot = self._weakest(home, minute if isinstance(minute, int) else int(minute[row]))
                self._reset(slot, key)
                if home in busy:
                    slots[0] = slot
                    return slots[:1], 1
            elif slot < 0:
                self._count(one, two)
                continue
            slots[row] = placed[key] = slot
            busy.add(home)
        return slots, len(keys)

    def _reset(self, slot: int, key: int) -> None:
        if self.key[slot]:
            _opaque(self.records)[slot] = bytes(self.records.itemsize)
        self.key[slot], self.group[slot], self.minute[slot] = key, 0, -1

    def _weakest(self, home: int, minute: int) -> int:
        ways = slice(home, home + WAYS)
        age = minute - self.minute[ways].astype(np.float64)
        worth = 8.0 * self.held[ways] + np.minimum(self.seen[ways], 32.0) / 8.0 - age / 60.0
        return home + int(worth.argmin())

    def _estimate(self, one: int, two: int) -> int:
        return min(self._cells[one], self._cells[two])

    def _count(self, one: int, two: int) -> None:
        cells = self._cells
        low = min(cells[one], cells[two], 254)
        cells[one], cells[two] = max(cells[one], low + 1), max(cells[two], low + 1)
        self._counted += 1
        if self._counted % HALVE_EVERY == 0:
            view = np.frombuffer(cells, np.uint8)
            view >>= 1

    def dump(self) -> bytes:
        """Returns the used slots and the touched cells of the sketch."""
        used = np.flatnonzero(self.key)
        cells = np.flatnonzero(np.frombuffer(self._cells, np.uint8)) if self._counted else np.empty(0, np.int64)
        own = {name: getattr(self, name) for name in DUMPED}
        columns = {name: _deflate(column[used]) for name, column in (own | self.data).items()}
        counts = np.frombuffer(self._cells, np.uint8)[cells]
        gaps = np.diff(cells, prepend=0)
        return pack(_Dump(_deflate(used.astype("<u4")), columns, _deflate(gaps.astype("<u4")), _deflate(counts), self._counted))

    def load(self, data: bytes) -> None:
        """Replaces the table by what `dump` returned.

        Raises:
            ValueError: the columns are not this table's; msgspec.DecodeError and zlib.error when it is no dump at all.
        """
        dump = msgspec.msgpack.decode(data, type=_Dump)
        if set(dump.columns) != {*DUMPED, *self.columns}:
            raise ValueError(f"columns {sorted({*DUMPED, *self.columns})} expected, {sorted(dump.columns)} found")
        self.__post_init__()
        used = _inflate(dump.slots, np.dtype("<u4")).astype(np.int64)
        for name in DUMPED:
            column = getattr(self, name)
            column[used] = _inflate(dump.columns[name], column.dtype)
        for name, column in self.data.items():
            column[used] = _inflate(dump.columns[name], column.dtype)
        for home, ways in zip(*np.unique(used // WAYS, return_counts=True), strict=True):
            self._used[int(home)] = int(ways)
        cells = np.cumsum(_inflate(dump.cells, np.dtype("<u4")), dtype=np.int64)
        np.frombuffer(self._cells, np.uint8)[cells] = _inflate(dump.counts, np.dtype("u1"))
        self._counted = dump.counted


def take(records: NDArray[np.void], which: Slots) -> NDArray[np.void]:
    """Returns copies of these records; as opaque bytes, for numpy copies a record field by field at ten times the cost."""
    return _opaque(records)[which].view(records.dtype)


def put(records: NDArray[np.void], which: Slots, changed: NDArray[np.void]) -> None:
    """Writes such copies back."""
    _opaque(records)[which] = _opaque(changed)


def _opaque(records: NDArray[np.void]) -> NDArray[np.void]:
    return records.view(np.dtype((np.void, records.itemsize)))


def _deflate(values: NDArray[np.generic]) -> bytes:
    return zlib.compress(values.astype(values.dtype.newbyteorder("<")).tobytes(), 1)


def _inflate(data: bytes, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    return np.frombuffer(zlib.decompress(data), dtype.newbyteorder("<"))

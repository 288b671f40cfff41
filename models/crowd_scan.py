"""Crowd scan: what judge knows of the rows that scouts told it lately: how crowded their cells are, and who is in them.

Theory. A scan statistic over fixed cells: a row's score is the lower median over its tables of how surprising its cell's count
is in the last window of the model's events (`cell_tables.py`). Who made a crowd are the callers of those told rows whose
cells are crowded in at least half of their tables; that is found in what is remembered anyway, no shard is asked again.
"""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.cell_tables import TABLES, Face, Keys, lower_median, surprise
from models.collusion_reports import ROW, Records, Told, keys_of, void_of
from models.panes import Panes
from tocsin.codec import pack
from tocsin.event import ROW_BITS, Caller, Coordinates, Source

HOT: Final = TABLES // 2
"""Tables in which a row's cell must be crowded."""
KEEP: Final = 2_048
"""Rows remembered."""
AT_ONCE: Final = 4_096
"""Rows."""
KEPT: Final = np.dtype([*((name, ROW[name]) for name in ROW.names or ()), ("hash", "<u8"), ("number", "<i8")])
"""A row as told, its caller's hash, and which event of the model it was."""


OPAQUE: Final = np.dtype((np.void, KEPT.itemsize))
"""The same as mere bytes: numpy would join records field by field."""


class _Heap(NamedTuple):
    """Rows just told, as they were told: most are forgotten before anybody asks for them."""

    told: Told
    rows: Records
    numbers: Keys
    callers: tuple[Caller, ...]


class _Dump(msgspec.Struct, array_like=True):
    panes: bytes
    rows: bytes
    callers: list[Caller]
    sources: list[Source]


class CrowdScan:
    """One model's told rows.

    Args:
        face: of the grid that their cells are in.
        length: events per window.
        bits: k of the 2^k slots they are counted in.

    """

    def __init__(self, face: Face, length: int, bits: int) -> None:
        """Starts empty."""
        self._face, self._length = face, length
        self._panes = Panes(bits)
        self._rows: Records = np.zeros(0, KEPT)
        self._callers: dict[int, Caller] = {}
        self._sources: list[Source] = []
        self._heaps: list[_Heap] = []
        self._heaped = 0

    @property
    def rows(self) -> Records:
        """Returns KEPT records, the latest told, in order."""
        if self._heaps:
            self._tidy()
        return self._rows

    def add(self, told: Told, records: Records, numbers: Keys, callers: tuple[Caller, ...]) -> NDArray[np.float64]:
        """Returns each row's score, nats, in its turn, after counting and remembering it.

        Args:
            told: what they were told in.
            records: ROW records.
            numbers: int64, rising: which event each is, from 1.
            callers: what `caller` indexes.
        """
        scores = np.zeros(len(records))
        if not len(records):
            return scores
        keys, weights, void = keys_of(records), records["weights"], void_of(records)
        begin = 0
        while begin < len(records):
            pane = int(numbers[begin] - 1) // self._length
            end = min(int(np.searchsorted(numbers, (pane + 1) * self._length, "right")), begin + AT_ONCE)
            part = slice(begin, end)
            self._panes.turn(pane)
            fades = 1.0 - (numbers[part, None] - pane * self._length) / self._length
            _, inside = self._panes.add(keys[part], weights[part], fades)
            scores[part] = self._scores(keys[part], inside, void[part])
            begin = end
        self._heaps.append(_Heap(told, records, numbers, callers))
        self._heaped += len(records)
        if self._heaped >= KEEP:
            self._tidy()
        return scores

    def crowded(self, nats: float) -> NDArray[np.bool_]:
        """Returns which of `rows` are in cells that surprise by so much, in at least half of their tables, by now."""
        if not len(self.rows):
            return np.zeros(0, np.bool_)
        now = int(self.rows["number"][-1])
        inside = self._panes.count(keys_of(self.rows), 1.0 - ((now - 1) % self._length + 1) / self._length)
        surprises = surprise(inside, self._face.expected(keys_of(self.rows), self._length))
        hot = ((surprises >= nats) & ~void_of(self.rows)).sum(axis=1) >= HOT
        found: NDArray[np.bool_] = hot & (self.rows["number"] > now - 2 * self._length)
        return found

    def place(self, back: int) -> int:
        """Returns the number, among `rows`, of the one that is so many places from their end, the last being 1."""
        return max(len(self.rows) - back, 0)

    def beside(self, row: int) -> NDArray[np.bool_]:
        """Returns which of `rows` share at least half of their cells with row number `row` of them."""
        same = self.rows["cells"] == self.rows["cells"][row]
        shared: NDArray[np.bool_] = same.sum(axis=1) >= HOT
        return shared

    def forget(self, which: NDArray[np.bool_]) -> None:
        """Forgets these of `rows`, and whatever is in their cells."""
        self._panes.clear(keys_of(self.rows[which]))
        self._rows = self.rows[~which]

    def callers(self, which: NDArray[np.bool_]) -> tuple[Caller, ...]:
        """Returns who sent these of `rows`, each once, those that sent most of them first."""
        hashes, counts = np.unique(self.rows["hash"][which], return_counts=True)
        return tuple(self._callers[one] for one in hashes[np.argsort(-counts, kind="stable")].tolist())

    def coordinates(self, row: int) -> Coordinates:
        """Returns where row number `row` of `rows` entered."""
        position = int(self.rows["position"][row])
        return Coordinates(self._sources[self.rows["source"][row]], position >> ROW_BITS, position & ((1 << ROW_BITS) - 1))

    def expected(self, row: int) -> NDArray[np.float64]:
        """Returns how many callers to expect in each cell of row number `row` of `rows` in a window, rising."""
        return np.sort(self._face.expected(keys_of(self.rows[row : row + 1]), self._length)[0])

    def _scores(self, keys: Keys, inside: NDArray[np.float64], void: NDArray[np.bool_]) -> NDArray[np.float64]:
        surprises = surprise(inside, self._face.expected(keys, self._length))
        return lower_median(np.where(void, 0.0, surprises))

    def _tidy(self) -> None:
        """Moves what is heaped up to the rows, and forgets what they are too many for."""
        told = [self._rows.view(OPAQUE), *(self._kept(heap).view(OPAQUE) for heap in self._heaps)]
        self._heaps, self._heaped = [], 0
        self._rows = np.concatenate(told)[-KEEP:].view(KEPT)
        if len(self._callers) > 2 * KEEP:
            self._callers = self._remembered()

    def _kept(self, heap: _Heap) -> Records:
        kept = np.zeros(len(heap.rows), KEPT)
        for name in ROW.names or ():
            kept[name] = heap.rows[name]
        kept["number"] = heap.numbers
        kept["hash"] = np.array([caller.hash for caller in heap.callers], np.uint64)[heap.rows["caller"]]
        kept["source"] = np.array([self._place(source) for source in heap.told.sources], np.uint8)[heap.rows["source"]]
        senders = [heap.callers[place] for place in np.unique(heap.rows["caller"]).tolist()]
        self._callers |= {caller.hash: caller for caller in senders}
        return kept

    def _remembered(self) -> dict[int, Caller]:
        return {one: self._callers[one] for one in np.unique(self._rows["hash"]).tolist()}

    def _place(self, source: Source) -> int:
        if source not in self._sources:
            self._sources.append(source)
        return min(self._sources.index(source), 255)

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        rows = zlib.compress(self.rows.tobytes(), 1) if len(self.rows) else b""
        callers = [caller for _, caller in sorted(self._remembered().items())]
        return pack(_Dump(self._panes.dump(), rows, callers, self._sources))

    def load(self, data: bytes) -> None:
        """Replaces the state by what `dump` returned.

        Raises:
            ValueError, zlib.error, msgspec.DecodeError: it is none.
        """
        dump = msgspec.msgpack.decode(data, type=_Dump)
        self._panes.load(dump.panes)
        self._rows, self._heaps, self._heaped = np.frombuffer(zlib.decompress(dump.rows) if dump.rows else b"", KEPT), [], 0
        self._callers = {caller.hash: caller for caller in dump.callers}
        self._sources = dump.sources

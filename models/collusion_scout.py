"""Collusion's scout: looks, in one shard, for cells in which more callers meet than golden traffic explains.

Theory. Every query of a search for an adversarial input resembles the one before, whoever sends it. So what is counted is not
a caller's queries but a cell's callers: each (caller, table, cell) once in two panes, so that a busy customer is no crowd. A
cell is hot from its second caller on if it has more than twice what is expected; a row in at least half of whose tables the
cell is hot is worth telling, with what it adds: one caller, or two where it is the second, for the first was not told. Nearly
all traffic ends here; what is told is a few per cent.

Rows close to the decision boundary are few, and told one and all: judge scans them in a finer grid (`margin_scan.py`).
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.cell_tables import FIRST, MANY, TABLES, CellTables, Face, Keys, face_of
from models.collusion_reports import GROUPS, ROW, SKETCHES, Records, encoded
from models.detector import Report
from models.loda import face_of as envelope_of
from models.panes import Once, Panes, slots_for
from models.quantity import features_of
from models.standardise import Column
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.rows import Rows

ID: Final = "collusion"
VERSION: Final = 1
CALLERS: Final = 2
"""In a cell, from which on it may be hot."""
TIMES: Final = 2.0
"""As many callers as expected must be exceeded."""
HOT: Final = TABLES // 2
"""Tables in which a row's cell must be hot."""
AT_ONCE: Final = 4_096
"""Rows."""
BITS_PER_SLOT: Final = 3
"""Logarithm of them, in the filter."""
FINEST: Final = np.float32(64.0)
"""Per golden standard deviation, when a row is sketched: sums of whole numbers have no order."""
HASHED: Final = np.uint32(0x9E37_79B1)
OF_CALLER: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
OF_CELL: Final = np.uint64(0xC2B2_AE3D_27D4_EB4F)
OPAQUE: Final = np.dtype((np.void, ROW.itemsize))
"""A record as mere bytes: numpy would join records field by field."""
MIXED: Final = np.uint64(0xBF58_476D_1CE4_E5B9)

Mask = NDArray[np.bool_]


class _Dump(msgspec.Struct, array_like=True):
    seen: int
    near_seen: int
    counts: bytes
    once: bytes
    near_once: bytes


class CollusionScout:
    """One shard's.

    Args:
        baseline: with an envelope and cell tables.
        tables: those.
        shards: over how many the model's traffic is spread.
    """

    def __init__(self, baseline: Baseline, tables: CellTables, shards: int) -> None:
        """Starts cold."""
        if baseline.envelope is None:
            raise StateError(f"{ID}: a baseline with an envelope expected; that of {baseline.model} has none")
        self._baseline, self._tables = baseline, tables
        self._standard = envelope_of(baseline.envelope).standard
        self._grid, self._near = face_of(tables.grid), None if tables.near is None else face_of(tables.near)
        self._habitual = np.frombuffer(tables.habitual, "u1").astype(np.bool_)[:, None]
        signs = np.random.default_rng(zlib.crc32(tables.grid.factors)).choice((-1, 1), (SKETCHES, len(baseline.features)))
        self._signs = np.ascontiguousarray(signs, np.int32)
        self._length, self._near_length = max(tables.events // shards, 1), max(tables.near_events // shards, 1)
        self._cool()

    def _cool(self) -> None:
        bits, near_bits = slots_for(self._length * TABLES), slots_for(self._near_length * TABLES)
        self._seen = self._near_seen = 0
        self._counts, self._once = Panes(bits), Once(bits + BITS_PER_SLOT)
        self._near_once = Once(near_bits + BITS_PER_SLOT)

    def look(self, rows: Rows) -> Report | None:
        """Returns which of the rows are in hot cells, or close to the decision boundary; None for none."""
        values = features_of(self._baseline.features, rows)
        absent = np.isnan(values) & ~self._habitual
        standardised = self._standard.apply(values)
        found = [self._near_rows(rows, standardised, absent)]
        for begin, end in self._pieces(len(rows)):
            part = slice(begin, end)
            picked, weights, void = self._crowded(rows.hash[part], standardised[:, part], absent[:, part])
            if len(picked):
                found.append(self._records(rows, standardised, begin + picked, weights, void))
        records = np.concatenate([one.view(OPAQUE) for one in found]).view(ROW)
        return (
            self._report(rows, records[np.argsort(-records["after"].astype(np.int64), kind="stable")]) if len(records) else None
        )

    def _pieces(self, rows: int) -> list[tuple[int, int]]:
        """Returns where to cut the rows so that no piece is in two panes."""
        pieces, begin = [], 0
        while begin < rows:
            end = min(rows, begin + AT_ONCE, begin + self._length - (self._seen + begin) % self._length)
            pieces.append((begin, end))
            begin = end
        return pieces

    def _crowded(self, callers: NDArray[np.uint64], standardised: Column, absent: Mask) -> tuple[Keys, NDArray[np.uint8], Mask]:
        """Returns which rows to tell, what each adds to its cells, and which of its tables do not count."""
        pane, number = divmod(self._seen, self._length)
        self._seen += len(callers)
        self._counts.turn(pane)
        self._once.turn(pane)
        keys, void = self._grid.keys(standardised), _void(self._grid, absent)
        fresh = self._once.first(_tags(callers, keys)) & ~void
        fades = 1.0 - (number + 1 + np.arange(len(callers))[:, None]) / self._length
        here, inside = self._counts.add(keys, fresh.view(np.uint8), fades)
        hot = (inside >= CALLERS) & (inside > TIMES * self._grid.expected(keys, self._length)) & ~void
        picked = np.flatnonzero((hot.sum(axis=1) >= HOT) & fresh.any(axis=1))
        weights = (fresh & hot).astype(np.uint8)
        weights[(here == CALLERS) & (inside < CALLERS + 1)] *= CALLERS  # it was not hot before: its first caller was not told
        return picked, weights[picked], void[picked]

    def _near_rows(self, rows: Rows, standardised: Column, absent: Mask) -> Records:
        """Returns the records of the rows close to the decision boundary."""
        if self._near is None:
            return np.zeros(0, ROW)
        distance = np.abs(rows.confidence - np.float32(self._baseline.boundary))
        picked = np.flatnonzero(distance <= np.float32(self._tables.margin))
        if not len(picked):
            return np.zeros(0, ROW)
        keys, void = self._near.keys(standardised[:, picked]), _void(self._near, absent[:, picked])
        tags, fresh, begin = _tags(rows.hash[picked], keys), np.zeros(keys.shape, np.bool_), 0
        while begin < len(picked):
            pane, number = divmod(self._near_seen, self._near_length)
            end = min(len(picked), begin + AT_ONCE, begin + self._near_length - number)
            self._near_once.turn(pane)
            fresh[begin:end] = self._near_once.first(tags[begin:end])
            self._near_seen += end - begin
            begin = end
        records = self._records(rows, standardised, picked, (fresh & ~void).astype(np.uint8), void)
        records["cells"] = keys - FIRST
        records["near"] = 1
        return records

    def _records(self, rows: Rows, standardised: Column, picked: Keys, weights: NDArray[np.uint8], void: Mask) -> Records:
        records, mine = np.zeros(len(picked), ROW), standardised[:, picked]
        labels = np.array([zlib.crc32(name.encode()) for name in rows.labels] or [0], np.uint32)
        records["void"] = np.packbits(void, axis=1, bitorder="little")[:, 0]
        records["cells"] = self._grid.keys(mine) - FIRST
        records["weights"] = weights
        records["after"] = len(rows) - 1 - picked
        records["label"] = labels[rows.label[picked]]
        records["sketch"], records["content"] = self._sketch(mine), _content(mine)
        records["ts"], records["source"], records["position"] = rows.ts[picked], rows.source[picked], rows.position[picked]
        return records

    def _sketch(self, standardised: Column) -> NDArray[np.float64]:
        """Returns random projections of the rows, (rows, SKETCHES), in golden standard deviations of one feature."""
        whole = np.rint(standardised * FINEST).astype(np.int32)
        sums = np.stack([np.add.reduce(whole * signs[:, None], axis=0, dtype=np.int64) for signs in self._signs], axis=1)
        sketch: NDArray[np.float64] = np.clip(sums / (float(FINEST) * np.sqrt(len(whole))), -60_000.0, 60_000.0)
        return sketch

    def _report(self, rows: Rows, records: Records) -> Report:
        at = len(rows) - 1 - records["after"].astype(np.int64)
        _, first, place = np.unique(rows.hash[at], return_index=True, return_inverse=True)
        records["caller"] = place
        return Report(tuple(rows.caller_of(row) for row in at[first].tolist()), encoded(rows.sources, records))

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        parts = (self._counts.dump(), self._once.dump(), self._near_once.dump())
        return pack(_Dump(self._seen, self._near_seen, *parts))

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned.

        Raises:
            StateError: it is no such state; the scout then stays as built, cold.
        """
        try:
            dump = msgspec.msgpack.decode(data, type=_Dump)
            self._counts.load(dump.counts)
            self._once.load(dump.once)
            self._near_once.load(dump.near_once)
        except (msgspec.DecodeError, ValueError, zlib.error) as error:
            self._cool()
            raise StateError(f"{ID}: a scout's state of version {VERSION} expected; {error}") from error
        self._seen, self._near_seen = dump.seen, dump.near_seen


def _void(face: Face, absent: Mask) -> Mask:
    """Returns which tables do not count for which rows."""
    return face.void(absent) if absent.any() else np.zeros((absent.shape[1], TABLES), np.bool_)


def _content(standardised: Column) -> NDArray[np.uint8]:
    """Returns hashes of the rows' values, (rows, GROUPS); every feature is in one group at least."""
    features = len(standardised)
    bits = (standardised + np.float32(0.0)).view(np.uint32) * (np.arange(features, dtype=np.uint32)[:, None] * HASHED + HASHED)
    groups = [np.arange(group % features, features, GROUPS) for group in range(GROUPS)]
    sums = np.stack([np.add.reduce(bits[group], axis=0, dtype=np.uint32) for group in groups], axis=1)
    sums ^= sums >> np.uint32(15)
    sums *= MANY
    return (sums >> np.uint32(24)).astype(np.uint8)


def _tags(callers: NDArray[np.uint64], keys: Keys) -> NDArray[np.uint64]:
    """Returns a well mixed number per caller and cell, uint64 (rows, TABLES)."""
    tags = (callers * OF_CALLER)[:, None] ^ (keys.view(np.uint64) * OF_CELL)
    tags ^= tags >> np.uint64(29)
    tags *= MIXED
    tags ^= tags >> np.uint64(32)
    tags *= OF_CALLER
    return tags

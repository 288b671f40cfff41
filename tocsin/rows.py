"""Rows: a block's numpy face. What every detector sees."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.event import ROW_BITS, Caller, Coordinates, Source
from tocsin.frame import Block

MISSING = np.float32(np.nan)


def category_code(text: str) -> float:
    """Returns a category's value in a float32 column: a 24-bit hash, exact in float32 and the same in every frame."""
    return float(zlib.crc32(text.encode()) & 0xFFFFFF)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of one block, in ledger order.

    Attributes:
        kind: `inference` or `label`.
        model: `namespace/name@version`.
        features: names, see `Block.features`.
        sources: what `source` indexes.
        callers: (id, id_kind), what `caller` indexes.
        labels: what `label` indexes.
        source: uint8 (rows,).
        position: int64 (rows,).
        ts: int64 (rows,), Unix milliseconds.
        flags: uint8 (rows,).
        caller: uint16 (rows,).
        hash: uint64 (rows,), the caller's keyed hash.
        values: float32 (features, rows), NaN = missing.
        confidence: float32 (rows,), NaN = unknown.
        latency_ms: float32 (rows,), NaN = unknown.
        status: int16 (rows,), 0 = unknown.
        label: uint16 (rows,).
        text: name → texts of all rows, decoded only where a detector asks by `texts`.
    """

    kind: str
    model: str
    features: tuple[str, ...]
    sources: tuple[Source, ...]
    callers: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]
    source: NDArray[np.uint8]
    position: NDArray[np.int64]
    ts: NDArray[np.int64]
    flags: NDArray[np.uint8]
    caller: NDArray[np.uint16]
    hash: NDArray[np.uint64]
    values: NDArray[np.float32]
    confidence: NDArray[np.float32]
    latency_ms: NDArray[np.float32]
    status: NDArray[np.int16]
    label: NDArray[np.uint16]
    text: dict[str, tuple[bytes, bytes]]

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.position)

    def select(self, which: NDArray[Any] | slice) -> Rows:
        """Returns the rows that a boolean mask, an index array or a slice picks, in their order."""
        picked: dict[str, Any] = {name: getattr(self, name)[which] for name in _PER_ROW}
        return replace(self, values=self.values[:, which], text=_select_text(self.text, which, len(self)), **picked)

    def coordinates(self, row: int) -> Coordinates:
        """Returns where row number `row` of these rows entered."""
        position = int(self.position[row])
        return Coordinates(self.sources[self.source[row]], position >> ROW_BITS, position & ((1 << ROW_BITS) - 1))

    def caller_of(self, row: int) -> Caller:
        """Returns who made the call in row number `row` of these rows."""
        caller_id, id_kind = self.callers[self.caller[row]]
        return Caller(caller_id, id_kind, int(self.hash[row]))

    def texts(self, name: str) -> list[str]:
        """Returns one text per row; empty texts when the block carries none of that name."""
        if name not in self.text:
            return [""] * len(self)
        data, packed = self.text[name]
        ends = np.frombuffer(packed, "<u4").tolist()
        return [data[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]


_PER_ROW = ("source", "position", "ts", "flags", "caller", "hash", "confidence", "latency_ms", "status", "label")


def _select_text(
    text: dict[str, tuple[bytes, bytes]], which: NDArray[Any] | slice, rows: int
) -> dict[str, tuple[bytes, bytes]]:
    picked = {}
    for name, (data, packed) in text.items():
        ends = np.frombuffer(packed, "<u4").astype(np.int64)
        starts = np.concatenate(([0], ends[:-1])) if rows else ends
        picked[name] = join_texts([data[a:b] for a, b in zip(starts[which].tolist(), ends[which].tolist(), strict=True)])
    return picked


def join_texts(texts: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Returns a block's text column: all texts in one, and their ends as uint32."""
    ends = np.cumsum([len(text) for text in texts], dtype="<u4")
    return b"".join(texts), ends.tobytes()


def rows_of(block: Block, sources: tuple[Source, ...]) -> Rows:
    """Returns the block's columns as numpy views on its bytes; nothing is copied but the caller hashes."""
    caller = np.frombuffer(block.caller, "<u2")
    hashes = np.frombuffer(block.hashes, "<u8")
    return Rows(
        kind=block.kind,
        model=block.model,
        features=block.features,
        sources=sources,
        callers=block.callers,
        labels=block.labels,
        source=np.frombuffer(block.source, "u1"),
        position=np.frombuffer(block.position, "<i8"),
        ts=np.frombuffer(block.ts, "<i8"),
        flags=np.frombuffer(block.flags, "u1"),
        caller=caller,
        hash=hashes[caller],
        values=np.frombuffer(block.values, "<f4").reshape(len(block.features), block.rows),
        confidence=np.frombuffer(block.confidence, "<f4"),
        latency_ms=np.frombuffer(block.latency_ms, "<f4"),
        status=np.frombuffer(block.status, "<i2"),
        label=np.frombuffer(block.label, "<u2"),
        text=block.text,
    )


def block_of(rows: Rows) -> Block:
    """Returns the wire form of the rows; `rows_of` is its inverse."""
    caller, hashes = _recode(rows)
    return Block(
        kind=rows.kind,
        model=rows.model,
        features=rows.features,
        rows=len(rows),
        source=rows.source.astype("u1").tobytes(),
        position=rows.position.astype("<i8").tobytes(),
        ts=rows.ts.astype("<i8").tobytes(),
        flags=rows.flags.astype("u1").tobytes(),
        caller=caller.astype("<u2").tobytes(),
        callers=rows.callers,
        hashes=hashes.astype("<u8").tobytes(),
        values=np.ascontiguousarray(rows.values, "<f4").tobytes(),
        confidence=rows.confidence.astype("<f4").tobytes(),
        latency_ms=rows.latency_ms.astype("<f4").tobytes(),
        status=rows.status.astype("<i2").tobytes(),
        label=rows.label.astype("<u2").tobytes(),
        labels=rows.labels,
        text=rows.text,
    )


def _recode(rows: Rows) -> tuple[NDArray[np.uint16], NDArray[np.uint64]]:
    hashes = np.zeros(len(rows.callers), np.uint64)
    hashes[rows.caller] = rows.hash
    return rows.caller, hashes

"""Columns: rows waiting for a frame, turned into numpy columns and then into one block.

Rows wait as plain tuples (cheap to append one by one) or as `Columns` (cheap to append by the hundred, from a columnar batch).
Both are turned into arrays once per block, because numpy's price is per call and not per row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.frame import Block, Flag
from tocsin.rows import join_texts

SKEW_MS: Final = 5 * 60_000
"""A claimed time further than this from the append time is not believed: a claim must not hide a burst."""


class Known(NamedTuple):
    """A caller that has been checked and hashed.

    Attributes:
        id: as received.
        id_kind: what kind of id it is.
        hash: the keyed 64-bit hash.
        shard: where its rows go.
        size: bytes that its id costs in a frame.
    """

    id: str
    id_kind: str
    hash: int
    shard: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """What makes rows fit one block.

    Attributes:
        kind: `inference` or `label`.
        model: `namespace/name@version`.
        features: wire names (a category's begins with `=`), sorted.
        written: the same names in the order in which waiting rows hold their values.
        texts: names of text columns.
        size: bytes that the block costs without its rows.
        row_size: bytes that one row costs without caller, label and texts.
    """

    kind: str
    model: str
    features: tuple[str, ...]
    written: tuple[str, ...]
    texts: tuple[str, ...]
    size: int
    row_size: int


def schema_of(kind: str, model: str, written: tuple[str, ...], texts: tuple[str, ...]) -> Schema:
    """Returns the schema, with what it costs on the wire at most."""
    names = sum(4 * len(name) + 5 for name in (*written, *texts, model))
    row_size = 64 + 4 * len(written) + 4 * len(texts)
    return Schema(kind, model, tuple(sorted(written)), written, texts, 128 + names, row_size)


Row = tuple[int, int, int | None, int, Known, Iterable[float | None], str, float | None, float | None, int, tuple[str, ...]]
"""(source, position, claimed ts or None, append_ms, caller, values in the schema's written order, label, confidence,
latency_ms, status, texts); a plain tuple, because one is made per event."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Some rows of one schema. Two matrices, because numpy's price is per call.

    Attributes:
        whole: int64 (4, rows): the framer's source number, position, ts, flags.
        real: float32 (3 + features, rows): confidence, latency_ms, status, then the values in the schema's written order.
        callers: one per row.
        labels: one per row.
        texts: one tuple per row, as the schema's texts.
    """

    whole: NDArray[np.int64]
    real: NDArray[np.float32]
    callers: Sequence[Known]
    labels: Sequence[str]
    texts: Sequence[tuple[str, ...]]

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.callers)

    def ordered(self, order: NDArray[np.int64]) -> Columns:
        """Returns the same rows in another order."""
        rows = order.tolist()
        return Columns(
            self.whole[:, order],
            self.real[:, order],
            [self.callers[row] for row in rows],
            [self.labels[row] for row in rows],
            [self.texts[row] for row in rows],
        )

    def between(self, start: int, end: int) -> Columns:
        """Returns the rows in [start, end)."""
        return Columns(
            self.whole[:, start:end],
            self.real[:, start:end],
            self.callers[start:end],
            self.labels[start:end],
            self.texts[start:end],
        )


def columns_of(rows: list[Row], features: int) -> Columns:
    """Returns the rows as columns."""
    source, position, claimed, append, callers, values, labels, confidence, latency, status, texts = zip(*rows, strict=True)
    whole = np.empty((4, len(rows)), np.int64)
    whole[0], whole[1] = source, position
    whole[2], whole[3] = event_time(claimed, np.array(append, np.int64))
    real = np.empty((3 + features, len(rows)), np.float32)
    real[0], real[1], real[2] = np.array(confidence, np.float32), np.array(latency, np.float32), status
    real[3:] = np.array(list(chain.from_iterable(values)), np.float32).reshape(len(rows), features).T
    return Columns(whole, real, callers, labels, texts)


def event_time(claimed: Sequence[int | None], append: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Returns (ts, flags): the claimed time where it stands within 5 minutes of the append time, else the append time."""
    if None in claimed:
        absent = np.array([ts is None for ts in claimed])
        times = np.where(absent, append, np.array([ts or 0 for ts in claimed], np.int64))
    else:
        absent = np.zeros(len(append), bool)
        times = np.array(claimed, np.int64)
    skewed = np.abs(times - append) > SKEW_MS
    flags = np.where(absent, Flag.NO_TIME, np.where(skewed, Flag.SKEW, 0)).astype(np.uint8)
    return np.where(skewed, append, times), flags


def joined(pieces: list[Columns]) -> Columns:
    """Returns the pieces as one, in their order."""
    if len(pieces) == 1:
        return pieces[0]
    return Columns(
        np.concatenate([piece.whole for piece in pieces], axis=1),
        np.concatenate([piece.real for piece in pieces], axis=1),
        list(chain.from_iterable(piece.callers for piece in pieces)),
        list(chain.from_iterable(piece.labels for piece in pieces)),
        list(chain.from_iterable(piece.texts for piece in pieces)),
    )


def block_of(schema: Schema, columns: Columns, numbers: dict[int, int]) -> Block:
    """Returns the wire block.

    Args:
        schema: of the rows.
        columns: the rows.
        numbers: the framer's source number → index in the frame's sources.
    """
    hashes: dict[int, int] = {}
    codes = [hashes.setdefault(known.hash, len(hashes)) for known in columns.callers]
    callers = dict(zip(codes, columns.callers, strict=True))
    labels: dict[str, int] = {}
    label = np.array([labels.setdefault(name, len(labels)) for name in columns.labels], "<u2")
    whole, real = columns.whole, columns.real
    values = real[3:]
    if schema.written != schema.features:
        values = values[[schema.written.index(name) for name in schema.features]]
    texts = zip(schema.texts, zip(*columns.texts, strict=True), strict=True) if schema.texts else ()
    return Block(
        kind=schema.kind,
        model=schema.model,
        features=schema.features,
        rows=len(columns),
        source=_local(whole[0], numbers).tobytes(),
        position=whole[1].astype("<i8").tobytes(),
        ts=whole[2].astype("<i8").tobytes(),
        flags=whole[3].astype("u1").tobytes(),
        caller=np.array(codes, "<u2").tobytes(),
        callers=tuple((callers[code].id, callers[code].id_kind) for code in range(len(hashes))),
        hashes=np.array(list(hashes), "<u8").tobytes(),
        values=np.ascontiguousarray(values, "<f4").tobytes(),
        confidence=real[0].astype("<f4").tobytes(),
        latency_ms=real[1].astype("<f4").tobytes(),
        status=real[2].astype("<i2").tobytes(),
        label=label.tobytes(),
        labels=tuple(labels),
        text={name: join_texts([text.encode() for text in column]) for name, column in texts},
    )


def _local(source: NDArray[np.int64], numbers: dict[int, int]) -> NDArray[np.uint8]:
    if len(numbers) == 1:
        return np.zeros(len(source), np.uint8)
    lookup = np.zeros(max(numbers) + 1, np.uint8)
    lookup[list(numbers)] = list(numbers.values())
    return lookup[source]

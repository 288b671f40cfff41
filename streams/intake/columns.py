"""Columns: rows waiting for a frame, turned into the columns of one block.

Rows wait as plain tuples and become arrays once per block, because numpy's price is per call and not per row. That holds for
columnar batches too: dealt out to shards, their columns are so short that arrays cost more than tuples.
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


def block_of(schema: Schema, rows: list[Row], numbers: dict[int, int]) -> Block:
    """Returns the wire block.

    Args:
        schema: of the rows.
        rows: one at least.
        numbers: the framer's source number → index in the frame's sources.
    """
    source, position, claimed, append, callers, values, names, confidence, latency, status, texts = zip(*rows, strict=True)
    ts, flags = event_time(claimed, np.array(append, np.int64))
    hashes: dict[int, int] = {}
    codes = [hashes.setdefault(known.hash, len(hashes)) for known in callers]
    known = dict(zip(codes, callers, strict=True))
    labels: dict[str, int] = {}
    label = [labels.setdefault(name, len(labels)) for name in names]
    columns = zip(schema.texts, zip(*texts, strict=True), strict=True) if schema.texts else ()
    return Block(
        kind=schema.kind,
        model=schema.model,
        features=schema.features,
        rows=len(rows),
        source=_local(source, numbers).tobytes(),
        position=np.array(position, "<i8").tobytes(),
        ts=ts.astype("<i8").tobytes(),
        flags=flags.tobytes(),
        caller=np.array(codes, "<u2").tobytes(),
        callers=tuple((known[code].id, known[code].id_kind) for code in range(len(hashes))),
        hashes=np.array(list(hashes), "<u8").tobytes(),
        values=_values(schema, values).tobytes(),
        confidence=np.array(confidence, "<f4").tobytes(),
        latency_ms=np.array(latency, "<f4").tobytes(),
        status=np.array(status, "<i2").tobytes(),
        label=np.array(label, "<u2").tobytes(),
        labels=tuple(labels),
        text={name: join_texts([text.encode() for text in column]) for name, column in columns},
    )


def _values(schema: Schema, values: Sequence[Iterable[float | None]]) -> NDArray[np.float32]:
    """Returns "<f4" (features, rows), features sorted, missing values NaN."""
    shape = (len(values), len(schema.written))
    try:
        found = np.fromiter(chain.from_iterable(values), "<f4", shape[0] * shape[1])
    except TypeError:  # None among them, which `fromiter` cannot read and `array` can, at twice the cost
        found = np.array(list(chain.from_iterable(values)), "<f4")
    columns = found.reshape(shape).T
    if schema.written != schema.features:
        columns = columns[[schema.written.index(name) for name in schema.features]]
    return np.ascontiguousarray(columns)


def _local(source: Sequence[int], numbers: dict[int, int]) -> NDArray[np.uint8]:
    if len(numbers) == 1:
        return np.zeros(len(source), np.uint8)
    return np.array([numbers[number] for number in source], np.uint8)

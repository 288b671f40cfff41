"""Blocks: the rows of one shard, cut into the blocks of one frame.

What every row has (position, time, flags, confidence…) becomes bytes once for the whole frame, and each block takes its slice:
with forty models a block holds a dozen rows, and turning each of its columns into an array would cost more than the rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.intake.columns import ABSENT, Columns, Known, Schema
from tocsin.frame import Block, Flag
from tocsin.rows import join_texts

SKEW_MS: Final = 5 * 60_000
"""A claimed time further than this from the append time is not believed: a claim must not hide a burst."""


def event_time(claimed: NDArray[np.int64], append: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Returns (ts, flags): the claimed time where it stands within 5 minutes of the append time, else the append time."""
    absent = claimed == ABSENT
    skewed = np.abs(np.where(absent, append, claimed) - append) > SKEW_MS
    flags = np.where(absent, Flag.NO_TIME, np.where(skewed, Flag.SKEW, 0)).astype(np.uint8)
    return np.where(absent | skewed, append, claimed), flags


def blocks_of(piles: Iterable[tuple[Schema, int]], columns: Columns, numbers: dict[int, int]) -> tuple[Block, ...]:
    """Returns the wire blocks.

    Args:
        piles: schemas and how many rows each has, one at least, in the order of the rows.
        columns: all rows.
        numbers: the framer's source number → index in the frame's sources.
    """
    ts, flags = event_time(columns.claimed, columns.append)
    scalars: dict[str, NDArray[np.generic]] = {
        "source": _local(columns.source, numbers),
        "position": columns.position.astype("<i8", copy=False),
        "ts": ts.astype("<i8", copy=False),
        "flags": flags,
        "confidence": columns.confidence.astype("<f4", copy=False),
        "latency_ms": columns.latency_ms.astype("<f4", copy=False),
        "status": columns.status.astype("<i2", copy=False),
    }
    wire = {name: (column.tobytes(), column.itemsize) for name, column in scalars.items()}
    blocks, start, value = [], 0, 0
    for schema, rows in piles:
        end, width = start + rows, len(schema.written)
        cut = {name: data[start * size : end * size] for name, (data, size) in wire.items()}
        values = columns.values[value : value + rows * width].reshape(rows, width)
        blocks.append(_block(schema, columns, slice(start, end), values, cut))
        start, value = end, value + rows * width
    return tuple(blocks)


def _block(schema: Schema, columns: Columns, where: slice, values: NDArray[np.float32], cut: dict[str, bytes]) -> Block:
    code, callers, hashes = _callers(columns.known[where])
    names = columns.labels[where]
    labels = {name: index for index, name in enumerate(dict.fromkeys(names))}
    texts = zip(schema.texts, zip(*columns.texts[where], strict=True), strict=True) if schema.texts else ()
    return Block(
        kind=schema.kind,
        model=schema.model,
        features=schema.features,
        rows=len(names),
        caller=code,
        callers=callers,
        hashes=hashes,
        values=(values.T if schema.order is None else values.T[schema.order]).astype("<f4", copy=False).tobytes(),
        label=struct.pack(f"<{len(names)}H", *map(labels.__getitem__, names)),
        labels=tuple(labels),
        text={name: join_texts([text.encode() for text in column]) for name, column in texts},
        **cut,
    )


def _callers(known: Sequence[Known]) -> tuple[bytes, tuple[tuple[str, str], ...], bytes]:
    """Returns (each row's index as uint16, (id, id_kind) by index, hashes by index as uint64)."""
    hashes = [caller.hash for caller in known]
    met = dict(zip(hashes, known, strict=True))
    index = dict(zip(met, range(len(met)), strict=True))
    codes = struct.pack(f"<{len(hashes)}H", *map(index.__getitem__, hashes))
    return codes, tuple([caller[:2] for caller in met.values()]), struct.pack(f"<{len(met)}Q", *met)


def _local(source: NDArray[np.int64], numbers: dict[int, int]) -> NDArray[np.uint8]:
    if len(numbers) == 1:
        return np.zeros(len(source), np.uint8)
    return np.array([numbers[number] for number in source.tolist()], np.uint8)

"""Columns: rows waiting for a frame, one by one or as columns.

A row that came alone waits as a plain tuple and becomes part of an array once per frame, because numpy's price is per call and
not per row. Rows of a columnar batch never become tuples: they wait as the columns in which they came, sorted by shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

ABSENT: Final = -(2**63)
"""The claimed time of a row that claims none; no checked time is that far away."""


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
        order: where in `written` each of `features` stands; None when both are in the same order.
        texts: names of text columns.
        size: bytes that the block costs without its rows.
        row_size: bytes that one row costs without caller, label and texts.
    """

    kind: str
    model: str
    features: tuple[str, ...]
    written: tuple[str, ...]
    order: NDArray[np.intp] | None
    texts: tuple[str, ...]
    size: int
    row_size: int


def schema_of(kind: str, model: str, written: tuple[str, ...], texts: tuple[str, ...]) -> Schema:
    """Returns the schema, with what it costs on the wire at most."""
    names = sum(4 * len(name) + 5 for name in (*written, *texts, model))
    row_size = 64 + 4 * len(written) + 4 * len(texts)
    features = tuple(sorted(written))
    order = None if features == written else np.array([written.index(name) for name in features], np.intp)
    return Schema(kind, model, features, written, order, texts, 128 + names, row_size)


Row = tuple[int, int, int | None, int, Known, Iterable[float | None], str, float | None, float | None, int, tuple[str, ...]]
"""(source, position, claimed ts or None, append_ms, caller, values in the schema's written order, label, confidence,
latency_ms, status, texts); a plain tuple, because one is made per event."""


class Columns(NamedTuple):
    """Rows of one schema, or of several one after the other.

    Attributes:
        source: int64 (rows,), the framer's number of the raw partition.
        position: int64 (rows,).
        claimed: int64 (rows,), Unix milliseconds or ABSENT.
        append: int64 (rows,), Unix milliseconds.
        known: one caller per row.
        values: float32, row after row, each in its schema's written order; NaN = missing.
        labels: one class name per row.
        confidence: float32 (rows,), NaN = unknown.
        latency_ms: float32 (rows,), NaN = unknown.
        status: int16 (rows,).
        texts: one tuple per row, in the order of `Schema.texts`.
    """

    source: NDArray[np.int64]
    position: NDArray[np.int64]
    claimed: NDArray[np.int64]
    append: NDArray[np.int64]
    known: Sequence[Known]
    values: NDArray[np.float32]
    labels: Sequence[str]
    confidence: NDArray[np.float32]
    latency_ms: NDArray[np.float32]
    status: NDArray[np.int16]
    texts: Sequence[tuple[str, ...]]

    def part(self, start: int, end: int) -> Columns:
        """Returns the rows from `start` to before `end`; all rows must be of one schema."""
        if end - start == len(self.position):
            return self
        width = len(self.values) // len(self.position)
        cut: list[Any] = [column[start:end] for column in self]
        cut[_VALUES] = self.values[start * width : end * width]
        return Columns(*cut)


_VALUES: Final = Columns._fields.index("values")


def packed(rows: Sequence[Row]) -> Columns:
    """Returns the rows, one at least, as columns."""
    source, position, claimed, append, known, values, labels, confidence, latency, status, texts = zip(*rows, strict=True)
    return Columns(
        np.array(source, np.int64),
        np.array(position, np.int64),
        times(claimed),
        np.array(append, np.int64),
        known,
        floats(list(chain.from_iterable(values))),
        labels,
        floats(confidence),
        floats(latency),
        np.array(status, np.int16),
        texts,
    )


def joined(parts: Sequence[Columns]) -> Columns:
    """Returns the rows of all parts, one at least, in their order."""
    columns: list[Any] = [
        np.concatenate(column) if isinstance(column[0], np.ndarray) else list(chain.from_iterable(column))
        for column in zip(*parts, strict=True)
    ]
    return Columns(*columns)


def times(claimed: Sequence[int | None]) -> NDArray[np.int64]:
    """Returns the claimed times, ABSENT where there is none."""
    return np.array([ABSENT if ts is None else ts for ts in claimed] if None in claimed else claimed, np.int64)


def floats(numbers: Sequence[float | None]) -> NDArray[np.float32]:
    """Returns the numbers as "<f4", NaN where there is none."""
    try:
        return np.fromiter(numbers, "<f4", len(numbers))
    except TypeError:  # None among them, which `fromiter` cannot read and `array` can, at twice the cost
        return np.array(numbers, "<f4")

"""Batch: columnar records, decoded and typed by their envelope, into columns per shard; no row of them becomes a tuple.

numpy's price is per call and a batch dealt out to shards is short, so batches that follow each other are collected as lists
first, and dealt out together. As in `quick.py`, nothing is taken that reading with care would refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.intake.columns import Columns, Known, floats, times
from streams.intake.document import MAX_BATCH_ROWS
from streams.intake.framer import Framer, Layout
from tocsin.event import position_of

ENOUGH: Final = 4096
"""Rows after which no more are collected."""


def rows_in(event: Any) -> int:
    """Returns how many rows the batch has; 0 when it must be read with care: columns differ in length, or no feature is one."""
    rows = {len(column) for column in event.features.values()}
    rows |= {len(column) for column in (*_given(event), getattr(event, "event_id", None)) if isinstance(column, list)}
    return rows.pop() if event.features and len(rows) == 1 and 0 < max(rows) <= MAX_BATCH_ROWS else 0


def per_row(event: Any, rows: int) -> list[list[Any]]:
    """Returns claimed times, caller ids, labels, scores, latencies and statuses; what holds for all rows is repeated."""
    return [column if isinstance(column, list) else [column] * rows for column in _given(event)]


def _given(event: Any) -> tuple[Any, ...]:
    prediction = event.prediction
    return event.ts, event.caller.id, prediction.label, prediction.score, event.latency_ms, event.status


class Batch:
    """Rows of one layout and one raw partition, on their way to the framer.

    Attributes:
        layout: where the rows belong.
        source: the framer's number of the raw partition.
    """

    def __init__(self, layout: Layout, source: int) -> None:
        """Starts empty."""
        self.layout = layout
        self.source = source
        self._known: list[Known] = []
        self._labels: list[str] = []
        self._columns: tuple[list[Any], ...] = tuple([] for _ in range(6))
        self._values: tuple[list[Any], ...] = tuple([] for _ in layout.schema.written)

    def fits(self, layout: Layout, source: int) -> bool:
        """Returns whether rows of that layout and source may follow."""
        return layout is self.layout and source == self.source and len(self._known) < ENOUGH

    def add(self, event: Any, offset: int, judged: Sequence[int], known: Sequence[Known], labels: Sequence[str]) -> None:
        """Takes one record.

        Args:
            event: the batch, checked by `rows_in`.
            offset: of the record.
            judged: the times by which its rows are judged.
            known: one caller per row.
            labels: one checked class name per row.
        """
        rows, first = len(known), position_of(offset, 0)
        claimed, _, _, scores, latencies, statuses = per_row(event, rows)
        self._known += known
        self._labels += labels
        added = (range(first, first + rows), claimed, judged, scores, latencies, statuses)
        for waiting, column in zip(self._columns, added, strict=True):
            waiting += column
        values = tuple(event.features.values())
        for waiting, column in zip(self._values, values if self.layout.get is None else self.layout.get(values), strict=True):
            waiting += column

    def deal(self, framer: Framer) -> None:
        """Gives each shard its rows, in their order."""
        homes = [caller.shard for caller in self._known]
        order = np.argsort(np.array(homes, np.intp), kind="stable")
        columns, row_size, start = self._in(order), self.layout.schema.row_size, 0
        lengths = map(len, columns.labels)
        costs = [caller.size + row_size + 4 * length for caller, length in zip(columns.known, lengths, strict=True)]
        for shard in sorted(set(homes)):
            end = start + homes.count(shard)
            framer.add_columns(self.layout.schema, shard, columns.part(start, end), costs[start:end])
            start = end

    def _in(self, order: NDArray[np.intp]) -> Columns:
        """Returns the rows in that order."""
        rows, picks = len(order), order.tolist()
        position, claimed, judged, scores, latencies, statuses = self._columns
        values = floats(list(chain.from_iterable(self._values))).reshape(len(self._values), rows)
        return Columns(
            np.full(rows, self.source, np.int64),
            np.array(position, np.int64)[order],
            times(claimed)[order],
            np.array(judged, np.int64)[order],
            [*map(self._known.__getitem__, picks)],
            values.T[order].ravel(),
            [*map(self._labels.__getitem__, picks)],
            floats(scores)[order],
            floats(latencies)[order],
            np.array(statuses, np.int16)[order],
            ((),) * rows,
        )

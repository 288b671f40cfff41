"""Golden sample: the rows that a baseline is built from.

A sample is bounded: beyond its cap it keeps stretches of consecutive rows, evenly spread (multiples of the golden ratio,
Weyl 1916), so that sessions stay whole; which ones depends on the rows' order alone. How often each caller was seen in its
window is noted before anything is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.discount import WINDOW, WindowCounter
from models.rates import Habits
from tocsin.errors import ConfigError
from tocsin.rows import Rows

CAP: Final = 1 << 18
"""Rows kept."""
STRETCH: Final = 1_024
GOLDEN_RATIO: Final = 0.6180339887498949
WINDOWS: Final = (WINDOW, 4 * WINDOW)
"""Windows of the discount: the usual one, and a wider one that the replay gate may ask for."""
LEAST_ROWS: Final = 250
"""Rows below which there is no baseline."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Golden:
    """A sample, put together.

    Attributes:
        rows: in time order; callers are known by hash only.
        ranks: window → int64 (rows,), each row's number among its caller's in that window, from 1.
        windows: window → int64 (rows,), which window each row fell into.
        share: of the rows there were; the others were dropped.
        callers: distinct callers among the rows kept.
        rates: how fast callers asked, of all rows there were.
        training: rows that the model was trained on, None when nobody said.
    """

    rows: Rows
    ranks: dict[int, Ints]
    windows: dict[int, Ints]
    share: float
    callers: int
    rates: dict[str, float]
    training: Rows | None = None

    def select(self, which: slice) -> Golden:
        """Returns a part of it in time."""
        rows = self.rows.select(which)
        return Golden(
            rows,
            {window: ranks[which] for window, ranks in self.ranks.items()},
            {window: number[which] for window, number in self.windows.items()},
            self.share,
            len(np.unique(rows.hash)),
            self.rates,
            self.training,
        )


class Sample:
    """Collects one model's golden rows.

    Args:
        cap: rows kept at most.

    Attributes:
        model: whose.
        rows: taken so far.
        first_ts: earliest event, Unix milliseconds.
        last_ts: latest.
        training: rows that the model was trained on, if somebody says.
    """

    def __init__(self, cap: int = CAP) -> None:
        self.model = ""
        self.rows = 0
        self.first_ts = 0
        self.last_ts = 0
        self.training: Rows | None = None
        self._cap = cap
        self._kept = 0
        self._share = 1.0
        self._features: dict[str, None] = {}
        self._pieces: list[tuple[Rows, Ints, tuple[Ints, ...]]] = []
        self._habits = Habits()
        self._counters = tuple(WindowCounter(window) for window in WINDOWS)

    def add(self, rows: Rows) -> None:
        """Takes inference rows in ledger order; others are passed over.

        Raises:
            ConfigError: they belong to another model.
        """
        if rows.kind != "inference" or len(rows) == 0:
            return
        if self.model and rows.model != self.model:
            raise ConfigError(f"golden sample: rows of {self.model} expected; found {rows.model}")
        first, last = int(rows.ts.min()), int(rows.ts.max())
        self.first_ts = min(self.first_ts, first) if self.model else first
        self.last_ts = max(self.last_ts, last) if self.model else last
        self.model = rows.model
        self._features.update(dict.fromkeys(rows.features))
        self._habits.add(rows)
        ranks = tuple(counter.ranks(rows.hash) for counter in self._counters)
        number = np.arange(self.rows, self.rows + len(rows))
        self.rows += len(rows)
        self._keep(replace(rows, text={}, callers=(), sources=()), number, ranks)
        while self._kept > self._cap:
            self._share /= 2
            pieces, self._pieces, self._kept = self._pieces, [], 0
            for piece in pieces:
                self._keep(*piece)

    def golden(self) -> Golden:
        """Returns all rows kept, in time order.

        Raises:
            ConfigError: they are too few.
        """
        if self._kept < LEAST_ROWS:
            raise ConfigError(f"golden sample of {self.model or 'no model'}: {LEAST_ROWS} rows needed; found {self._kept}")
        rows = _joined([piece for piece, _, _ in self._pieces], tuple(self._features))
        number = np.concatenate([number for _, number, _ in self._pieces])
        order = np.argsort(rows.ts, kind="stable")
        ranks = {
            window: np.concatenate([ranks[index] for _, _, ranks in self._pieces])[order]
            for index, window in enumerate(WINDOWS)
        }
        windows = {window: number[order] // window for window in WINDOWS}
        callers = len(np.unique(rows.hash))
        share, rates = self._kept / self.rows, self._habits.rates()
        return Golden(rows.select(order), ranks, windows, share, callers, rates, self.training)

    def _keep(self, rows: Rows, number: Ints, ranks: tuple[Ints, ...]) -> None:
        kept = np.flatnonzero((number // STRETCH) * GOLDEN_RATIO % 1.0 < self._share)
        if len(kept):
            self._kept += len(kept)
            whole = len(kept) == len(rows)
            self._pieces.append(
                (rows, number, ranks) if whole else (rows.select(kept), number[kept], tuple(rank[kept] for rank in ranks))
            )


def _joined(pieces: list[Rows], features: tuple[str, ...]) -> Rows:
    """Returns the pieces as one, with these features, and callers and sources left out."""
    total = sum(map(len, pieces))
    labels: dict[str, int] = {}
    values = np.full((len(features), total), np.nan, np.float32)
    label = np.empty(total, np.uint16)
    copied: dict[str, Any] = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in _COPIED}
    begin = 0
    for piece in pieces:
        end = begin + len(piece)
        for name, column in zip(piece.features, piece.values, strict=True):
            values[features.index(name), begin:end] = column
        codes = np.array([labels.setdefault(name, len(labels)) for name in piece.labels] or [0])
        label[begin:end] = codes[piece.label]
        begin = end
    return replace(
        pieces[0],
        features=features,
        sources=(),
        callers=(("", "unknown"),),
        labels=tuple(labels) or ("",),
        source=np.zeros(total, np.uint8),
        caller=np.zeros(total, np.uint16),
        values=values,
        label=label,
        **copied,
    )


_COPIED: Final = ("position", "ts", "flags", "hash", "confidence", "latency_ms", "status")

"""Score block: some rows as scorers are given them, and the numbers that come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.census import Census, Counted
from models.shiryaev_roberts import MOST_SECONDS
from tocsin.reading import Counts
from tocsin.rows import Rows

Floats = NDArray[np.float64]
Given = tuple[Counts, Floats, float]
"""(where and when, weights, seconds that may be staked), as judge's detectors are given them."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows, and what else is known of them.

    Attributes:
        rows: of one model, in ledger order.
        counted: their counts.
        earned_s: event time that the block before brought, seconds, at most an hour: what may be staked on this one.
        elapsed_s: event time from the model's first row to the latest of these: no less than anybody can have staked.
    """

    rows: Rows
    counted: list[Given]
    earned_s: float
    elapsed_s: float


class Numbers(NamedTuple):
    """What a detector makes of a block.

    Attributes:
        score: float64 (rows,), NaN where a row has nothing that the detector reads.
        p: float64 (rows,), in (0, 1]; NaN with the score, or where there is none.
        because: names of the features to blame, row by row; None where nothing is blamed.
    """

    score: Floats
    p: Floats
    because: Sequence[tuple[str, ...]] | None = None


class Scorer(Protocol):
    """One detector on one model, from its first row on."""

    def __call__(self, block: Block) -> Numbers:
        """Returns its numbers for the next block."""
        ...


class Blocks:
    """Makes blocks of one model's rows, counted against its baseline.

    Args:
        baseline: the model's.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._census = Census(baseline, 1)
        self._first_ms = self._latest_ms = 0
        self._earned_s = self._block_s = 0.0

    def block(self, rows: Rows) -> Block:
        """Returns the next block; at least one row."""
        before_ms = self._latest_ms
        counted = [self._given(rows, found) for found in self._census.count(rows)]
        self._first_ms = self._first_ms or int(rows.ts[0])
        earned_s = self._block_s
        self._block_s = min((self._latest_ms - before_ms) / 1_000, MOST_SECONDS) if before_ms else 0.0
        return Block(rows, counted, earned_s, max(self._latest_ms - self._first_ms, 0) / 1_000)

    def _given(self, rows: Rows, found: Counted) -> Given:
        """Returns what judge's detectors are given of these counts, and earns for the next."""
        at, times = rows.coordinates(found.last_row), (found.first_ts, found.last_ts)
        counts = Counts(rows.model, "", 0, "armed", found.bucket, found.rows, *times, at, b"", b"")
        earned_s, latest_ms = self._earned_s, max(self._latest_ms, found.last_ts)
        self._earned_s = min((latest_ms - self._latest_ms) / 1_000, MOST_SECONDS) if self._latest_ms else 0.0
        self._latest_ms = latest_ms
        return counts, found.weights, earned_s


def running(rows: Rows, statistic: float, staked_s: float) -> Numbers:
    """Returns the same for all rows: R of their model, and the bound of its p."""
    return of_callers(np.full(len(rows), statistic), staked_s)


def of_callers(level: Floats, staked_s: Floats | float) -> Numbers:
    """Returns R of each row's caller, NaN where it is not followed, and the bound of its p."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(np.isnan(level), np.nan, np.where(level > 0, np.minimum(staked_s / level, 1.0), 1.0))
    return Numbers(level, p)


def nothing(rows: Rows) -> Numbers:
    """Returns no numbers."""
    return Numbers(np.full(len(rows), np.nan), np.full(len(rows), np.nan))

"""Baselines: small ones, built from a few golden rows without gate or margins, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import FORMAT, Baseline, Quantity, Season, Watched, hash_of
from models.cells import cells_of, padded
from models.census import Census
from models.detector import CountsDetector
from models.draft import LEAST_SIGMAS
from models.experts import EXPERTS
from models.loda_fit import build_loda, held_out
from models.quantity import WORDS, columns
from models.season import bucket_of
from tests.helpers.traffic import cut
from tocsin.reading import Counts, Reading
from tocsin.rows import Rows

ALL: tuple[Watched, ...] = ("feature", "missing", "confidence", "margin", "latency", "label")
ONES = np.ones(len(EXPERTS), "<f4").tobytes()
ZEROS = np.zeros(len(EXPERTS), "<f4").tobytes()
WHOLE_DAY = Season("UTC", 24, 24)


def baseline_of(
    golden: Rows,
    *,
    watches: tuple[Watched, ...] = ALL,
    season: Season = WHOLE_DAY,
    correlation: float = 0.0,
    window: int = 4_096,
) -> Baseline:
    """Returns a baseline of these rows; every golden row counts fully, so they should be of many callers."""
    layout = _layout(golden, watches, season, correlation, window)
    values, bucket = columns(layout, golden), bucket_of(season, golden.ts)
    quantities = []
    for quantity, column in zip(layout.quantities, values, strict=True):
        if quantity.watches in ("envelope", "tail"):
            column[~held_out(len(golden))] = np.nan  # scores of rows that made the histograms are lower than later ones
        cells = [cells_of(column[bucket == number], np.ones(int((bucket == number).sum()))) for number in range(season.buckets)]
        edges, masses = zip(*(padded(one) for one in cells), strict=True)
        quantities.append(
            Quantity(
                quantity.name,
                quantity.watches,
                quantity.feature,
                np.stack(edges).astype("<f4").tobytes(),
                np.stack(masses).astype("<f8").tobytes(),
                np.array([one.rows / LEAST_SIGMAS.get(quantity.watches, 1.0) ** 2 for one in cells], "<f8").tobytes(),
                correlation,
                ONES,
                ZEROS,
            )
        )
    return msgspec.structs.replace(layout, quantities=tuple(quantities))


def _layout(golden: Rows, watches: tuple[Watched, ...], season: Season, correlation: float, window: int) -> Baseline:
    quantities = []
    for kind in watches:
        for feature, name in enumerate(golden.features) if kind in ("feature", "missing") else [(-1, "")]:
            word = WORDS[kind].format(name)
            quantities.append(Quantity(word, kind, feature, b"", b"", b"", correlation, ONES, ZEROS))
    labels = tuple((name, 1 / len(golden.labels)) for name in golden.labels)
    bare = Baseline(
        format=FORMAT,
        model=golden.model,
        features=golden.features,
        first_ts=int(golden.ts.min()),
        last_ts=int(golden.ts.max()),
        rows=len(golden),
        callers=len(np.unique(golden.hash)),
        window=window,
        season=season,
        quantities=tuple(quantities),
        labels=labels,
        rates={},
        boundary=0.5,
        near=0.5,
        envelope=None,
        references=b"",
        gate=(),
    )
    if "envelope" not in watches and "tail" not in watches:
        return bare
    envelope, references = build_loda(golden.values, golden.features, 1)
    return msgspec.structs.replace(bare, envelope=envelope, references=references)


@dataclass
class Feed:
    """Rows of one model as judge's detectors see them.

    Attributes:
        census: that counts them.
        before_ms: the furthest event time so far, which stands for ledger time.
        earned_s: what the next counts may stake: how far time went up to the counts before.
    """

    census: Census
    before_ms: int = 0
    earned_s: float = 0.0

    def counts(self, rows: Rows, size: int = 128) -> Iterator[tuple[Counts, NDArray[np.float64], float]]:
        """Yields counts, matrix and seconds for every `size` rows."""
        name = hash_of(self.census.baseline)
        for block in cut(rows, size):
            for one in self.census.count(block):
                at = block.coordinates(one.last_row)
                times = (one.first_ts, one.last_ts)
                counts = Counts(block.model, name, 1, "armed", one.bucket, one.rows, *times, at, b"", b"")
                yield counts, one.weights, self.earned_s
                self.earned_s = max(one.last_ts - self.before_ms, 0) / 1000 if self.before_ms else 0.0
                self.before_ms = max(one.last_ts, self.before_ms)

    def weighed(self, detector: CountsDetector, rows: Rows, size: int = 128) -> list[Reading]:
        """Returns what the detector reads in these rows."""
        return [reading for given in self.counts(rows, size) for reading in detector.weigh(*given)]


def weighed(detector: CountsDetector, baseline: Baseline, rows: Rows) -> list[Reading]:
    """Returns what the detector reads in these rows, over a fresh census."""
    return Feed(Census(baseline, 1)).weighed(detector, rows)

"""Drift runs: Tocsin's bank and River's detectors behind one face, a stream in, the events at which they alarmed out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from river import drift

from bench.detection.drift_tasks import Values
from models.baseline import CELLS, Baseline
from models.cells import lookup_of
from models.census import Census
from models.golden import Sample, build_baseline
from models.shiryaev_roberts import MONTH_S, Bank
from tests.helpers.traffic import MODEL, SOURCE, cut, rows_at
from tocsin.event import Coordinates
from tocsin.reading import Counts
from tocsin.rows import Rows

THRESHOLD: Final = 10_000
"""A, in events."""
EVENT_S: Final = 60.0
AT: Final = Coordinates(SOURCE, 0, 0)

Run = Callable[[Values], Iterator[int]]
"""A stream in, the events at which it alarmed out."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One of River's detectors at one setting.

    Attributes:
        detector: name.
        setting: in words.
        build: makes one.
        scaled: whether it is fed values less the golden mean, over the golden standard deviation.
        slow: whether it is run on fewer streams.
    """

    detector: str
    setting: str
    build: Callable[[], Any]
    scaled: bool = True
    slow: bool = False

    def on(self, golden: Values) -> Run:
        """Returns it, ready to run."""
        mean, spread = (float(golden.mean()), float(golden.std())) if self.scaled else (0.0, 1.0)

        def run(values: Values) -> Iterator[int]:
            detector = self.build()
            for at, value in enumerate(((values - mean) / spread).tolist()):
                detector.update(value)
                if detector.drift_detected:
                    yield at

        return run


DEFAULTS: Final = (
    Peer("ADWIN", "default", drift.ADWIN, scaled=False),
    Peer("PageHinkley", "default", drift.PageHinkley, scaled=False),
    Peer("KSWIN", "default", partial(drift.KSWIN, seed=1), scaled=False, slow=True),
)
TUNED: Final = (
    tuple(Peer("ADWIN", f"delta {delta}", partial(drift.ADWIN, delta=delta)) for delta in (0.002, 0.02, 0.05, 0.2, 0.5)),
    tuple(
        Peer("PageHinkley", f"delta {d} threshold {t}", partial(drift.PageHinkley, delta=d, threshold=t, alpha=1.0))
        for d, t in ((0.05, 50), (0.1, 25), (0.1, 50), (0.2, 20), (0.2, 40))
    ),
    tuple(Peer("KSWIN", f"alpha {alpha}", partial(drift.KSWIN, alpha=alpha, seed=1), slow=True) for alpha in (1e-4, 1e-5)),
)
"""Per detector, what an oracle may choose from."""


def baseline_of(golden: Values) -> Baseline:
    """Returns the baseline that the product builds from these values."""
    sample = Sample()
    sample.add(_rows(golden))
    return build_baseline(sample, zone="UTC", alerts_per_model_month=1.0, origin="benchmark")


def _rows(values: Values) -> Rows:
    """Returns rows of one feature, one a second, each of a caller of its own, and nothing else known of them."""
    rows = rows_at(np.arange(float(len(values))), np.arange(len(values)))
    unknown = np.full(len(values), np.nan, np.float32)
    return replace(rows, features=("x",), values=values[None, :], confidence=unknown, latency_ms=unknown, labels=("", ""))


def tocsin(baseline: Baseline, rows: int, shards: int) -> Run:
    """Returns Tocsin's bank on the feature, given a reading for every `rows` events of a shard."""
    lookup = lookup_of(np.frombuffer(baseline.quantities[0].edges, "<f4").reshape(1, 1, -1))

    def run(values: Values) -> Iterator[int]:
        bank, staked, last = _bank(baseline), 0.0, 0
        cell = lookup.cells(values[None, :], np.zeros(len(values), np.int64))[0]
        for at, events in _readings(len(values), rows, shards):
            matrix = np.zeros((len(baseline.quantities), CELLS))
            matrix[0] = np.bincount(cell[events], minlength=CELLS)
            if bank.weigh(_counts(at, rows), matrix, staked):
                yield at
            staked, last = (at - last) * EVENT_S, at

    return run


def _bank(baseline: Baseline) -> Bank:
    assert (baseline.quantities[0].watches, baseline.season.buckets) == ("feature", 1)
    return Bank(baseline, [0], MONTH_S / (THRESHOLD * EVENT_S))


def _readings(events: int, rows: int, shards: int) -> Iterator[tuple[int, list[int]]]:
    """Yields (the event that completed it, its events) for every reading, events being dealt to shards at random."""
    held: list[list[int]] = [[] for _ in range(shards)]
    for at, shard in enumerate(np.random.default_rng(events).integers(0, shards, events).tolist()):
        held[shard].append(at)
        if len(held[shard]) == rows:
            yield at, held[shard]
            held[shard] = []


def _counts(at: int, rows: int) -> Counts:
    return Counts(MODEL, "", 1, "armed", 0, rows, at, at, AT, b"", b"")


def cost(baseline: Baseline, golden: Values, rows: int) -> float:
    """Returns CPU microseconds per event of census and bank together at `rows` a reading, on one core nobody else disturbs."""
    blocks, best = list(cut(_rows(golden), rows)), float("inf")
    for _ in range(3):
        census, bank = Census(baseline, 1), _bank(baseline)
        start = time.process_time()
        for at, block in enumerate(blocks):
            for counted in census.count(block):
                bank.weigh(_counts(at, counted.rows), counted.weights, 1.0)
        best = min(best, time.process_time() - start)
    return best / len(golden) * 1e6

"""Census: what a baseline costs per event, in sense (counting) and in judge (weighing), by rows per frame.

`python -m bench.census`. The baseline is the product's own, on hourly buckets, over 4 features: 12 quantities and the envelope,
whose scores are made in sense as well and are timed apart. Then over 10 features, with and without the quantities that read
several of them together. CPU microseconds of the fastest of several passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec
import numpy as np

from models.baseline import Baseline, Watched
from models.census import Census
from models.golden import Sample, build_baseline
from models.quantity import JOINT
from models.shiryaev_roberts import Bank
from tests.helpers.traffic import MODEL, SOURCE, START_MS, cut, poisson, rows_at
from tocsin.event import Coordinates
from tocsin.reading import Counts
from tocsin.rows import Rows

ROWS: Final = (512, 128, 32)
PASSES: Final = 5
FEATURES: Final = ("amount", "km", "hour", "items")
OF_LODA: Final[tuple[Watched, ...]] = ("envelope", "tail")
SHARDS: Final = 4
AT: Final = Coordinates(SOURCE, 0, 0)


def main() -> None:
    """Prints the table."""
    whole, live = _baseline(_traffic(1, 40_000)), _traffic(2, 20_000)
    bare = _without(whole, *OF_LODA, *JOINT)
    print(f"{whole.season.buckets} buckets; us per event at {ROWS} rows per frame")
    _print("census", _count, bare, live)
    _print("census with envelope scores", _count, _without(whole, *JOINT), live)
    _print("bank", _weigh, bare, live)
    whole, live = _baseline(_widened(_traffic(1, 40_000))), _widened(_traffic(2, 20_000))
    for name, baseline in (("one by one", _without(whole, *OF_LODA, *JOINT)), ("and together", _without(whole, *OF_LODA))):
        _print(f"census, {name}", _count, baseline, live)
        _print(f"bank, {name}", _weigh, baseline, live)


def _print(name: str, run: Callable[[Baseline, list[Rows]], float], baseline: Baseline, live: Rows) -> None:
    label = f"{name}, {len(baseline.features)} features, {len(baseline.quantities)} quantities"
    print(f"{label:58}", *(f"{_best(partial(run, baseline), live, rows):7.2f}" for rows in ROWS))


def _without(baseline: Baseline, *watches: Watched) -> Baseline:
    """Returns the baseline without what watches these; `joint` goes with its quantities, it would be computed for nobody."""
    kept = tuple(quantity for quantity in baseline.quantities if quantity.watches not in watches)
    return msgspec.structs.replace(baseline, quantities=kept, joint=None if set(JOINT) <= set(watches) else baseline.joint)


def _widened(rows: Rows) -> Rows:
    """Returns the rows with ten features."""
    values = np.random.default_rng(len(rows)).normal(size=(10, len(rows))).astype(np.float32)
    return replace(rows, features=tuple(f"f{index}" for index in range(10)), values=values)


def _best(run: Callable[[list[Rows]], float], live: Rows, rows: int) -> float:
    blocks = list(cut(live, rows))
    return min(run(blocks) for _ in range(PASSES)) / len(live) * 1e6


def _count(baseline: Baseline, blocks: list[Rows]) -> float:
    census = Census(baseline, SHARDS)
    start = time.process_time()
    for block in blocks:
        census.count(block)
    return time.process_time() - start


def _weigh(baseline: Baseline, blocks: list[Rows]) -> float:
    census, bank = Census(baseline, SHARDS), Bank(baseline, list(range(len(baseline.quantities))), 1.0)
    given = [
        (Counts(MODEL, "", 1, "armed", found.bucket, found.rows, 0, 0, AT, b"", b""), found.weights)
        for block in blocks
        for found in census.count(block)
    ]
    bank.weigh(*given[0], 1.0)  # builds this hour's pay-offs
    start = time.process_time()
    for counts, weights in given:
        bank.weigh(counts, weights, 1.0)
    return time.process_time() - start


def _traffic(seed: int, events: int) -> Rows:
    rows = rows_at(*poisson(seed, 5_000, events / 600 / 5_000, 600.0), seed=seed)
    values = np.vstack([rows.values, rows.values[:1]])
    return replace(rows, features=FEATURES, values=values, ts=rows.ts)


def _baseline(golden: Rows) -> Baseline:
    sample = Sample()
    sample.add(replace(golden, ts=START_MS + (golden.ts - START_MS) * 300))
    return build_baseline(sample, zone="UTC", alerts_per_model_month=1.0, origin="benchmark")


if __name__ == "__main__":
    main()

"""What following callers costs: CPU microseconds per event, state, snapshot and restart, by kind of traffic.

`python -m bench.query_path [features …]`: frames of 512 rows of one model; 10 and 36 features unless said otherwise.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.golden import Sample
from models.paths_fit import fit
from models.query_path import QueryPath
from tests.helpers.baselines import baseline_of
from tests.helpers.traffic import MODEL, START_MS, cut, hash_of, rows_at
from tocsin.clock import Clock
from tocsin.rows import Rows

FRAME: Final = 512
WARM, MEASURED = 200, 60
"""Frames."""
PER_S: Final = 100.0
WIDTHS: Final = (10, 36)
Whos = NDArray[np.int64]

TRAFFIC: Final[dict[str, Callable[[np.random.Generator], Whos]]] = {
    "20,000 callers, Zipf 1.2": lambda rng: rng.zipf(1.2, FRAME) % 20_000,
    "20,000 callers alike": lambda rng: rng.integers(0, 20_000, FRAME),
    "100 callers alike": lambda rng: rng.integers(0, 100, FRAME),
    "one caller": lambda _: np.zeros(FRAME, np.int64),
    "callers who come once": lambda rng: rng.integers(1 << 40, 1 << 60, FRAME),
}
"""Name → who asks a frame's questions."""


def _rows(rng: np.random.Generator, who: Whos, number: int, width: int) -> Rows:
    """Returns one frame: records around 40 centres."""
    n = len(who)
    centres = np.random.default_rng(1).normal(0, 1.2, (40, width))
    values = (centres[rng.integers(0, 40, n)] + rng.normal(0, 0.5, (n, width))).astype(np.float32)
    plain = rows_at(np.arange(n) / PER_S, np.zeros(n, np.int64), seed=number)
    return replace(
        plain,
        features=tuple(f"f{index}" for index in range(width)),
        hash=hash_of(who),
        ts=START_MS + ((np.arange(n) + number * n) * 1_000 / PER_S).astype(np.int64),
        values=np.ascontiguousarray(values.T),
        label=(values[:, 0] > 0).astype(np.uint16),
        confidence=(0.5 + 0.5 * np.tanh(values[:, 0])).astype(np.float32),
    )


def baseline(width: int) -> Baseline:
    """Returns a baseline of 20,000 questions by 200 callers, with their paths."""
    rng = np.random.default_rng(2)
    golden = _rows(rng, rng.integers(0, 200, 20_000), 0, width)
    sample = Sample()
    for block in cut(golden, 1_024):
        sample.add(block)
    bare = baseline_of(golden, watches=("confidence", "envelope"))
    return msgspec.structs.replace(bare, paths=fit(sample.golden(), bare, 0.1)[0])


def lines(width: int) -> Iterator[str]:
    """Yields one line per kind of traffic."""
    known = baseline(width)
    for name, who in TRAFFIC.items():
        rng, path, clock = np.random.default_rng(3), QueryPath(0.1, 4, {MODEL: known}), Clock()
        frames = [_rows(rng, who(rng), number, width) for number in range(WARM + MEASURED)]
        for rows in frames[:WARM]:
            path.observe(rows, clock)
        begin = time.process_time()
        for rows in frames[WARM:]:
            path.observe(rows, clock)
        each = (time.process_time() - begin) / (MEASURED * FRAME) * 1e6
        begin = time.process_time()
        state = path.dump()
        dumped = time.process_time() - begin
        begin = time.process_time()
        QueryPath(0.1, 4, {MODEL: known}).load(state)
        loaded = time.process_time() - begin
        callers = int(np.count_nonzero(path.rings.key))
        yield (
            f"{width:3} features  {name:26} {each:6.2f} us/event  {callers:6} callers  snapshot {len(state) / 1e6:5.2f} MB "
            f"in {dumped * 1e3:4.0f} ms, read in {loaded * 1e3:4.0f} ms  memory {path.rings.memory / 1e6:4.1f} MB at most"
        )


if __name__ == "__main__":
    for features in [int(argument) for argument in sys.argv[1:]] or WIDTHS:
        for line in lines(features):
            print(line, flush=True)

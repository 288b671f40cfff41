"""Frames without intake: the benchmark's events as ledger records, cut column by column, for runs that need no Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.events import FEATURES, Columns, Traffic, columns
from tocsin.event import ROW_BITS, Source
from tocsin.frame import FRAME_VERSION, HASH, MAX_ROWS, Frame, Tick, encode_frame
from tocsin.ids import DEVELOPMENT_KEY, caller_hash, derive_key
from tocsin.rows import Rows, block_of

MODEL: Final = "bench/fraud@3"
SOURCE: Final = Source("bench", "bench.raw", 0)
TICK_MS: Final = 1_000


class Cut(NamedTuple):
    """One frame's rows, and the time its tick tells, 0 for no tick."""

    shard: int
    rows: Rows
    tick_ms: int


def cuts(traffic: Traffic, shards: int, most: int = MAX_ROWS) -> Iterator[Cut]:
    """Yields rows as intake would cut them from a backlog: at most `most` a frame, in order, a tick every second."""
    hashes = _hashes(traffic.callers)
    owner = ((hashes >> np.uint64(40)) % np.uint64(shards)).astype(np.int64)
    ticked = [traffic.start_ms] * shards
    for chunk in columns(traffic):
        shard = owner[chunk.caller]
        for number in range(shards):
            mine = np.flatnonzero(shard == number)
            for start in range(0, len(mine), most):
                rows = _rows(chunk, mine[start : start + most], hashes)
                now = int(rows.ts[-1])
                due = now >= ticked[number] + TICK_MS
                ticked[number] = now if due else ticked[number]
                yield Cut(number, rows, now if due else 0)


def frame_of(cut: Cut, shards: int) -> Frame:
    """Returns the cut as a frame."""
    ticks = (Tick(0, cut.tick_ms),) if cut.tick_ms else ()
    return Frame(FRAME_VERSION, cut.shard, shards, HASH, (SOURCE,), (block_of(cut.rows),), ticks)


def frames(traffic: Traffic, shards: int, most: int = MAX_ROWS) -> Iterator[tuple[int, bytes]]:
    """Yields (shard, record value) for all of the traffic."""
    for cut in cuts(traffic, shards, most):
        yield cut.shard, encode_frame(frame_of(cut, shards))


def _hashes(callers: int) -> NDArray[np.uint64]:
    key = derive_key(DEVELOPMENT_KEY, "caller")
    return np.array([caller_hash(key, "api_key_hash", f"acct-{number:07}") for number in range(callers)], np.uint64)


def _rows(chunk: Columns, which: NDArray[np.int64], hashes: NDArray[np.uint64]) -> Rows:
    callers, index = np.unique(chunk.caller[which], return_inverse=True)
    count = len(which)
    return Rows(
        kind="inference",
        model=MODEL,
        features=FEATURES,
        sources=(SOURCE,),
        callers=tuple((f"acct-{number:07}", "api_key_hash") for number in callers.tolist()),
        labels=("ok",),
        source=np.zeros(count, np.uint8),
        position=(chunk.first + which) << ROW_BITS,
        ts=chunk.ts[which],
        flags=np.zeros(count, np.uint8),
        caller=index.astype(np.uint16),
        hash=hashes[callers][index],
        values=np.ascontiguousarray(chunk.values[which].T, np.float32),
        confidence=chunk.score[which].astype(np.float32),
        latency_ms=chunk.latency_ms[which].astype(np.float32),
        status=np.full(count, 200, np.int16),
        label=np.zeros(count, np.uint16),
        text={},
    )

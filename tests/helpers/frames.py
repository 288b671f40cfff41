"""Frames for tests, from plain lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tocsin.event import Source, position_of
from tocsin.frame import HASH, Control, Frame, Gap, Tick, encode_frame
from tocsin.rows import Rows, block_of

RAW = Source("topic-id", "payments", 0)
FRAUD = "prod/fraud@7"


def rows(
    offsets: Sequence[int],
    *,
    model: str = FRAUD,
    ts: Sequence[int] | None = None,
    callers: Sequence[str] | None = None,
    sources: tuple[Source, ...] = (RAW,),
    source: Sequence[int] | None = None,
) -> Rows:
    """Returns rows at these offsets, one feature, everything else plain."""
    count = len(offsets)
    names = list(callers) if callers is not None else ["alice"] * count
    table = sorted(set(names))
    code = np.array([table.index(name) for name in names], np.uint16)
    hashes = np.array([1000 + sum(name.encode()) for name in table], np.uint64)
    return Rows(
        kind="inference",
        model=model,
        features=("amount",),
        sources=sources,
        callers=tuple((name, "user") for name in table),
        labels=("ok",),
        source=np.array(source if source is not None else [0] * count, np.uint8),
        position=np.array([position_of(offset, 0) for offset in offsets], np.int64),
        ts=np.array(ts if ts is not None else [1_000 * offset for offset in offsets], np.int64),
        flags=np.zeros(count, np.uint8),
        caller=code,
        hash=hashes[code],
        values=np.arange(count, dtype=np.float32).reshape(1, count),
        confidence=np.full(count, 0.9, np.float32),
        latency_ms=np.full(count, 12.0, np.float32),
        status=np.full(count, 200, np.int16),
        label=np.zeros(count, np.uint16),
        text={},
    )


def frame(
    *blocks: Rows,
    ticks: Sequence[tuple[int, int]] = (),
    controls: Sequence[Control] = (),
    gaps: Sequence[Gap] = (),
    sources: tuple[Source, ...] = (RAW,),
    shard: int = 0,
    shards: int = 1,
) -> bytes:
    """Returns a frame's wire bytes."""
    made = Frame(
        version=1,
        shard=shard,
        shards=shards,
        hash=HASH,
        sources=sources,
        blocks=tuple(block_of(block) for block in blocks),
        ticks=tuple(Tick(source, append_ms) for source, append_ms in ticks),
        controls=tuple(controls),
        gaps=tuple(gaps),
    )
    return encode_frame(made)

"""Blocks: what one block of a dozen rows costs each detector, and what a snapshot of it costs. No Kafka, one process.

`python -m bench.blocks [--seconds 120] [--rows 18]`: 40 models share one shard's frames, 25 events a second each. The last
quarter of the traffic is timed: each detector fed alone, then the whole fold, with a snapshot every 5 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import typer
from msgspec import structs

from bench.events import Traffic
from bench.frames import Cut, cuts, frame_of
from bench.many import MODELS, PER_MODEL_S
from models.detector import Detector, Seat
from models.registry import DETECTORS
from streams.sense import SenseFold
from streams.stage.pace import Pace
from tocsin.clock import Clock
from tocsin.config import Detection
from tocsin.frame import Frame, encode_frame
from tocsin.rows import Rows, block_of
from tocsin.state import encode_sections

SHARDS: Final = 4
WARM: Final = 0.75
START_MS: Final = 1_767_571_200_000
"""A full minute, so that a run is the same whenever it is made."""


class Timer:
    """CPU seconds of one kind of call.

    Attributes:
        calls: how many.
        seconds: of them all.
    """

    def __init__(self) -> None:
        """Starts at zero."""
        self.calls = 0
        self.seconds = 0.0

    def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Returns what the call returns."""
        begin = time.process_time()
        value = call(*arguments)
        self.seconds += time.process_time() - begin
        self.calls += 1
        return value

    @property
    def us(self) -> float:
        """Returns microseconds a call."""
        return self.seconds / max(self.calls, 1) * 1e6


def frames(seconds: float, rows: int) -> Iterator[list[Rows]]:
    """Yields one shard's frames, each as one block per model."""
    per_s = MODELS * PER_MODEL_S / SHARDS
    for cut in cuts(Traffic(int(seconds * per_s), per_s=per_s, start_ms=START_MS), 1, MODELS * rows):
        yield [_mine(cut.rows, number) for number in range(MODELS)]


def _mine(rows: Rows, number: int) -> Rows:
    rows = rows.select(slice(number, None, MODELS))
    known, caller = np.unique(rows.caller, return_inverse=True)
    callers = tuple(rows.callers[index] for index in known.tolist())
    return replace(rows, model=f"bench/fraud-{number:02}@3", callers=callers, caller=caller.astype(np.uint16))


def alone(name: str, traffic: list[list[Rows]]) -> tuple[Timer, Timer]:
    """Returns the cost of one detector's blocks, and of its snapshots for all models."""
    entry = DETECTORS[name]
    detectors: dict[str, Detector] = {}
    blocks, dumps = Timer(), Timer()
    for number, frame in enumerate(traffic):
        if number == int(len(traffic) * WARM):
            blocks, dumps = Timer(), Timer()
        for rows in frame:
            key = rows.model if entry.scope == "model" else ""
            if key not in detectors:
                detectors[key] = entry.build(Seat(0, SHARDS, key))
            blocks.run(detectors[key].observe, rows, Clock())
        if _is_due(frame):
            dumps.run(_dumped, detectors.values())
    return blocks, dumps


def _dumped(detectors: Iterable[Detector]) -> list[bytes]:
    return [detector.dump() for detector in detectors]


def _is_due(frame: list[Rows]) -> bool:
    """Returns whether a snapshot's time lies in the frame."""
    every = int(Pace().snapshot_s * 1000)
    return int(frame[0].ts[0]) // every != int(frame[0].ts[-1]) // every


def whole(traffic: list[list[Rows]]) -> tuple[Timer, Timer, int]:
    """Returns the cost of the whole fold's frames and snapshots, and a snapshot's bytes."""
    fold = SenseFold(0, Detection(shards=SHARDS))
    applied, dumps, size = Timer(), Timer(), 0
    for number, blocks in enumerate(traffic):
        if number == int(len(traffic) * WARM):
            applied, dumps = Timer(), Timer()
        applied.run(fold.apply, encode_frame(_frame(blocks)), f"frames-0@{number}")
        if _is_due(blocks):
            size = len(encode_sections(dumps.run(fold.dump)))
    return applied, dumps, size


def _frame(blocks: list[Rows]) -> Frame:
    cut = Cut(0, blocks[0], int(blocks[0].ts[-1]))
    return structs.replace(frame_of(cut, SHARDS), blocks=tuple(block_of(rows) for rows in blocks))


def main(seconds: float = 120.0, rows: int = 18) -> None:
    """Prints one line per detector of sense, and one for the whole fold."""
    traffic = list(frames(seconds, rows))
    for name, entry in DETECTORS.items():
        if entry.stage == "sense":
            blocks, dumps = alone(name, traffic)
            print(f"{name:18} {blocks.us:8.1f} us/block {dumps.us / 1000:8.2f} ms/snapshot", flush=True)
    applied, dumps, size = whole(traffic)
    print(f"{'the whole fold':18} {applied.us / MODELS:8.1f} us/block {dumps.us / 1000:8.2f} ms/snapshot of {size} bytes")


if __name__ == "__main__":
    typer.run(main)

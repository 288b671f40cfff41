"""Collusion watch: the product's scouts and judge over one model's rows, and who they name."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from bench.attacks.stream import frames
from models.baseline import Baseline, hash_of
from models.detector import Report, Seat
from models.registry import DETECTORS
from models.shiryaev_roberts import MOST_SECONDS
from tocsin.event import ROW_BITS
from tocsin.reading import Reading, Reports
from tocsin.rows import Rows

ID: Final = "collusion"


@dataclass(frozen=True, slots=True)
class Heard:
    """One reading.

    Attributes:
        reading: it.
        row: number in the stream of the last row that had come when judge said it.
        named: hashes of all whom judge holds in the crowd.
    """

    reading: Reading
    row: int
    named: frozenset[int]

    @property
    def signal(self) -> str:
        """Returns what fired."""
        return str(self.reading.evidence["signal"])


@dataclass(slots=True)
class Watch:
    """What was heard, and what it cost.

    Attributes:
        heard: in order.
        sense_s: CPU seconds of the scouts.
        judge_s: CPU seconds of judge.
    """

    heard: list[Heard] = field(default_factory=list)
    sense_s: float = 0.0
    judge_s: float = 0.0


def watch(baseline: Baseline, rows: Rows, shards: int, size: int) -> Watch:
    """Returns what is heard of rows cut as intake cuts them, `size` a frame."""
    entry = DETECTORS[ID]
    assert entry.scout is not None
    scouts = [entry.scout(Seat(shard, shards, baseline.model, entry.share, baseline)) for shard in range(shards)]
    judge, said = entry.build(Seat(0, 1, baseline.model, entry.share, baseline)), Watch()
    looked, name, clock, earned = [0] * shards, hash_of(baseline), 0, 0.0
    for shard, block in frames(rows, shards, size):
        begin = time.process_time()
        report = scouts[shard].look(block)
        said.sense_s += time.process_time() - begin
        looked[shard] += len(block)
        if report is None:
            continue
        now = max(clock, int(block.ts[-1]))
        begin = time.process_time()
        told = judge.receive(_reports(entry.version, name, block, report, looked[shard]), earned)
        said.judge_s += time.process_time() - begin
        looked[shard], earned, clock = 0, min((now - clock) / 1_000, MOST_SECONDS) if clock else 0.0, now
        named = frozenset(caller.hash for caller in judge.named) if told else frozenset()
        said.heard += [Heard(reading, int(block.position[-1]) >> ROW_BITS, named) for reading in told]
    return said


def _reports(version: int, name: str, block: Rows, report: Report, rows: int) -> Reports:
    return Reports(
        detector=ID,
        version=version,
        model=block.model,
        baseline=name,
        epoch=1,
        ladder="armed",
        rows=rows,
        first_ts=int(block.ts[0]),
        last_ts=int(block.ts[-1]),
        at=block.coordinates(len(block) - 1),
        callers=report.callers,
        body=report.body,
    )

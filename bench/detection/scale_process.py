"""Scale's process: every machine of sense and judge, without Kafka, over frames of 512 rows; only `Machine.step` is timed.

`regulars` are 5,000 callers, a few of whom make most of the calls; in the `flood` every call is by a caller never seen before.
Frames are dropped as soon as they are applied; what remains is state.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.events import FEATURES, Columns, Traffic, columns
from bench.frames import MODEL, SOURCE
from bench.resident import peak_mb, rss_mb
from models.baseline import Baseline, decode_baseline, hash_of
from streams.baselines.store import MemoryBaselines
from streams.stage.machine import Link, Machine, Record, Send
from streams.stages import STAGES
from tests.helpers.traffic import hash_of as hashes_of
from tocsin.codec import json_bytes, unpack
from tocsin.config import Config, Detection
from tocsin.control import Promote
from tocsin.event import ROW_BITS, Source, position_of
from tocsin.frame import FRAME_VERSION, HASH, Control, Frame, Tick, encode_frame
from tocsin.rows import Rows, block_of
from tocsin.signal import Signals

SHARDS: Final = 4
ROWS: Final = 512
CALLERS: Final = 5_000
NEW: Final = 1 << 32
"""New callers' numbers begin here."""
PIECES: Final = 8
"""Of each kind of traffic; the cheapest is what an event costs on a core that nobody disturbs."""
PER_S: Final = 20_000.0
START_MS: Final = 1_767_571_200_000
CONTROL: Final = Source("control", "control", 0)
TICK_MS: Final = 1_000
MB: Final = 1e6
Ints = NDArray[np.int64]


class Phase(msgspec.Struct, frozen=True):
    """What one kind of traffic came to, or a fresh process before any.

    Attributes:
        name: of it.
        events: applied.
        callers: distinct ones so far.
        sense_us: CPU microseconds per event of all shards of sense, see PIECES.
        judge_us: of judge.
        rss_mb: resident memory at its end.
        peak_mb: the highest so far.
        snapshot_mb: of all shards of sense, and of judge.
        largest_mb: of the largest shard's.
        dump_s: CPU seconds to make the snapshots.
        load_s: CPU seconds to start from them.
        faults: detectors that raised.
    """

    name: str
    events: int
    callers: int
    sense_us: float
    judge_us: float
    rss_mb: float
    peak_mb: float
    snapshot_mb: float
    largest_mb: float
    dump_s: float
    load_s: float
    faults: int


@dataclass(slots=True)
class Deployment:
    """All machines of sense and judge, in one process.

    Attributes:
        config: four shards, one group.
        store: holds the baseline.
        sense: one machine per shard.
        judge: the one.
        spent: stage → CPU seconds.
        offsets: next offset of each frames partition, and of readings.
        applied: events so far.
        broken: detectors that raised.
    """

    config: Config
    store: MemoryBaselines
    sense: list[Machine] = field(default_factory=list)
    judge: list[Machine] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=lambda: {"sense": 0.0, "judge": 0.0})
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    applied: int = 0
    broken: int = 0

    def start(self) -> None:
        """Makes the machines anew, cold."""
        self.sense = [STAGES["sense"].machine(shard, self.config, self.store) for shard in range(SHARDS)]
        self.judge = [STAGES["judge"].machine(0, self.config, self.store)]

    def push(self, shard: int, frame: Frame) -> None:
        """Carries one frame through both stages."""
        for send in self._step("sense", self.sense[shard], shard, encode_frame(frame)):
            if send.topic == STAGES["sense"].onward:
                for onward in self._step("judge", self.judge[0], 0, send.value):
                    self.broken += len(unpack(unpack(onward.value, Link, "signals").body, Signals, "signals").faults)

    def _step(self, stage: str, machine: Machine, partition: int, value: bytes) -> list[Send]:
        offset = self.offsets.get((stage, partition), 0)
        self.offsets[stage, partition] = offset + 1
        begin = time.process_time()
        sends = machine.step(Record(f"{stage}-{partition}@{offset}", offset, value))
        self.spent[stage] += time.process_time() - begin
        return sends

    @property
    def machines(self) -> list[Machine]:
        """Returns all of them."""
        return [*self.sense, *self.judge]


def traffic(events: int, seed: int) -> Traffic:
    """Returns ordinary events."""
    return Traffic(events, callers=CALLERS, per_s=PER_S, start_ms=START_MS, seed=seed)


def _main(path: str, regular: int, flood: int) -> list[Phase]:
    baseline = decode_baseline(Path(path).read_bytes(), path)
    deployment = Deployment(Config(detection=Detection(shards=SHARDS, groups=1)), MemoryBaselines([baseline]))
    deployment.start()
    for shard in range(SHARDS):
        deployment.push(shard, promotion(baseline, shard))
    phases = [_phase("before", deployment, 0, 0, (0.0, 0.0))]
    for name, events, new in (("regulars", regular, 0), ("flood", flood, 1)):
        us = _pushed(deployment, events, new)
        phases.append(_phase(name, deployment, events, CALLERS + (events // new if new else 0), us))
    return phases


def _pushed(deployment: Deployment, events: int, new: int) -> tuple[float, float]:
    """Pushes frames; returns what an event cost sense and judge in the cheapest of PIECES equal pieces of them."""
    found: list[tuple[float, float]] = []
    done, begun, before = 0, 0, dict(deployment.spent)
    for shard, frame in frames(events, new, deployment.applied):
        deployment.push(shard, frame)
        done += sum(block.rows for block in frame.blocks)
        if done >= (len(found) + 1) * events // PIECES:
            sense, judge = ((deployment.spent[stage] - before[stage]) / (done - begun) * 1e6 for stage in ("sense", "judge"))
            found.append((sense, judge))
            begun, before = done, dict(deployment.spent)
    deployment.applied += events
    return min(found, key=sum)


def promotion(baseline: Baseline, shard: int) -> Frame:
    """Returns the frame that puts the baseline in force, armed."""
    order = Promote(baseline.model, hash_of(baseline), "armed", "bench")
    control = Control(1, position_of(0, 0), START_MS, "promote", json_bytes(order))
    ticks = (Tick(0, START_MS), Tick(1, START_MS))
    return Frame(FRAME_VERSION, shard, SHARDS, HASH, (SOURCE, CONTROL), ticks=ticks, controls=(control,))


def frames(events: int, new: int, first: int) -> Iterator[tuple[int, Frame]]:
    """Yields (shard, frame); of every `new` calls one is by a new caller, none with 0. `first` events came before."""
    ticked = [0] * SHARDS
    for chunk in columns(traffic(events, 3 + new)):
        who = chunk.caller.copy()
        if new:
            who[::new] = NEW + (first + chunk.first + np.arange(len(who))[::new])
        hashes = hashes_of(who)
        shard = ((hashes >> np.uint64(40)) % np.uint64(SHARDS)).astype(np.int64)
        ts = chunk.ts + int(first / PER_S * 1_000)
        for number in range(SHARDS):
            mine = np.flatnonzero(shard == number)
            for begin in range(0, len(mine), ROWS):
                some = mine[begin : begin + ROWS]
                now = int(ts[some[-1]])
                due = now >= ticked[number] + TICK_MS
                ticked[number] = now if due else ticked[number]
                rows = _rows(chunk, some, who, hashes, ts, first)
                ticks = (Tick(0, now), Tick(1, now)) if due else ()
                yield number, Frame(FRAME_VERSION, number, SHARDS, HASH, (SOURCE, CONTROL), (block_of(rows),), ticks)


def _rows(chunk: Columns, which: Ints, who: Ints, hashes: NDArray[np.uint64], ts: Ints, first: int) -> Rows:
    callers, index = np.unique(who[which], return_inverse=True)
    count = len(which)
    return Rows(
        kind="inference",
        model=MODEL,
        features=FEATURES,
        sources=(SOURCE,),
        callers=tuple((f"acct-{number:010}", "api_key_hash") for number in callers.tolist()),
        labels=("ok", "fraud"),
        source=np.zeros(count, np.uint8),
        position=(first + chunk.first + which + 1) << ROW_BITS,
        ts=ts[which],
        flags=np.zeros(count, np.uint8),
        caller=index.astype(np.uint16),
        hash=hashes[which],
        values=np.ascontiguousarray(chunk.values[which].T, np.float32),
        confidence=chunk.score[which].astype(np.float32),
        latency_ms=chunk.latency_ms[which].astype(np.float32),
        status=np.full(count, 200, np.int16),
        label=(chunk.score[which] <= 0.5).astype(np.uint16),
        text={},
    )


def _phase(name: str, deployment: Deployment, events: int, callers: int, us: tuple[float, float]) -> Phase:
    rss, peak = rss_mb(), peak_mb()
    begin = time.process_time()
    dumps = [machine.dump() for machine in deployment.machines]
    dumped = time.process_time()
    deployment.start()
    for machine, sections in zip(deployment.machines, dumps, strict=True):
        machine.load(sections)
    loaded = time.process_time()
    sizes = [sum(len(section.data) for section in sections.values()) / MB for sections in dumps]
    took = (dumped - begin, loaded - dumped)
    return Phase(name, events, callers, *us, rss, peak, sum(sizes), max(sizes), *took, deployment.broken)


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))).decode())

"""Memory: sense's resident memory over millions of events by a million callers, measured on the fold itself, without Kafka.

Frames are built column by column and go through the same `Machine` as in production, all shards in this one process, as
in a single worker. The frames themselves are dropped as soon as they are applied; what remains is state.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from bench.events import Traffic
from bench.frames import frames
from bench.resident import peak_mb, rss_mb
from streams.stage.machine import Machine, Record
from streams.stages import STAGES
from tocsin.config import Config

CALLERS: Final = 1_000_000


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of one process that holds every shard of sense, MB.

    Attributes:
        before_mb: interpreter, libraries and the caller table of this benchmark, before the first frame.
        after_mb: after the last.
        peak_mb: the highest it ever was.
        snapshot_mb: bytes of a snapshot of all shards at the end.
        events: applied.
        callers: distinct callers possible.
        us: CPU microseconds per event of `Machine.step`, without Faust.
    """

    before_mb: float
    after_mb: float
    peak_mb: float
    snapshot_mb: float
    events: int
    callers: int
    us: float


def measure(events: int) -> Memory:
    """Returns what a fresh process measures of itself: its memory is not mixed with this one's."""
    command = [sys.executable, "-m", "bench.memory", str(events)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    if done.returncode != 0:
        raise RuntimeError(f"bench.memory: ended with {done.returncode} and said: {done.stdout}{done.stderr}"[:2000])
    return msgspec.json.decode(done.stdout, type=Memory)


def _main(events: int) -> Memory:
    config = Config()
    shards = config.detection.shards
    machines: list[Machine] = [STAGES["sense"].machine(shard, config) for shard in range(shards)]
    traffic = Traffic(events, callers=CALLERS, even=0.5, per_s=50_000)
    before = None
    spent, offsets = 0.0, [0] * shards
    for shard, value in frames(traffic, shards):
        before = rss_mb() if before is None else before
        start = time.process_time()
        machines[shard].step(Record(f"bench-{shard}@{offsets[shard]}", offsets[shard], value))
        spent += time.process_time() - start
        offsets[shard] += 1
    after = rss_mb()
    snapshot = sum(len(section.data) for machine in machines for section in machine.dump().values()) / 1e6
    peak = peak_mb()
    return Memory(before or after, after, peak, snapshot, events, CALLERS, spent / events * 1e6)


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(_main(int(sys.argv[1]))).decode())

"""Fleet: Tocsin's own processes — one per stage, so that each part's CPU can be told apart — and how far they have got.

Progress is read off the topics, not asked of the processes: rows in `frames` are what intake has done, tallied rows in
`readings` are what sense has done. CPU is user + system time of the whole process from /proc, all threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from confluent_kafka import Consumer

from bench.golden import KEY, arm
from bench.kafka import Got, reader, take, whole
from models.baseline import Baseline
from streams.clients import topic_name
from streams.key_file import write_new
from streams.stage.machine import Link
from tocsin.codec import unpack
from tocsin.config import Kafka
from tocsin.frame import decode_frame
from tocsin.reading import Readings

TOCSIN: Final = Path(sys.executable).with_name("tocsin")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
SAMPLE_S: Final = 0.1
STALL_S: Final = 60.0
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "intake": ("intake",),
    "sense": ("worker", "--stage", "sense"),
    "judge": ("worker", "--stage", "judge"),
    "triage": ("worker", "--stage", "triage"),
}

CONFIG: Final = """
key_file = "{home}/tocsin.key"
data_dir = "{home}/data"
instance = "bench"
[detection]
disabled = {disabled}
[kafka]
brokers = "{brokers}"
prefix = "{prefix}"
[[topic]]
name = "{topic}"
format = "canonical"
[http]
intake_port = -1
worker_port = -1
"""


class Sample(NamedTuple):
    """Where everything stood at one moment.

    Attributes:
        at: seconds, monotonic.
        framed: rows in `frames`.
        sensed: rows that readings speak of.
        cpu: part → CPU seconds since its start.
        blocks: blocks in `frames`.
        counted: of the rows in readings, those that were counted against a baseline.
    """

    at: float
    framed: int
    sensed: int
    cpu: dict[str, float]
    blocks: int = 0
    counted: int = 0


@dataclass
class Fleet:
    """Running processes of one deployment; as a context manager they run inside and are gone after.

    Attributes:
        kafka: broker and prefix; a fresh prefix is a fresh deployment.
        topic: the raw topic to read.
        baselines: in force, armed, before intake starts; shards obey when they come to the promotion.
        disabled: detectors left out.
        processes: part → process.
        samples: taken by `watch`.
    """

    kafka: Kafka
    topic: str
    baselines: Sequence[Baseline] = ()
    disabled: tuple[str, ...] = ()
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Creates key and topics, then starts one process per part."""
        self._home = tempfile.TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True)
        home = Path(self._home.name)
        self._config = home / "tocsin.toml"
        self._config.write_text(
            CONFIG.format(
                home=home, brokers=self.kafka.brokers, prefix=self.kafka.prefix, topic=self.topic, disabled=list(self.disabled)
            )
        )
        write_new(home / "tocsin.key", KEY.hex(), 0o600)
        self._tocsin("topics", "create")
        arm(self.baselines, self.kafka)
        self._log = (home / "log").open("wb")
        for part, arguments in PARTS.items():
            command = [str(TOCSIN), *arguments, "--config", str(self._config)]
            self.processes[part] = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._reader = reader(self.kafka.brokers, topic_name(self.kafka, "frames"), topic_name(self.kafka, "readings"))
        self._framed = self._sensed = self._blocks = self._counted = 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the processes; nothing they hold is needed again."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._reader.close()
        self._log.close()
        self._home.cleanup()

    def watch(self, done: Callable[[Sample], bool]) -> list[Sample]:
        """Returns samples taken every 100 ms until `done` says so of the last one.

        Raises:
            RuntimeError: a process ended, or nothing moved for a minute.
        """
        moved = time.monotonic()
        while not self.samples or not done(self.samples[-1]):
            before = self._framed + self._sensed
            self._count(self._reader, time.monotonic() + SAMPLE_S)
            now = time.monotonic()
            if self._framed + self._sensed > before:
                moved = now
            cpu = {part: _cpu_s(process.pid) for part, process in self._alive().items()}
            self.samples.append(Sample(now, self._framed, self._sensed, cpu, self._blocks, self._counted))
            if now - moved > STALL_S:
                raise RuntimeError(f"{self.topic}: progress expected within {STALL_S:.0f} s; stalled at {self.samples[-1]}")
        return self.samples

    def snapshot_kb(self, stage: str) -> float:
        """Returns the size of the last snapshot of a stage's partitions, their mean, kB; 0 before there is one."""
        sizes: dict[str, dict[int, int]] = {}
        for record in whole(self.kafka.brokers, topic_name(self.kafka, f"state_{stage}")):
            partition, *rest = record.key.decode().split("/")
            if len(rest) == 2:  # of a snapshot: a chunk or the manifest; the topic holds other notes too
                snapshots = sizes.setdefault(partition, {})
                snapshots[int(rest[0])] = snapshots.get(int(rest[0]), 0) + len(record.value)
        last = [snapshots[max(snapshots)] for snapshots in sizes.values()]
        return sum(last) / max(len(last), 1) / 1e3

    def _count(self, consumer: Consumer, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            for record in take(consumer, 200, min(left, 0.02)):
                framed, sensed, blocks, counted = _counts(record)
                self._framed += framed
                self._sensed += sensed
                self._blocks += blocks
                self._counted += counted

    def _alive(self) -> dict[str, subprocess.Popen[bytes]]:
        for part, process in self.processes.items():
            if process.poll() is not None:
                said = (Path(self._home.name) / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"tocsin {part} must run; it ended with {process.returncode} and said: {said}")
        return self.processes

    def _tocsin(self, *arguments: str) -> None:
        command = [str(TOCSIN), *arguments, "--config", str(self._config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}: ended with {done.returncode} and said: {done.stdout}{done.stderr}")


def _counts(record: Got) -> tuple[int, int, int, int]:
    """Returns what a record of `frames` or `readings` speaks of: rows framed, rows sensed, blocks framed, rows counted."""
    if "frames" in record.topic:
        blocks = decode_frame(record.value, record.where).blocks
        return sum([block.rows for block in blocks]), 0, len(blocks), 0
    readings = unpack(unpack(record.value, Link, record.where).body, Readings, record.where)
    return 0, sum([tally.rows for tally in readings.tallies]), 0, sum([counts.rows for counts in readings.counts])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

"""Observe: what intake and worker report while they work, turned into metrics and health. Called often; keeps no events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import orjson

from alerts.history import dig
from streams.process import Status
from streams.stage.machine import Send


class IntakeObserver:
    """`streams.intake.hooks.Hooks` for an intake's status."""

    def __init__(self, status: Status) -> None:
        """Starts not ready: no raw partition is assigned yet."""
        self._health, self._metrics = status
        self.assigned(0)

    def beat(self) -> None:
        """The main loop turned."""
        self._health.beat()

    def assigned(self, partitions: int) -> None:
        """So many raw partitions are read here now."""
        self._health.condition("partitions", "" if partitions else "no raw partition is assigned")

    def read(self, topic: str, records: int, lag_s: float) -> None:
        """Records were taken in."""
        self._metrics.add("records_total", records, topic)
        self._metrics.observe("event_lag_seconds", lag_s, topic)
        self._health.count("records", records)

    def rejected(self, topic: str, reason: str) -> None:
        """Something became a dead letter."""
        self._metrics.add("events_rejected_total", 1, topic, reason)
        self._health.count("rejected")

    def framed(self, kind: str, model: str, rows: int) -> None:
        """Rows were put into a frame."""
        self._metrics.add("events_total", rows, kind, model)
        self._health.count("events", rows)

    def delivered(self, shard: int, size: int) -> None:
        """A frame is durable."""
        self._metrics.add("frames_total", 1, str(shard))
        self._metrics.add("frame_bytes_total", size, str(shard))

    def committed(self, partitions: int) -> None:
        """Offsets were committed."""
        del partitions
        self._metrics.add("commits_total", 1)

    def lag(self, topic: str, partition: int, records: int) -> None:
        """So many raw records wait."""
        self._metrics.set("raw_lag_records", records, topic, str(partition))

    def lost(self, topic: str, partition: int, records: int) -> None:
        """Retention was faster than intake."""
        self._metrics.add("events_lost_total", records, topic, str(partition))
        self._health.count("lost", records)


class WorkerObserver:
    """`streams.stage.hooks.Hooks` for a worker's status."""

    def __init__(self, status: Status, wall: Callable[[], float] = time.time) -> None:
        """Starts not ready: no partition is restored yet."""
        self._health, self._metrics = status
        self._wall = wall
        self._open: set[tuple[str, int]] = set()
        self._assigned()

    def beat(self) -> None:
        """The event loop turned."""
        self._health.beat()

    def restored(self, stage: str, partition: int, applied: int, notes: Sequence[str]) -> None:
        """A partition works."""
        self._metrics.set("applied_offset", applied, stage, str(partition))
        self._health.count("restore_notes", len(notes))
        self._open.add((stage, partition))
        self._assigned()

    def revoked(self, stage: str, partition: int) -> None:
        """A partition works elsewhere."""
        self._open.discard((stage, partition))
        self._assigned()

    def _assigned(self) -> None:
        self._health.condition("partitions", "" if self._open else "no partition is assigned and restored")

    def stepped(self, stage: str, partition: int, applied: int, seconds: float, appended: float, sends: Sequence[Send]) -> None:
        """One record was folded."""
        metrics, number = self._metrics, str(partition)
        metrics.add("steps_total", 1, stage, number)
        metrics.observe("step_seconds", seconds, stage)
        metrics.observe("step_lag_seconds", self._wall() - appended, stage)
        metrics.set("applied_offset", applied, stage, number)
        self._health.count(f"{stage}_steps")
        for send in sends:
            metrics.add("sends_total", 1, stage, send.topic)
            if send.topic == "alerts":
                self._finding(send.value)
            elif send.topic == "proposals":
                metrics.add("proposals_total", 1)

    def _finding(self, value: bytes) -> None:
        finding = orjson.loads(value)
        labels = (dig(finding, "metadata", "event_code"), dig(finding, "severity"), dig(finding, "resources", 0, "uid"))
        self._metrics.add("findings_total", 1, *(str(label or "none") for label in labels))
        self._health.count("findings")

    def snapshot(self, stage: str, partition: int, applied: int, size: int, seconds: float) -> None:
        """A snapshot is durable."""
        del applied, seconds
        self._metrics.add("snapshots_total", 1, stage, str(partition))
        self._metrics.set("state_bytes", size, stage, str(partition))

    def lag(self, stage: str, partition: int, records: int) -> None:
        """So many input records are not applied yet."""
        self._metrics.set("lag_records", records, stage, str(partition))

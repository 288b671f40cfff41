"""Observe: what intake and worker report while they work, turned into metrics and health. Called often; keeps no events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import orjson

from alerts.history import dig
from streams.metrics import Metrics
from streams.process import Status
from streams.stage.machine import Send
from streams.stage.watch import Stall

NONE_LEFT = "no partition is assigned to this process: others of its group have them all; it takes over when one ends"


class IntakeObserver:
    """`streams.intake.hooks.Hooks` for an intake's status."""

    def __init__(self, status: Status, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts not ready: the group has not said yet which raw partitions are read here."""
        self._health, self._metrics = status
        self._stalled = _Stalled(self._metrics, "raw_partition_stalled_seconds", clock)
        self.assigned(None)

    def beat(self) -> None:
        """The main loop turned."""
        self._health.beat()

    def assigned(self, partitions: int | None) -> None:
        """So many raw partitions are read here now; None while the group decides."""
        self._health.condition("partitions", "the group has not assigned partitions yet" if partitions is None else "")
        self._health.note("partitions", NONE_LEFT if partitions == 0 else "")
        self._stalled.clear()

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

    def lag(self, topic: str, partition: int, records: int, position: int) -> None:
        """So many raw records wait."""
        self._metrics.set("raw_lag_records", records, topic, str(partition))
        self._stalled.look((topic, str(partition)), position - 1, records)

    def lost(self, topic: str, partition: int, records: int) -> None:
        """Retention was faster than intake."""
        self._metrics.add("events_lost_total", records, topic, str(partition))
        self._health.count("lost", records)


class WorkerObserver:
    """`streams.stage.hooks.Hooks` for a worker's status."""

    def __init__(
        self, status: Status, wall: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Starts not ready: no partition is restored yet."""
        self._health, self._metrics = status
        self._wall = wall
        self._stalled = _Stalled(self._metrics, "partition_stalled_seconds", clock)
        self._given: dict[str, int] = {}
        self._open: dict[tuple[str, int], int] = {}
        self._assigned()

    def beat(self) -> None:
        """The event loop turned."""
        self._health.beat()

    def assigned(self, stage: str, partitions: int) -> None:
        """So many partitions of a stage are to be restored here."""
        self._given[stage] = partitions
        self._assigned()

    def restored(self, stage: str, partition: int, applied: int, notes: Sequence[str]) -> None:
        """A partition works."""
        self._metrics.set("applied_offset", applied, stage, str(partition))
        self._health.count("restore_notes", len(notes))
        self._open[stage, partition] = applied
        self._assigned()

    def revoked(self, stage: str, partition: int) -> None:
        """A partition works elsewhere."""
        self._open.pop((stage, partition), None)
        self._given.pop(stage, None)
        self._stalled.clear()
        self._assigned()

    def _assigned(self) -> None:
        spare = bool(self._given) and not any(self._given.values()) and not self._open
        self._health.condition("partitions", "" if self._open or spare else "no partition is assigned and restored")
        self._health.note("partitions", NONE_LEFT if spare else "")

    def stepped(self, stage: str, partition: int, applied: int, seconds: float, appended: float, sends: Sequence[Send]) -> None:
        """One record was folded."""
        metrics, number = self._metrics, str(partition)
        metrics.add("steps_total", 1, stage, number)
        metrics.observe("step_seconds", seconds, stage)
        metrics.observe("step_lag_seconds", self._wall() - appended, stage)
        metrics.set("applied_offset", applied, stage, number)
        self._open[stage, partition] = applied
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
        self._stalled.look((stage, str(partition)), self._open.get((stage, partition), -1), records)


class _Stalled:
    """One gauge of seconds without progress while records wait."""

    def __init__(self, metrics: Metrics, name: str, clock: Callable[[], float]) -> None:
        self._metrics, self._name, self._clock = metrics, name, clock
        self._stall = Stall(0.0)
        self._shown: set[tuple[str, str]] = set()

    def look(self, place: tuple[str, str], applied: int, waiting: int) -> None:
        """Shows for how long a partition has had records waiting and has stood at `applied`."""
        self._shown.add(place)
        self._metrics.set(self._name, self._stall.stuck(place, applied, applied + 1 + waiting, self._clock()), *place)

    def clear(self) -> None:
        """Shows nothing as stalled: the partitions may be elsewhere now."""
        for place in self._shown:
            self._metrics.set(self._name, 0.0, *place)
        self._stall, self._shown = Stall(0.0), set()

"""Metrics: every number a process shows on /metrics, one line each in `METRICS`.

Base units, `_total` on counters, the prefix `tocsin_`. Labels come from `LABELS` alone and none of them names a caller. A
producer chooses model names, so series are bounded: from `MAX_SERIES` on, a new label set is counted as `other`.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from tocsin import __version__

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library types everything else

C = TypeVar("C", Counter, Gauge, Histogram)

PREFIX: Final = "tocsin_"
MAX_SERIES: Final = 200
OTHER: Final = "other"
LABELS: Final = frozenset({"topic", "partition", "shard", "stage", "reason", "model", "kind", "severity", "version", "role"})
LAG_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)
STEP_S: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Metric(NamedTuple):
    """One row of `METRICS`.

    Attributes:
        kind: Prometheus type.
        says: its help line.
        labels: of `LABELS`.
        buckets: of a histogram, seconds.
    """

    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS: Final[dict[str, Metric]] = {
    "build_info": Metric("gauge", "Always 1.", ("version", "role")),
    "ready": Metric("gauge", "1 when /readyz says yes."),
    "records_total": Metric("counter", "Raw records read.", ("topic",)),
    "event_lag_seconds": Metric("histogram", "From a raw record's append to its being read.", ("topic",), LAG_S),
    "events_total": Metric("counter", "Rows put into frames.", ("kind", "model")),
    "events_rejected_total": Metric("counter", "Records and rows refused; each is a dead letter.", ("topic", "reason")),
    "events_lost_total": Metric("counter", "Raw records that retention took before they were read.", ("topic", "partition")),
    "frames_total": Metric("counter", "Frames made durable.", ("shard",)),
    "frame_bytes_total": Metric("counter", "Bytes of durable frames.", ("shard",)),
    "commits_total": Metric("counter", "Commits of raw offsets."),
    "raw_lag_records": Metric("gauge", "Raw records not read yet.", ("topic", "partition")),
    "raw_partition_stalled_seconds": Metric(
        "gauge", "Since when records wait in a raw partition and none is read.", ("topic", "partition")
    ),
    "steps_total": Metric("counter", "Records a stage applied.", ("stage", "partition")),
    "step_seconds": Metric("histogram", "Time to fold one record.", ("stage",), STEP_S),
    "step_lag_seconds": Metric("histogram", "From a record's append to its being applied.", ("stage",), LAG_S),
    "sends_total": Metric("counter", "Records a stage sent.", ("stage", "topic")),
    "snapshots_total": Metric("counter", "Snapshots made durable.", ("stage", "partition")),
    "state_bytes": Metric("gauge", "Size of the last snapshot.", ("stage", "partition")),
    "lag_records": Metric("gauge", "Input records not applied yet.", ("stage", "partition")),
    "applied_offset": Metric("gauge", "Highest input offset in the state.", ("stage", "partition")),
    "partition_stalled_seconds": Metric(
        "gauge", "Since when records wait in a stage's input partition and none is applied.", ("stage", "partition")
    ),
    "findings_total": Metric("counter", "Finding records sent.", ("kind", "severity", "model")),
    "proposals_total": Metric("counter", "Containment proposed."),
}
"""Every metric there is: name without prefix → what it is. docs/operations.md lists them, and a test compares."""


class Metrics:
    """The numbers of one process. Thread-safe, as prometheus-client is.

    Attributes:
        registry: what /metrics renders; not the library's global one, so that tests and processes do not share.
    """

    def __init__(self, role: str) -> None:
        """Registers every row of `METRICS`, and the process's own memory, CPU and file descriptors."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._collectors = {name: _collector(name, metric, self.registry) for name, metric in METRICS.items()}
        self._seen: dict[str, set[tuple[str, ...]]] = {name: set() for name in METRICS}
        self.set("build_info", 1, __version__, role)

    def add(self, name: str, amount: float, *labels: str) -> None:
        """Adds to a counter.

        Args:
            name: a key of `METRICS`.
            amount: at least 0.
            labels: values in the order of its row.
        """
        counter = self._collectors[name]
        assert isinstance(counter, Counter), name  # noqa: S101 - a programming error, caught by the first call
        self._series(name, counter, labels).inc(amount)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Sets a gauge."""
        gauge = self._collectors[name]
        assert isinstance(gauge, Gauge), name  # noqa: S101 - as above
        self._series(name, gauge, labels).set(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Adds one observation to a histogram, in seconds; a clock that runs behind gives 0, not less."""
        histogram = self._collectors[name]
        assert isinstance(histogram, Histogram), name  # noqa: S101 - as above
        self._series(name, histogram, labels).observe(max(0.0, value))

    def render(self) -> bytes:
        """Returns the text format of Prometheus."""
        return generate_latest(self.registry)

    def _series(self, name: str, collector: C, labels: tuple[str, ...]) -> C:
        if not labels:
            return collector
        seen = self._seen[name]
        if labels not in seen:
            if len(seen) >= MAX_SERIES:
                labels = (OTHER,) * len(labels)
            seen.add(labels)
        return collector.labels(*labels)


def _collector(name: str, metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    full = PREFIX + name
    if metric.kind == "histogram":
        return Histogram(full, metric.says, metric.labels, buckets=metric.buckets, registry=registry)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(full, metric.says, metric.labels, registry=registry)

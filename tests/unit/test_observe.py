"""Observers: what intake and worker report becomes numbers and readiness; no metric is in the table for nothing."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from streams.health import Health
from streams.metrics import METRICS, Metrics
from streams.observe import NONE_LEFT, IntakeObserver, WorkerObserver
from streams.process import Status
from streams.stage.machine import Send

STREAMS = Path(__file__).parents[2] / "streams"


def status(role: str) -> Status:
    return Status(Health(role, "i-1"), Metrics(role))


def shown(here: Status, name: str) -> list[str]:
    lines = here.metrics.render().decode().splitlines()
    return [line.removeprefix("tocsin_") for line in lines if re.match(rf"tocsin_{name}[{{ ]", line)]


def test_an_intake_is_ready_while_it_has_a_partition() -> None:
    here = status("intake")
    observer = IntakeObserver(here)
    observer.beat()
    assert "partitions" in here.health.unready()
    observer.assigned(3)
    assert (here.health.unready(), here.health.notes()) == ({}, {})
    observer.assigned(None)
    assert "partitions" in here.health.unready()


def test_who_was_given_no_partition_is_ready_and_says_so() -> None:
    intake, worker = status("intake"), status("worker")
    observer = IntakeObserver(intake)
    observer.beat()
    observer.assigned(0)
    assert (intake.health.unready(), intake.health.notes()) == ({}, {"partitions": NONE_LEFT})
    stages = WorkerObserver(worker)
    stages.beat()
    for stage in ("sense", "judge", "triage"):
        stages.assigned(stage, 0)
    assert (worker.health.unready(), worker.health.notes()) == ({}, {"partitions": NONE_LEFT})
    stages.assigned("sense", 1)
    assert "partitions" in worker.health.unready(), "it must be restored first"
    stages.restored("sense", 0, 5, ())
    assert (worker.health.unready(), worker.health.notes()) == ({}, {})


def test_a_partition_is_stalled_for_as_long_as_records_wait_and_none_is_taken() -> None:
    intake, worker, times = status("intake"), status("worker"), iter([100.0, 110.0, 130.0, 140.0, 150.0])
    observer = IntakeObserver(intake, clock=lambda: next(times))
    shows = []
    for records, position in ((0, 5), (3, 5), (9, 5), (8, 6), (0, 14)):
        observer.lag("scores", 1, records, position)
        shows.append(shown(intake, "raw_partition_stalled_seconds")[0].split()[1])
    assert shows == ["0.0", "0.0", "20.0", "0.0", "0.0"]
    clock = iter([0.0, 7.0, 9.0])
    stages = WorkerObserver(worker, wall=lambda: 0.0, clock=lambda: next(clock))
    stages.restored("sense", 2, 40, ())
    stages.lag("sense", 2, 1)
    stages.lag("sense", 2, 4)
    assert shown(worker, "partition_stalled_seconds") == ['partition_stalled_seconds{partition="2",stage="sense"} 7.0']
    stages.stepped("sense", 2, 41, 0.001, 0.0, [])
    stages.lag("sense", 2, 3)
    assert shown(worker, "partition_stalled_seconds") == ['partition_stalled_seconds{partition="2",stage="sense"} 0.0']


def test_what_intake_reports_is_counted() -> None:
    here = status("intake")
    observer = IntakeObserver(here)
    observer.read("scores", 500, 0.2)
    observer.framed("inference", "prod/fraud@7", 499)
    observer.rejected("scores", "DEPTH")
    observer.delivered(3, 1000)
    observer.committed(2)
    observer.lag("scores", 1, 17, 3)
    observer.lost("scores", 1, 4)
    assert shown(here, "events_total") == ['events_total{kind="inference",model="prod/fraud@7"} 499.0']
    assert shown(here, "events_rejected_total") == ['events_rejected_total{reason="DEPTH",topic="scores"} 1.0']
    assert shown(here, "raw_lag_records") == ['raw_lag_records{partition="1",topic="scores"} 17.0']
    beat = orjson.loads(here.health.heartbeat(0))
    assert beat["counts"] == {"events": 499, "lost": 4, "records": 500, "rejected": 1}


def test_a_worker_is_ready_while_a_partition_of_any_stage_is_restored() -> None:
    here = status("worker")
    observer = WorkerObserver(here)
    observer.beat()
    assert "partitions" in here.health.unready()
    observer.restored("sense", 0, 41, ())
    observer.restored("triage", 0, -1, ("cold",))
    observer.revoked("sense", 0)
    assert here.health.unready() == {}
    observer.revoked("triage", 0)
    assert "partitions" in here.health.unready()


def test_what_a_worker_reports_is_counted_and_findings_by_kind_and_severity() -> None:
    here = status("worker")
    observer = WorkerObserver(here, wall=lambda: 1_000.5)
    finding = {"severity": "High", "metadata": {"event_code": "probing"}, "resources": [{"uid": "prod/fraud@7"}]}
    sends = [Send("alerts", 0, b"", orjson.dumps(finding)), Send("alerts", 1, b"", b"{}"), Send("proposals", 0, b"", b"{}")]
    observer.stepped("triage", 0, 7, 0.001, 1_000.0, sends)
    observer.snapshot("triage", 0, 7, 4096, 0.1)
    observer.lag("triage", 0, 2)
    assert shown(here, "findings_total") == [
        'findings_total{kind="probing",model="prod/fraud@7",severity="High"} 1.0',
        'findings_total{kind="none",model="none",severity="none"} 1.0',
    ]
    assert shown(here, "sends_total") == [
        'sends_total{stage="triage",topic="alerts"} 2.0',
        'sends_total{stage="triage",topic="proposals"} 1.0',
    ]
    assert shown(here, "step_lag_seconds_sum") == ['step_lag_seconds_sum{stage="triage"} 0.5']
    assert shown(here, "applied_offset") == ['applied_offset{partition="0",stage="triage"} 7.0']
    assert shown(here, "state_bytes") == ['state_bytes{partition="0",stage="triage"} 4096.0']


def test_every_metric_in_the_table_is_written_somewhere() -> None:
    code = "".join((STREAMS / name).read_text() for name in ("observe.py", "http.py", "metrics.py"))
    written = set(re.findall(r'(?:\.(?:add|set|observe)\(|_Stalled\(self\._metrics, )"(\w+)"', code))
    assert written == set(METRICS)

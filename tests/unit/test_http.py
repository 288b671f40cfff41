"""Status endpoints, heartbeats, metrics and logs: what a process says about itself."""

from __future__ import annotations

import io
import json
import logging
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import structlog

from streams import logs
from streams.health import STALE_S, Health
from streams.http import OFF, StatusServer
from streams.metrics import LABELS, MAX_SERIES, METRICS, OTHER, Metrics
from tocsin.errors import ConfigError


class Clock:
    """Monotonic seconds that move only when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health("intake", "i-1", clock)


@pytest.fixture
def server(health: Health) -> Iterator[StatusServer]:
    with StatusServer("127.0.0.1", 0, health, Metrics("intake")) as running:
        yield running


def ask(server: StatusServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_process_is_live_at_once_and_ready_when_its_loop_turned_and_every_condition_holds(
    server: StatusServer, health: Health
) -> None:
    assert ask(server, "/livez")[0] == 200
    assert ask(server, "/readyz")[0] == 503
    health.condition("assignment", "no partition is assigned")
    health.beat()
    status, body = ask(server, "/readyz")
    assert (status, json.loads(body)["problems"]) == (503, {"assignment": "no partition is assigned"})
    health.condition("assignment", "")
    assert ask(server, "/readyz")[0] == 200


def test_a_loop_that_is_stuck_is_neither_live_nor_ready(server: StatusServer, health: Health, clock: Clock) -> None:
    health.beat()
    clock.now += STALE_S + 1
    status, body = ask(server, "/livez")
    assert (status, json.loads(body)["problem"]) == (503, "the main loop has not turned for 31 s (at most 30)")
    assert ask(server, "/readyz")[0] == 503
    health.beat()
    assert ask(server, "/livez")[0] == 200


def test_metrics_are_rendered_with_the_prefix(server: StatusServer, health: Health) -> None:
    health.beat()
    status, body = ask(server, "/metrics")
    assert status == 200
    assert "tocsin_ready 1.0" in body
    assert 'tocsin_build_info{role="intake"' in body
    assert ask(server, "/else")[0] == 404


def test_a_port_that_is_taken_is_the_operators_mistake(health: Health) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            pytest.raises(ConfigError, match="cannot be listened on"),
            StatusServer("127.0.0.1", taken.getsockname()[1], health, Metrics("x")),
        ):
            pass


def test_port_minus_one_listens_nowhere(health: Health) -> None:
    with StatusServer("127.0.0.1", OFF, health, Metrics("x")) as server:
        assert server.port == OFF


def test_a_heartbeat_says_who_how_long_and_what_is_wrong(health: Health, clock: Clock) -> None:
    health.beat()
    health.count("events", 3)
    health.count("events", 4)
    clock.now += 12
    beat = json.loads(health.heartbeat(1_700_000_000_000))
    assert beat["kind"] == "heartbeat"
    assert beat["source"] == "intake/i-1"
    assert (beat["time"], beat["uptime_s"], beat["ready"], beat["problems"]) == (1_700_000_000_000, 12, True, {})
    assert beat["counts"] == {"events": 7}


def test_metric_names_follow_the_conventions_and_no_label_names_a_caller() -> None:
    for name, metric in METRICS.items():
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert name.endswith("_seconds") or metric.kind != "histogram", name
        assert bool(metric.buckets) == (metric.kind == "histogram"), name
        assert set(metric.labels) <= LABELS, name
        assert metric.says.endswith("."), name
    assert not any("caller" in label or "user" in label or "event_id" in label for label in LABELS)


def test_a_flood_of_model_names_ends_as_one_series() -> None:
    metrics = Metrics("worker")
    for number in range(MAX_SERIES + 50):
        metrics.add("findings_total", 1, "probing", "high", f"default/m{number}@1")
    text = metrics.render().decode()
    lines = [line for line in text.splitlines() if line.startswith("tocsin_findings_total{")]
    assert len(lines) == MAX_SERIES + 1
    assert any(f'model="{OTHER}"' in line and line.endswith(" 50.0") for line in lines)


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("restored_logging")
def test_our_lines_and_the_libraries_lines_are_the_same_json() -> None:
    out = io.StringIO()
    logs.setup("intake", "i-1", out)
    structlog.get_logger("streams.x").info("frame acknowledged", shard=3)
    logging.getLogger("aiokafka.conn").warning("broker %s is away", "b1")
    logging.getLogger("aiokafka.conn").info("not said: outages would be thousands of lines")
    try:
        raise ValueError("bad \udcff bytes")
    except ValueError:
        structlog.get_logger("streams.x").exception("stopped")
    ours, theirs, failure = (json.loads(line) for line in out.getvalue().splitlines())
    assert (ours["message"], ours["shard"], ours["level"], ours["logger"]) == ("frame acknowledged", 3, "info", "streams.x")
    assert (theirs["message"], theirs["level"], theirs["logger"]) == ("broker b1 is away", "warning", "aiokafka.conn")
    assert ours["service"] == theirs["service"] == "tocsin-intake"
    assert ours["@timestamp"].endswith("Z")
    assert "ValueError" in failure["exception"]


@pytest.mark.usefixtures("restored_logging")
def test_on_a_terminal_lines_are_for_people() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    logs.setup("intake", "i-1", out)
    structlog.get_logger("x").info("frame acknowledged", shard=3)
    assert "frame acknowledged" in out.getvalue()
    assert not out.getvalue().startswith("{")

"""The curator on a real Kafka: first traffic becomes a provisional baseline, once, whoever and however often it is killed."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Producer

from streams.admin import create_topics
from streams.brokers.local import LocalKafka
from streams.config_file import load
from streams.coverage import ModelCoverage, coverage
from streams.curator.standing import Order, standings_of
from streams.key_file import write_key
from streams.orders import send_order
from tests.chaos.processes import Child
from tocsin.config import Config, Kafka
from tocsin.control import Promote

pytestmark = pytest.mark.kafka

MODEL = "prod/fraud@7"
WAIT_S = 90.0
SETTINGS = """\
instance = "{name}"
[kafka]
brokers = "{brokers}"
prefix = "{prefix}"
[detection]
shards = 2
[baseline]
rows = 1500
[http]
intake_port = -1
worker_port = -1
curator_port = -1
[[topic]]
name = "{prefix}raw"
format = "canonical"
"""


class Deployment:
    """Intake and two curators."""

    def __init__(self, home: Path, settings: Kafka) -> None:
        write_key(home / "tocsin.key")
        self.children = {}
        for name in ("intake", "curator-1", "curator-2"):
            path = home / f"{name}.toml"
            about = {"name": name, "brokers": settings.brokers, "prefix": settings.prefix}
            path.write_text(f'key_file = "{home}/tocsin.key"\n' + SETTINGS.format(**about))
            self.children[name] = Child(name, name.partition("-")[0], path, home / f"{name}.log")
        self.config: Config = load(home / "intake.toml", {})
        self.sent = 0

    def feed(self, count: int) -> None:
        rng, producer = np.random.default_rng(self.sent), Producer({"bootstrap.servers": self.config.kafka.brokers})
        for number in range(self.sent, self.sent + count):
            event = {
                "schema": "ml.inference.v1",
                "event_id": f"e{number}",
                "ts": int(time.time() * 1000),
                "model": {"namespace": "prod", "name": "fraud", "version": "7"},
                "caller": {"id": f"c{rng.integers(300)}", "id_kind": "user"},
                "features": {"amount": float(rng.lognormal()), "age": float(rng.normal(40, 9))},
                "prediction": {"label": "ok", "score": float(rng.beta(8, 2))},
                "status": 200,
            }
            producer.produce(f"{self.config.kafka.prefix}raw", json.dumps(event).encode(), partition=number % 4)
        assert producer.flush(30) == 0
        self.sent += count

    def orders(self) -> list[Order]:
        return standings_of(self.config.kafka)[MODEL].orders if standings_of(self.config.kafka) else []

    def wait(self, what: str, holds: Iterator[bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not next(holds):
            for child in self.children.values():
                child.tend()
            assert time.monotonic() < deadline, f"{what} within {WAIT_S:.0f} s"
            time.sleep(0.3)

    def covered(self) -> ModelCoverage | None:
        return next((found for found in coverage(self.config) if found.told_ts), None)


@pytest.fixture
def deployment(kafka: LocalKafka, settings: Kafka, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path, settings)
    create_topics(made.config, raw=True)
    try:
        yield made
    finally:
        for child in made.children.values():
            child.leave(signal.SIGKILL)


def test_first_traffic_becomes_a_baseline_once_and_a_person_has_the_last_word(deployment: Deployment) -> None:
    run = deployment
    for child in run.children.values():
        child.start()
    run.feed(1_000)
    run.wait("the model must be learnt", (((c := run.covered()) is not None and c.rows >= 900) for _ in iter(int, 1)))
    learning = run.covered()
    assert learning is not None
    assert (learning.ladder, learning.baseline) == ("learning", "")
    run.children["curator-1"].kill()
    run.feed(1_500)
    run.wait("a baseline must be promoted", (bool(run.orders()) for _ in iter(int, 1)))
    run.children["curator-2"].kill()
    run.feed(1_000)
    run.wait("both must have seen it all", (((c := run.covered()) is not None and c.rows >= 3_000) for _ in iter(int, 1)))
    [order] = {order.body.baseline: order for order in run.orders()}.values()
    assert (order.body.author, order.body.ladder, order.body.model) == ("curator", "provisional", MODEL)
    found = run.covered()
    assert found is not None
    assert (found.ladder, found.baseline) == ("provisional", order.body.baseline)
    states = {one.detector: one.state for one in found.detectors}
    assert (states["feature_drift"], states["latency_shift"], states["probe_rate"]) == ("advisory", "blind", "live")
    send_order(run.config.kafka, Promote(MODEL, order.body.baseline, "armed", "ana", "looks right"))
    run.feed(500)
    armed = run.covered()
    assert armed is not None
    assert (armed.ladder, armed.author, armed.waits) == ("armed", "ana", "")

"""Real processes — intake, and the worker with Faust, restore and snapshots — where a broker wants logins and checks ACLs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from drills.plan import Plan
from streams.acls import acls, apply_acls, create_user
from streams.admin import create_topics
from streams.brokers.local import LocalKafka
from streams.clients import group_name, topic_name
from streams.positions import committed, watermarks
from streams.simulate import simulate_to_topic
from tests.e2e.conftest import read_topic
from tocsin.config import Config, Kafka, RawTopic

pytestmark = pytest.mark.kafka

USERS = {"sense": "worker", "judge": "worker", "triage": "worker"}
PATIENCE = 300


class Site:
    """A deployment with the derived permissions and one user for each process."""

    def __init__(self, broker: LocalKafka, folder: Path) -> None:
        self.prefix, self.word, self.folder, self.broker = f"w{uuid.uuid4().hex[:8]}.", uuid.uuid4().hex, folder, broker
        self.config = Config(kafka=self.login("admin"), topic=(RawTopic(f"{self.prefix}raw"),))
        create_topics(self.config, raw=True)
        for user in ("producers", "intake", "worker"):
            create_user(self.config.kafka, user, self.word)
        apply_acls(self.config.kafka, acls(self.config, USERS))

    def login(self, user: str) -> Kafka:
        kafka = self.broker.kafka if user == "admin" else self.broker.login(user, self.word)
        return msgspec.structs.replace(kafka, prefix=self.prefix)

    def progress(self, role: str, topic: str) -> int:
        """Returns how many records of a topic a group has committed."""
        return sum(committed(self.config.kafka, group_name(self.config.kafka, role), [topic]).values())

    @contextlib.contextmanager
    def process(self, user: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process of ours, logged in as the user of the same name, told to stop at the end and expected to do so well."""
        file, log = self.folder / f"{user}.toml", self.folder / f"{user}.log"
        file.write_text(
            f'[kafka]\nbrokers = "{self.config.kafka.brokers}"\nprefix = "{self.prefix}"\nsecurity = "SASL_PLAINTEXT"\n'
            f'username = "{user}"\n[[topic]]\nname = "{self.prefix}raw"\n[http]\nintake_port = -1\nworker_port = -1\n'
        )
        secrets = {"TOCSIN_CONFIG": str(file), "TOCSIN_KAFKA_PASSWORD": self.word, "TOCSIN_KEY": "ab" * 32}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", user], env={**os.environ, **secrets}, stdout=out, stderr=out
            )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, self.said(user)
        finally:
            process.kill()
            process.wait()

    def said(self, user: str) -> str:
        return (self.folder / f"{user}.log").read_text()[-3000:]


def test_intake_and_worker_do_their_whole_job_with_nothing_but_their_own_rights(
    secure_kafka: LocalKafka, tmp_path: Path
) -> None:
    site = Site(secure_kafka, tmp_path)
    raw, frames = f"{site.prefix}raw", topic_name(site.config.kafka, "frames")
    plan = Plan(rate=100.0, seconds=5.0, start_ms=time.time_ns() // 1_000_000)
    sent = simulate_to_topic("calm", plan, site.login("producers"), raw, speed=None)
    with site.process("intake") as intake, site.process("worker") as worker:
        for _ in range(PATIENCE):
            assert intake.poll() is None, site.said("intake")
            assert worker.poll() is None, site.said("worker")
            # Frames keep coming, for time goes on; sense has done its job when it has committed past a snapshot.
            if site.progress("intake", raw) == sent.events and site.progress("sense", frames):
                break
            time.sleep(0.2)
        else:
            pytest.fail(site.said("intake") + site.said("worker"))
    assert sum(log.end for log in watermarks(site.config.kafka, [raw]).values()) == sent.events
    for key in ("frames", "readings", "state_sense", "health"):
        assert read_topic(site.config.kafka, topic_name(site.config.kafka, key)), f"{key} must not be empty"

"""The real worker — Faust, its producer, restore, snapshots, heartbeats — on a broker that wants a login and checks ACLs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from streams.acls import acls, apply_acls, create_user
from streams.admin import create_topics
from streams.brokers.local import LocalKafka
from streams.clients import group_name, producer_settings, topic_name
from streams.positions import committed
from tests.e2e.conftest import read_topic
from tests.helpers.frames import frame, rows
from tocsin.config import Config, RawTopic

pytestmark = pytest.mark.kafka

ROLES = {"sense": "worker", "judge": "worker", "triage": "worker"}
PATIENCE = 300


@pytest.fixture
def site(secure_kafka: LocalKafka, tmp_path: Path) -> tuple[Config, Mapping[str, str]]:
    """A deployment with the derived permissions and two users, and the environment of its worker."""
    prefix, word = f"w{uuid.uuid4().hex[:8]}.", uuid.uuid4().hex
    admin = msgspec.structs.replace(secure_kafka.kafka, prefix=prefix)
    config = Config(kafka=admin, topic=(RawTopic(f"{prefix}raw"),))
    create_topics(config, raw=True)
    for user in ("worker", "intake"):
        create_user(admin, user, word)
    apply_acls(admin, acls(config, ROLES))
    file = tmp_path / "tocsin.toml"
    file.write_text(
        f'[kafka]\nbrokers = "{admin.brokers}"\nprefix = "{prefix}"\nsecurity = "SASL_PLAINTEXT"\nusername = "worker"\n'
        f'[[topic]]\nname = "{prefix}raw"\n[http]\nworker_port = -1\n'
    )
    return config, {"TOCSIN_CONFIG": str(file), "TOCSIN_KAFKA_PASSWORD": word, "TOCSIN_KEY": "ab" * 32}


def test_a_worker_with_only_its_own_rights_reads_judges_snapshots_and_commits(
    site: tuple[Config, Mapping[str, str]], secure_kafka: LocalKafka, tmp_path: Path
) -> None:
    config, environment = site
    frames, group = topic_name(config.kafka, "frames"), group_name(config.kafka, "sense")
    intake = secure_kafka.login("intake", environment["TOCSIN_KAFKA_PASSWORD"])
    ledger = Producer(producer_settings(intake))
    for offset in range(0, 40, 10):
        ledger.produce(frames, frame(rows(range(offset, offset + 10)), ticks=[(0, 1_000 * offset)], shards=4), partition=0)
    assert ledger.flush(20) == 0
    command = [sys.executable, "-m", "streams.cli", "worker"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        for _ in range(PATIENCE):
            assert process.poll() is None, (tmp_path / "worker.log").read_text()[-3000:]
            if committed(config.kafka, group, [frames]).get((frames, 0)) == 4:
                break
            time.sleep(0.2)
        else:
            pytest.fail((tmp_path / "worker.log").read_text()[-3000:])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    for key in ("readings", "state_sense", "health"):
        assert read_topic(config.kafka, topic_name(config.kafka, key)), f"{key} must not be empty"

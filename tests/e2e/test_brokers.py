"""The brokers that Tocsin brings along: they start, keep what they were told, and say loudly what they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer

from streams.admin import create_topic
from streams.brokers import jars
from streams.brokers.local import LocalKafka
from streams.clients import producer_settings
from streams.positions import Ends, watermarks
from tests.e2e.conftest import require_kafka
from tocsin.errors import ConfigError


def test_a_missing_java_is_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"not found: java, mvn"):
        jars.class_path()


@pytest.mark.kafka
def test_what_a_local_kafka_acknowledged_survives_kill_nine(tmp_path: Path) -> None:
    require_kafka()
    with LocalKafka(tmp_path / "kafka") as broker:
        address = broker.bootstrap
        create_topic(broker.kafka, "kept", partitions=1)
        producer = Producer(producer_settings(broker.kafka))
        for number in range(100):
            producer.produce("kept", b"%d" % number, partition=0)
        assert producer.flush(20) == 0
        broker.kill()
        assert not broker.alive
        broker.start()
        assert broker.bootstrap == address
        assert watermarks(broker.kafka, ["kept"]) == {("kept", 0): Ends(0, 100)}

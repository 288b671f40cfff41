"""Doctor on real brokers: it finds what was broken on purpose, and nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streams.admin import create_topic, create_topics, delete_topics
from streams.brokers import open_broker
from streams.brokers.local import LocalKafka
from streams.clients import topic_name
from streams.diagnosis import worst
from streams.doctor import examine, measure_skew
from streams.key_file import write_key
from tests.e2e.conftest import commit
from tocsin.config import Config, Detection, Kafka, RawTopic


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_key(tmp_path / "key")
    return Config(key_file=str(tmp_path / "key"), topic=(RawTopic("raw"),))


def statuses(config: Config) -> dict[str, str]:
    return {check.name: check.status for check in examine(config, {}) if check.status != "ok"}


def test_a_broker_that_does_not_answer_is_named_and_the_rest_is_looked_at_anyway(config: Config, impatient: None) -> None:
    checks = examine(msgspec.structs.replace(config, kafka=Kafka(brokers="127.0.0.1:9")), {})
    assert [(check.name, check.status) for check in checks] == [("broker", "bad"), ("versions", "ok"), ("key", "ok")]
    assert "127.0.0.1:9" in checks[0].found


def test_the_embedded_broker_is_fine(config: Config) -> None:
    with open_broker("embedded", config) as opened:
        assert statuses(opened.config) == {}


@pytest.mark.kafka
def test_a_fresh_installation_is_fine(config: Config, settings: Kafka) -> None:
    raw = RawTopic(f"{settings.prefix}raw")
    config = msgspec.structs.replace(config, kafka=settings, topic=(raw,))
    create_topics(config, raw=True)
    assert worst(examine(config, {})) == "ok", examine(config, {})
    skew = measure_skew(settings)
    assert skew is not None
    assert abs(skew.ms) <= skew.error_ms + 1, "this machine's clock must agree with itself"


@pytest.mark.kafka
def test_what_was_broken_is_found(config: Config, settings: Kafka) -> None:
    frames, signals, raw = topic_name(settings, "frames"), topic_name(settings, "signals"), f"{settings.prefix}raw"
    config = msgspec.structs.replace(config, kafka=settings, topic=(RawTopic(raw),))
    create_topics(config)
    create_topic(settings, raw, 4)
    delete_topics(settings, [signals])
    commit(settings, f"{settings.prefix}tocsin.sense", frames, 0, 0)
    mismatched = msgspec.structs.replace(config, detection=Detection(shards=8))
    found = statuses(mismatched)
    assert found.pop(f"topic {signals}") == "bad"
    assert found.pop(f"topic {raw}") == "warn"
    assert found.pop(f"topic {frames}") == "bad"
    assert found == {f"topic {topic_name(settings, 'state_sense')}": "bad"}


@pytest.mark.kafka
def test_a_wrong_password_is_told_apart_from_a_broker_that_is_away(
    config: Config, secure_kafka: LocalKafka, impatient: None
) -> None:
    intruder = msgspec.structs.replace(config, kafka=secure_kafka.login("nobody", "wrong"))
    assert statuses(intruder) == {"login": "bad"}

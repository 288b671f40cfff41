"""Doctor: looks at an installation from where it runs and says what is wrong; `streams/diagnosis.py` knows what it means.

It changes nothing, but for one record of a few bytes on the health topic, whose append time tells the broker's clock.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer

from streams.admin import check_topics
from streams.admin_client import cluster_id, connect, is_mock
from streams.clients import confluent_settings, group_name, topic_name
from streams.diagnosis import VERSIONS, Check, Skew, of_clock, of_key, of_lag, of_refusal, of_topics, of_versions
from streams.key_file import read_key
from streams.positions import committed, watermarks
from streams.stages import STAGES
from tocsin.codec import json_bytes
from tocsin.config import Config, Kafka
from tocsin.errors import BrokerError, ConfigError

PROBE_S = 10.0


def examine(config: Config, env: Mapping[str, str]) -> list[Check]:
    """Returns everything that was looked at, broker first; without a broker only what this machine can tell."""
    here = [check_versions(), check_key(config, env)]
    try:
        with connect(config.kafka) as admin:
            cluster = cluster_id(admin)
        embedded = is_mock(cluster)
        broker = Check(
            "broker", "ok", "the embedded broker" if embedded else f"Kafka at {config.kafka.brokers}, cluster {cluster}"
        )
        # The embedded broker runs on this machine's clock and stamps records with nothing.
        clock = [] if embedded else [check_clock(config.kafka)]
        return [broker, *check_all_topics(config), *check_lags(config), *clock, *here]
    except BrokerError as error:
        return [of_refusal(str(error)), *here]


def check_all_topics(config: Config) -> list[Check]:
    """Returns what is wrong with our topics and with the producers'."""
    return of_topics(check_topics(config, raw=True), [topic.name for topic in config.topic])


def groups(config: Config) -> dict[str, list[str]]:
    """Returns consumer group → the topics it reads, for intake and every stage."""
    ours = [topic_name(config.kafka, key) for key in ("labels", "control")]
    intake = {group_name(config.kafka, "intake"): [*(topic.name for topic in config.topic), *ours]}
    stages = {group_name(config.kafka, name): [topic_name(config.kafka, stage.input)] for name, stage in STAGES.items()}
    return {**intake, **stages}


def check_lags(config: Config) -> list[Check]:
    """Returns how far intake and every stage are behind."""
    return [
        of_lag(group, committed(config.kafka, group, topics), watermarks(config.kafka, topics))
        for group, topics in groups(config).items()
    ]


def check_clock(kafka: Kafka) -> Check:
    """Returns how this machine's clock differs from the broker's."""
    try:
        skew = measure_skew(kafka)
    except BrokerError as error:
        return Check("clock", "warn", f"not measured: {error}", "create the topics; doctor needs to write to the health topic")
    if skew is None:
        return Check("clock", "warn", "not measured: the health topic does not keep append time", "tocsin topics check")
    return of_clock(skew)


def measure_skew(kafka: Kafka) -> Skew | None:
    """Returns our clock minus the broker's; None when the broker does not stamp records with its own time.

    The record was appended between our sending it and our hearing of it: half that span is the error (Cristian 1989).

    Raises:
        BrokerError: the record could not be written.
    """
    reports: list[tuple[KafkaError | None, int, int]] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        reports.append((error, *message.timestamp()))

    topic = topic_name(kafka, "health")
    producer = Producer({**confluent_settings(kafka), "message.timeout.ms": int(PROBE_S * 1000), "log_level": 0})
    try:
        producer.list_topics(topic, timeout=PROBE_S)  # connects, so that connecting is not part of what is measured
        before = time.time() * 1000
        producer.produce(topic, json_bytes({"kind": "doctor"}), key="doctor", partition=0, on_delivery=delivered)
        producer.flush(PROBE_S + 1)
    except KafkaException as error:
        raise BrokerError(f"{topic}: {error.args[0].str()}") from error
    after = time.time() * 1000
    failure, kind, append_ms = reports[0] if reports else (None, 0, 0)
    if not reports or failure is not None:
        raise BrokerError(f"{topic}: {failure.str() if failure else 'no answer'}")
    return Skew((before + after) / 2 - append_ms, (after - before) / 2) if kind == TIMESTAMP_LOG_APPEND_TIME else None


def check_versions() -> Check:
    """Returns whether the packages we lean on are the ones that were proved."""
    return of_versions({name: _version(name) for name in VERSIONS})


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def check_key(config: Config, env: Mapping[str, str]) -> Check:
    """Returns whether the deployment's key is there and private."""
    problem = ""
    try:
        read_key(config, env)
    except ConfigError as error:
        problem = str(error)
    if env.get("TOCSIN_KEY"):
        return of_key("TOCSIN_KEY", None, problem)
    path = Path(config.key_file)
    return of_key(str(path), path.stat().st_mode if path.exists() else None, problem)

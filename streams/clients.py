"""Clients: `[kafka]` as the settings of every client we use — confluent-kafka, aiokafka and Faust.

Pure mappings; nothing here connects. The values were found on a real broker under kills and outages, not chosen by taste:
what each is for is said beside it.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from faust import SASLCredentials, SSLCredentials

from streams.topics import TOPICS
from tocsin.config import Kafka
from tocsin.errors import ConfigError

SESSION_S: Final = 10
"""How long a group waits for a silent member; every client of a group uses the same."""

LOG_ERRORS: Final = 3
"""syslog level of librdkafka: experimental settings print a warning at start otherwise."""


def topic_name(kafka: Kafka, key: str) -> str:
    """Returns the full name of a topic of `streams.topics.TOPICS` on this broker."""
    return kafka.prefix + TOPICS[key].name


def group_name(kafka: Kafka, role: str) -> str:
    """Returns the consumer group of `intake` or of a stage; two Tocsins with different prefixes never share one."""
    return f"{kafka.prefix}tocsin.{role}"


def confluent_settings(kafka: Kafka) -> dict[str, Any]:
    """Returns what every confluent-kafka client needs to connect and log in."""
    settings: dict[str, Any] = {
        "bootstrap.servers": kafka.brokers,
        "security.protocol": kafka.security,
        "log_level": LOG_ERRORS,
        # A broker that was away is noticed within half a second of its return instead of up to ten.
        "reconnect.backoff.max.ms": 500,
    }
    if kafka.security.startswith("SASL"):
        settings |= {
            "sasl.mechanism": kafka.sasl_mechanism,
            "sasl.username": kafka.username,
            "sasl.password": kafka.password,
        }
    if kafka.security.endswith("SSL"):
        files = {
            "ssl.ca.location": kafka.ca_file,
            "ssl.certificate.location": kafka.cert_file,
            "ssl.key.location": kafka.key_file,
        }
        settings |= {name: path for name, path in files.items() if path}
    return settings


def admin_settings(kafka: Kafka) -> dict[str, Any]:
    """Returns the settings of a `confluent_kafka.admin.AdminClient`."""
    return confluent_settings(kafka)


def consumer_settings(kafka: Kafka, group: str, *, reset: str = "error") -> dict[str, Any]:
    """Returns the settings of a confluent-kafka consumer that commits by hand.

    Args:
        kafka: the broker.
        group: consumer group.
        reset: where to begin without a committed offset, or when it is gone; `error` makes a retention gap visible.

    No `group.instance.id`: a static member is fenced by an outage longer than its session and then polls empty for ever.
    """
    return {
        **confluent_settings(kafka),
        "group.id": group,
        "auto.offset.reset": reset,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "session.timeout.ms": SESSION_S * 1000,
        "heartbeat.interval.ms": 1000,
        # After its queue was full librdkafka waits this long before it fetches again; the default second stalls a ledger.
        "fetch.queue.backoff.ms": 5,
        "partition.assignment.strategy": "cooperative-sticky",
    }


def producer_settings(kafka: Kafka) -> dict[str, Any]:
    """Returns the settings of a confluent-kafka producer whose records are in order, without repeats and without holes."""
    return {
        **confluent_settings(kafka),
        "acks": "all",
        "enable.idempotence": True,
        # Without this a refused record leaves a hole and later ones follow; with it the producer stops for good.
        "enable.gapless.guarantee": True,
        # A record that times out would be a hole too: never time out, let the watchdog end the process.
        "message.timeout.ms": 0,
    }


def aiokafka_settings(kafka: Kafka) -> dict[str, Any]:
    """Returns the keyword arguments by which any aiokafka client connects and logs in.

    Raises:
        ConfigError: a certificate file cannot be used.
    """
    settings: dict[str, Any] = {"bootstrap_servers": kafka.brokers.split(","), "security_protocol": kafka.security}
    if kafka.security.startswith("SASL"):
        settings |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password,
        }
    if kafka.security.endswith("SSL"):
        settings["ssl_context"] = ssl_context(kafka)
    return settings


def faust_settings(kafka: Kafka) -> dict[str, Any]:
    """Returns the arguments of `faust.App` that say where the broker is and how to log in.

    Raises:
        ConfigError: a certificate file cannot be used.
    """
    settings: dict[str, Any] = {"broker": [f"kafka://{broker.strip()}" for broker in kafka.brokers.split(",")]}
    context = ssl_context(kafka) if kafka.security.endswith("SSL") else None
    if kafka.security.startswith("SASL"):
        settings["broker_credentials"] = SASLCredentials(
            username=kafka.username, password=kafka.password, ssl_context=context, mechanism=kafka.sasl_mechanism
        )
    elif context is not None:
        settings["broker_credentials"] = SSLCredentials(context)
    return settings


def ssl_context(kafka: Kafka) -> ssl.SSLContext:
    """Returns the TLS context for aiokafka and Faust: server and host name are always verified.

    Raises:
        ConfigError: a certificate file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=kafka.ca_file or None)
        if kafka.cert_file:
            context.load_cert_chain(kafka.cert_file, kafka.key_file or None)
    except OSError as error:
        found = f"ca_file={kafka.ca_file!r}, cert_file={kafka.cert_file!r}, key_file={kafka.key_file!r}"
        raise ConfigError(f"[kafka]: ca_file, cert_file and key_file must be readable PEM files; {found}: {error}") from error
    return context

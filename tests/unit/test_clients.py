"""One `[kafka]` table, three clients: they must connect, log in and verify alike."""

from __future__ import annotations

import ssl

import pytest
from faust import App, SASLCredentials, SSLCredentials

from streams.clients import (
    aiokafka_settings,
    confluent_settings,
    consumer_settings,
    faust_settings,
    group_name,
    producer_settings,
    topic_name,
)
from tocsin.config import Kafka
from tocsin.errors import ConfigError

PLAIN = Kafka(brokers="a:1,b:2")
WORD = "not a real one"
SCRAM = Kafka(brokers="a:1", security="SASL_PLAINTEXT", username="sense", password=WORD, sasl_mechanism="SCRAM-SHA-512")
TLS = Kafka(brokers="a:1", security="SSL")


def test_every_broker_reaches_every_client() -> None:
    assert confluent_settings(PLAIN)["bootstrap.servers"] == "a:1,b:2"
    assert aiokafka_settings(PLAIN)["bootstrap_servers"] == ["a:1", "b:2"]
    app = App("x", **faust_settings(PLAIN))
    assert [str(url) for url in app.conf.broker] == ["kafka://a:1", "kafka://b:2"]


def test_a_login_is_the_same_for_every_client() -> None:
    confluent, aiokafka, faust = (
        confluent_settings(SCRAM),
        aiokafka_settings(SCRAM),
        faust_settings(SCRAM)["broker_credentials"],
    )
    assert isinstance(faust, SASLCredentials)
    seen = [
        (confluent["security.protocol"], confluent["sasl.mechanism"], confluent["sasl.username"], confluent["sasl.password"]),
        (
            aiokafka["security_protocol"],
            aiokafka["sasl_mechanism"],
            aiokafka["sasl_plain_username"],
            aiokafka["sasl_plain_password"],
        ),
        (faust.protocol.value, faust.mechanism.value, faust.username, faust.password),
    ]
    assert seen == [("SASL_PLAINTEXT", "SCRAM-SHA-512", "sense", WORD)] * 3


def test_no_login_is_sent_to_a_broker_that_wants_none() -> None:
    assert not any(name.startswith("sasl") for name in confluent_settings(PLAIN))
    assert not any(name.startswith("sasl") for name in aiokafka_settings(PLAIN))
    assert "broker_credentials" not in faust_settings(PLAIN)


def test_tls_verifies_the_server_and_its_name() -> None:
    context = aiokafka_settings(TLS)["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert isinstance(faust_settings(TLS)["broker_credentials"], SSLCredentials)


def test_sasl_over_tls_keeps_both_for_faust() -> None:
    both = Kafka(brokers="a:1", security="SASL_SSL", username="u", password=WORD)
    credentials = faust_settings(both)["broker_credentials"]
    assert (credentials.protocol.value, credentials.username) == ("SASL_SSL", "u")
    assert isinstance(credentials.ssl_context, ssl.SSLContext)


def test_certificate_files_are_passed_on_only_when_given() -> None:
    given = confluent_settings(Kafka(security="SSL", ca_file="ca.pem", cert_file="me.pem", key_file="me.key"))
    assert given["ssl.ca.location"] == "ca.pem"
    assert (given["ssl.certificate.location"], given["ssl.key.location"]) == ("me.pem", "me.key")
    assert not any(name.startswith("ssl.") for name in confluent_settings(TLS))


def test_an_unreadable_certificate_names_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"\[kafka\]: ca_file.*absent\.pem"):
        aiokafka_settings(Kafka(security="SSL", ca_file="absent.pem"))


def test_the_producer_leaves_no_hole_and_the_consumer_commits_by_hand() -> None:
    producer, consumer = producer_settings(PLAIN), consumer_settings(PLAIN, "g")
    assert (producer["acks"], producer["enable.idempotence"], producer["message.timeout.ms"]) == ("all", True, 0)
    assert producer["enable.gapless.guarantee"] is True
    assert (consumer["enable.auto.commit"], consumer["auto.offset.reset"]) == (False, "error")
    assert "group.instance.id" not in consumer


def test_a_prefix_separates_topics_and_groups() -> None:
    mine, yours = Kafka(prefix="a."), Kafka(prefix="b.")
    assert topic_name(mine, "frames") == "a.tocsin.frames.v1"
    assert group_name(mine, "sense") != group_name(yours, "sense")

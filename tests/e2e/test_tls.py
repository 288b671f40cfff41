"""TLS on a real broker: every client verifies who answers, and refuses a stranger."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from streams.admin import create_topic
from streams.brokers.local import LocalKafka
from streams.clients import aiokafka_settings
from streams.positions import Ends, watermarks
from tests.e2e.conftest import require_kafka
from tocsin.config import Kafka
from tocsin.errors import BrokerError

pytestmark = pytest.mark.kafka

WORD = "not a real one"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Returns a key store and the certificate in it, self-signed for 127.0.0.1."""
    store, pem = folder / f"{name}.p12", folder / f"{name}.pem"
    common = ["keytool", "-keystore", str(store), "-storepass", WORD, "-alias", name]
    make = ["-genkeypair", "-keyalg", "EC", "-dname", f"CN={name}", "-ext", "san=ip:127.0.0.1", "-storetype", "PKCS12"]
    subprocess.run([*common, *make], check=True, capture_output=True)
    subprocess.run([*common, "-exportcert", "-rfc", "-file", str(pem)], check=True, capture_output=True)
    return store, pem


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """The `[kafka]` table of a broker that speaks TLS only."""
    require_kafka()
    folder = tmp_path_factory.mktemp("tls")
    store, pem = certificate(folder, "broker")
    broker = LocalKafka(
        folder / "kafka",
        properties={
            "listener.security.protocol.map": "CLIENT:SSL,CONTROLLER:PLAINTEXT",
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(store),
            "ssl.keystore.password": WORD,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(pem),
        },
    )
    broker.kafka = msgspec.structs.replace(broker.kafka, security="SSL", ca_file=str(pem))
    with broker:
        yield broker.kafka


async def send(kafka: Kafka, topic: str) -> None:
    producer = AIOKafkaProducer(**aiokafka_settings(kafka))
    try:
        # Not `async with`: a start that fails would leave its connection open.
        await producer.start()
        await producer.send_and_wait(topic, b"x", partition=0)
    finally:
        await producer.stop()


def test_both_clients_work_over_tls(tls: Kafka) -> None:
    create_topic(tls, "both", 1)
    asyncio.run(asyncio.wait_for(send(tls, "both"), 20))
    assert watermarks(tls, ["both"]) == {("both", 0): Ends(0, 1)}


def test_a_broker_with_a_strangers_certificate_is_refused_by_both_clients(tls: Kafka, tmp_path: Path, impatient: None) -> None:
    strangers = msgspec.structs.replace(tls, ca_file=str(certificate(tmp_path, "stranger")[1]))
    with pytest.raises(BrokerError, match="certificate verify failed"):
        watermarks(strangers, ["both"])
    with pytest.raises(KafkaConnectionError):
        asyncio.run(asyncio.wait_for(send(strangers, "both"), 20))

"""A local Apache Kafka: one node, KRaft mode, for tests that must be true and for `tocsin broker kafka`.

The broker keeps its ports and data directory over stop, kill and restart, so that clients find it again. It does not
outlive its parent (`streams/lifeline.py`): a killed test run leaves no 300 MB Java process behind.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.brokers.jars import class_path
from streams.clients import admin_settings
from streams.lifeline import tied
from tocsin.config import Kafka
from tocsin.errors import BrokerError, ConfigError

ADMIN: Final = "admin"
READY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0

# Fast to start on two cores; the notes measured 2-3 s with these and 4.5-5 s without.
JVM: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

PROPERTIES: Final[dict[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A restart after kill -9 waits for the old session: 6-8 s with these, 12-15 s without.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.retention.check.interval.ms": "10000",
    "log.cleaner.backoff.ms": "1000",
}

SECURE: Final[dict[str, str]] = {
    "sasl.enabled.mechanisms": "SCRAM-SHA-256",
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-256",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # The controller listens on loopback without a login; everything else must log in, so ANONYMOUS is only the node itself.
    "super.users": f"User:{ADMIN};User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "false",
}


class LocalKafka:
    """A broker process; as a context manager it starts on entry and is gone on exit.

    Attributes:
        home: data, settings and log; a temporary directory unless given, then removed on exit.
        kafka: how to reach it (as administrator, when it is secure).
        log: what the broker printed.
    """

    def __init__(
        self, home: Path | None = None, *, port: int = 0, secure: bool = False, properties: Mapping[str, str] | None = None
    ) -> None:
        """Prepares a broker; `secure` turns on SCRAM-SHA-256 and ACLs, `properties` override everything."""
        self._temporary = home is None
        self.home = Path(tempfile.mkdtemp(prefix="tocsin-kafka-")) if home is None else home
        self.log = self.home / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = (port or free_port(), free_port())
        self._properties = {**PROPERTIES, **(SECURE if secure else {}), **(properties or {})}
        self._password = secrets.token_hex(16) if secure else ""
        self.kafka = self.login(ADMIN, self._password) if secure else Kafka(brokers=self.bootstrap)

    @property
    def bootstrap(self) -> str:
        """The address that clients connect to."""
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def alive(self) -> bool:
        """Whether our own process runs; somebody else's broker on the port does not count."""
        return self._process is not None and self._process.poll() is None

    def login(self, username: str, password: str) -> Kafka:
        """Returns the `[kafka]` table of a user of this broker."""
        return Kafka(brokers=self.bootstrap, security="SASL_PLAINTEXT", username=username, password=password)

    def start(self) -> None:
        """Starts the broker on its data directory, formatting it first when it is new; returns when it answers.

        Raises:
            ConfigError: Java or Maven is missing, or the data directory belongs to another kind of broker.
            BrokerError: the broker ended, or did not answer in time.
        """
        if self.alive:
            return
        classes = class_path()
        settings = self._write_settings()
        if not (self.home / "data" / "meta.properties").exists():
            self._format(classes, settings)
        command = tied(["java", *JVM, "-cp", classes, "kafka.Kafka", str(settings)], "KILL")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            self._wait_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ends the broker in good order; kills it when that takes more than 20 s."""
        if self._process is not None and self.alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """Ends the broker with kill -9; its data directory stays as it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        """Starts the broker."""
        try:
            self.start()
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the broker; data that nobody will read again needs no orderly shutdown."""
        if self._temporary:
            self.kill()
        else:
            self.stop()
        self._clean()

    def _clean(self) -> None:
        if self._temporary:
            shutil.rmtree(self.home, ignore_errors=True)

    def _write_settings(self) -> Path:
        client, controller = self._ports
        protocol = "SASL_PLAINTEXT" if self._password else "PLAINTEXT"
        values = {
            "log.dirs": str(self.home / "data"),
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{client}",
            "listener.security.protocol.map": f"CLIENT:{protocol},CONTROLLER:PLAINTEXT",
            **self._properties,
        }
        if self._password:
            values["listener.name.client.scram-sha-256.sasl.jaas.config"] = (
                "org.apache.kafka.common.security.scram.ScramLoginModule required "
                f'username="{ADMIN}" password="{self._password}";'
            )
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / "server.properties"
        path.touch(mode=0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        return path

    def _format(self, classes: str, settings: Path) -> None:
        command = ["java", *JVM, "-cp", classes, "kafka.tools.StorageTool", "format", "-c", str(settings)]
        command += ["-t", str(uuid.uuid4())]
        if self._password:
            command += ["--add-scram", f"SCRAM-SHA-256=[name={ADMIN},password={self._password}]"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()[-600:]
            raise ConfigError(f"local Kafka: {self.home} must be a new or a Kafka data directory; formatting it said: {said}")

    def _wait_ready(self) -> None:
        # Somebody else's broker on our port would answer as well, before our own process has ended for want of the port.
        meta = (self.home / "data" / "meta.properties").read_text().splitlines()
        own = next(line.partition("=")[2] for line in meta if line.startswith("cluster.id="))
        client = AdminClient({**admin_settings(self.kafka), "log_level": 0, "reconnect.backoff.max.ms": 100})
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            if self._process is None or self._process.poll() is not None:
                said = self.log.read_text(errors="replace")[-600:].strip()
                raise BrokerError(f"local Kafka on {self.bootstrap} ended while starting (is the port taken?): {said}")
            with contextlib.suppress(KafkaException):
                if client.list_topics(timeout=1).cluster_id == own:
                    return
            if time.monotonic() > deadline:
                raise BrokerError(f"local Kafka on {self.bootstrap} must answer within {READY_TIMEOUT_S:.0f} s; see {self.log}")
            time.sleep(0.05)


def free_port() -> int:
    """Returns a free loopback port below the ephemeral range.

    An ephemeral port could be taken by any outgoing connection while the broker restarts; a client that keeps trying to
    reconnect could even connect to itself.
    """
    choice = secrets.SystemRandom()
    for _ in range(100):
        port = choice.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise BrokerError("local Kafka: none of 100 ports tried between 20000 and 32000 is free")

"""Processes: the broker, the configuration and the real `tocsin run`, alive between entry and exit."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.admin import wanted_topics
from streams.brokers.embedded import EmbeddedBroker
from streams.brokers.local import free_port
from streams.config_file import load
from streams.demo.show import TOPIC
from streams.doctor import groups
from streams.key_file import read_key, write_key
from streams.lifeline import tied
from tocsin.config import Config, Kafka, RawTopic
from tocsin.errors import BrokerError

READY_S: Final = 60.0
STOP_S: Final = 25.0
CHECK_S: Final = 1.0
"""Between two looks at whether the broker still has what must be read."""

SETTINGS: Final = """\
clock = "event"
key_file = "tocsin.key"
data_dir = "data"

[kafka]
brokers = "{brokers}"

[http]
intake_port = {intake_port}
worker_port = {worker_port}
curator_port = -1

[[topic]]
name = "{topic}"
format = "canonical"
"""


class Processes:
    """Everything that runs beside the demo itself.

    Attributes:
        kafka: how to reach the broker.
        log: what the processes said.
    """

    def __init__(self) -> None:
        """Prepares; entering the context starts."""
        self._home = tempfile.TemporaryDirectory(prefix="tocsin-demo-")
        self._ports = (free_port(), free_port())
        self._broker = EmbeddedBroker(_topics())
        self._process: subprocess.Popen[bytes] | None = None
        self._checked = time.monotonic()
        self.log = Path(self._home.name) / "tocsin.log"

    @property
    def kafka(self) -> Kafka:
        """How to reach the broker."""
        return self._broker.kafka

    @property
    def config(self) -> Config:
        """The configuration that `tocsin run` reads."""
        return load(Path(self._home.name) / "tocsin.toml", {})

    @property
    def key(self) -> bytes:
        """The deployment's key."""
        return read_key(self.config, {})

    def __enter__(self) -> Self:
        """Starts the broker and `tocsin run`; returns when both processes are ready.

        Raises:
            BrokerError: they did not become ready; the message ends with what they said last.
        """
        try:
            self._broker.__enter__()
            self._process = self._start()
            self._wait_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends everything and removes its files."""
        self._end()

    def check(self) -> None:
        """Refuses to go on without Tocsin, or with a broker that has dropped what Tocsin must still read.

        Raises:
            BrokerError: `tocsin run` has ended; the message says what it said last.
            HoleError: a reader fell behind what the embedded broker keeps; looked for once a second.
        """
        if self._process is None or self._process.poll() is not None:
            raise BrokerError(f"demo: `tocsin run` must keep running; it ended: {self._last_words()}")
        if time.monotonic() - self._checked >= CHECK_S:
            self._checked = time.monotonic()
            self._broker.check(groups(Config(kafka=self.kafka, topic=(RawTopic(TOPIC),))))

    def _start(self) -> subprocess.Popen[bytes]:
        home = Path(self._home.name)
        intake_port, worker_port = self._ports
        settings = {"brokers": self.kafka.brokers, "intake_port": intake_port, "worker_port": worker_port, "topic": TOPIC}
        (home / "tocsin.toml").write_text(SETTINGS.format(**settings))
        write_key(home / "tocsin.key")
        command = [sys.executable, "-P", "-m", "streams.cli", "run", "--config", str(home / "tocsin.toml")]
        with self.log.open("wb") as log:
            return subprocess.Popen(tied(command, "TERM"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not all(_is_ready(port) for port in self._ports):
            self.check()
            if time.monotonic() > deadline:
                raise BrokerError(f"demo: intake and worker must be ready within {READY_S:.0f} s: {self._last_words()}")
            time.sleep(0.2)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-1500:].strip()
        return "nothing"

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._broker.__exit__(None, None, None)
        self._home.cleanup()


def _topics() -> dict[str, int]:
    # One raw partition: a day a minute makes a second of waiting 24 minutes, and partitions must not drift apart by that.
    config = Config(topic=(RawTopic(TOPIC),))
    return {topic.name: topic.partitions for topic in wanted_topics(config)} | {TOPIC: 1}


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(json.load(answer)["ready"])
    except (OSError, ValueError):
        return False

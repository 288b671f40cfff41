"""Health: what a process says about itself — on /livez and /readyz, and every ten seconds on the health topic.

*Live* means that the main loop turned lately; a process that is not live is restarted. *Ready* means that it does its work:
every condition it named holds. A rebalance or a restore is live and not ready, so nobody kills a process that recovers.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaException, Producer

from streams.clients import confluent_settings, topic_name
from tocsin import __version__
from tocsin.codec import json_bytes
from tocsin.config import Config

HEARTBEAT_S: Final = 10.0
STALE_S: Final = 30.0
"""A main loop that has not turned for this long is stuck; the longest pause of a healthy one is a restore, which beats too."""


class Health:
    """One process's account of itself; written by its main loop, read by the HTTP thread.

    Attributes:
        role: `intake` or `worker`.
        instance: name of this process in the deployment.
    """

    def __init__(self, role: str, instance: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Starts live, and not ready until the main loop has turned once and every condition named holds."""
        self.role = role
        self.instance = instance
        self._monotonic = monotonic
        self._started = self._beat = monotonic()
        self._turned = False
        self._conditions: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Notes that the main loop turned."""
        self._beat = self._monotonic()
        self._turned = True

    def condition(self, name: str, problem: str) -> None:
        """States a condition of being ready; an empty `problem` means that it holds."""
        with self._lock:
            self._conditions[name] = problem

    def note(self, name: str, text: str) -> None:
        """States something worth knowing that is no problem; "" takes it back."""
        with self._lock:
            self._notes[name] = text

    def notes(self) -> dict[str, str]:
        """Returns name → what is worth knowing."""
        with self._lock:
            return {name: text for name, text in sorted(self._notes.items()) if text}

    def count(self, name: str, amount: int = 1) -> None:
        """Adds to a number that heartbeats carry, such as `events`."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + amount

    def live(self) -> str:
        """Returns why the process should be restarted, "" when it need not be."""
        age = self._monotonic() - self._beat
        return f"the main loop has not turned for {age:.0f} s (at most {STALE_S:.0f})" if age > STALE_S else ""

    def unready(self) -> dict[str, str]:
        """Returns condition → problem for everything that does not hold; empty when the process is ready."""
        with self._lock:
            found = {name: problem for name, problem in sorted(self._conditions.items()) if problem}
        if not self._turned:
            found["start"] = "the main loop has not turned yet"
        if stuck := self.live():
            found["live"] = stuck
        return found

    def heartbeat(self, at_ms: int) -> bytes:
        """Returns the record for the health topic at a time in Unix milliseconds.

        `kind` (heartbeat), `source` (role/instance) and `time` are as in every record there (alerts/health.py); then
        `version` and `pid` of the process, `uptime_s`, `ready`, `problems` (condition → what is wrong), and `counts`
        since the start.
        """
        with self._lock:
            counts = dict(self._counts)
        problems = self.unready()
        return json_bytes(
            {
                "kind": "heartbeat",
                "source": f"{self.role}/{self.instance}",
                "time": at_ms,
                "version": __version__,
                "pid": os.getpid(),
                "uptime_s": int(self._monotonic() - self._started),
                "ready": not problems,
                "problems": problems,
                "counts": counts,
            }
        )


def send_heartbeats(config: Config, health: Health, stop: threading.Event) -> None:
    """Sends a heartbeat at once and then every ten seconds until `stop` is set; a broker that is away costs the beat, no more.

    Runs in a thread of its own with a producer of its own: the ledger's producer never times out, this one must not pile up.
    """
    settings = {"message.timeout.ms": 5000, "queue.buffering.max.messages": 10, "log_level": 0}
    producer = Producer({**confluent_settings(config.kafka), **settings})
    topic = topic_name(config.kafka, "health")
    while True:
        try:
            record = health.heartbeat(time.time_ns() // 1_000_000)
            producer.produce(topic, record, key=f"{health.role}/{health.instance}", partition=0)
        except (BufferError, KafkaException):
            health.count("heartbeats_lost")
        producer.poll(0)
        if stop.wait(HEARTBEAT_S):
            break
    producer.flush(2)

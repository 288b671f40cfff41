"""Merge: proposals, people's statements and the inventory into one order, `tocsin.decisions.v1`, with a tick now and then.

At least once: what is read is committed only after Kafka acknowledged its decision. A repeated decision has the same uid, which
counts once, so two mergers, or one that was killed between the two, change nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from alerts.containment import Decision
from streams.clients import confluent_settings, group_name, topic_name
from tocsin.codec import pack
from tocsin.config import Config
from tocsin.errors import BrokerError
from tocsin.ids import uid

KINDS: Final = {"proposals": "proposal", "approvals": "statement", "control": "control"}
"""Topic key → what its records are."""
POLL_S: Final = 0.1
BATCH: Final = 100
TICK_S: Final = 5.0
"""Measures end this much late in what enforcement says; actuators end them by themselves."""
SEND_S: Final = 30.0


class Merger:
    """One merger.

    Args:
        config: of the deployment.
        now_ms: the clock.
    """

    def __init__(self, config: Config, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._kinds = {topic_name(config.kafka, key): kind for key, kind in KINDS.items()}
        self._decisions = topic_name(config.kafka, "decisions")
        self._where = config.kafka.brokers
        settings = {"group.id": group_name(config.kafka, "command-merge"), "enable.auto.commit": False}
        reading = {**settings, "auto.offset.reset": "earliest", "log_level": 0}
        self._consumer: Any = Consumer({**confluent_settings(config.kafka), **reading})
        self._consumer.subscribe(list(self._kinds))
        writing = {"enable.idempotence": True, "message.timeout.ms": int(SEND_S * 1000), "linger.ms": 0, "log_level": 0}
        self._producer = Producer({**confluent_settings(config.kafka), **writing})
        self._ticked = 0.0

    def run(self, stop: threading.Event) -> None:
        """Merges until told to stop.

        Raises:
            BrokerError: Kafka refuses, or did not take a decision; nothing was committed that it did not.
        """
        try:
            while not stop.is_set():
                self.turn()
        finally:
            self._consumer.close()

    def turn(self) -> None:
        """One round: what has come, and a tick when it is time for one."""
        messages = [message for message in self._consumer.consume(BATCH, POLL_S) if self._is_record(message)]
        decisions = [self._decision(message) for message in messages]
        if time.monotonic() >= self._ticked + TICK_S:
            self._ticked = time.monotonic()
            now = self._now_ms()
            decisions.append(Decision(uid("tick", now), now, "tick", b""))
        self._write(decisions)
        if messages:
            self._consumer.commit(asynchronous=False)

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART) or error.fatal():
            raise BrokerError(f"Kafka at {self._where}: command cannot read: {error.str()}")
        return False

    def _decision(self, message: Message) -> Decision:
        kind = self._kinds[message.topic() or ""]
        name = uid("decision", message.topic(), message.partition(), message.offset())
        return Decision(name, self._now_ms(), kind, message.value() or b"")

    def _write(self, decisions: list[Decision]) -> None:
        failed: list[str] = []
        try:
            for decision in decisions:
                self._producer.produce(
                    self._decisions,
                    pack(decision),
                    partition=0,
                    on_delivery=lambda error, _message: failed.append(error.str()) if error else None,
                )
            left = self._producer.flush(SEND_S)
        except KafkaException as error:
            raise BrokerError(f"Kafka at {self._where}: {self._decisions}: {error.args[0].str()}") from error
        if failed or left:
            raise BrokerError(f"Kafka at {self._where}: {self._decisions}: a decision was not taken: {failed or left}")

"""Merge: proposals, people's statements and the inventory into one order, `tocsin.decisions.v1`, with a tick now and then.

At least once: what is read is committed only after Kafka acknowledged its decision. A repeated decision has the same uid, which
counts once, so two mergers, or one that was killed between the two, change nothing. Topics have no order among each other, so
people are heard first: no proposal is passed on before everything that people had said by then, or a brake that was put on
during an outage would come after what it was to stop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from alerts.containment import Decision
from streams.clients import confluent_settings, group_name, topic_name
from streams.topics import TOPICS
from tocsin.codec import pack
from tocsin.config import Config, Kafka
from tocsin.errors import BrokerError
from tocsin.ids import uid

PEOPLE: Final = {"approvals": "statement", "control": "control"}
MACHINES: Final = {"proposals": "proposal"}
"""Topic key → what its records are."""
POLL_S: Final = 0.05
BATCH: Final = 100
TICK_S: Final = 5.0
"""Measures end this much late in what enforcement says; actuators end them by themselves."""
SEND_S: Final = 30.0

_REFUSED: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


class Source:
    """Some topics, read from where the last merger committed, every partition of them: a second merger reads the same."""

    def __init__(self, kafka: Kafka, kinds: dict[str, str]) -> None:
        self._kinds = {topic_name(kafka, key): kind for key, kind in kinds.items()}
        self._where = kafka.brokers
        reading = {"group.id": group_name(kafka, "command-merge"), "enable.auto.commit": False, "enable.partition.eof": True}
        self._consumer: Any = Consumer(
            {**confluent_settings(kafka), **reading, "auto.offset.reset": "earliest", "log_level": 0}
        )
        places = [(topic_name(kafka, key), number) for key in kinds for number in range(int(TOPICS[key].partitions))]
        self._consumer.assign([TopicPartition(topic, number) for topic, number in places])
        self._unread = set(places)

    @property
    def is_read(self) -> bool:
        """Returns whether the end of every partition was reached at least once."""
        return not self._unread

    def take(self) -> list[tuple[str, Message]]:
        """Returns what has come: (kind, message), by append time.

        Raises:
            BrokerError: Kafka refuses.
        """
        found: list[tuple[str, Message]] = []
        for message in self._consumer.consume(BATCH, POLL_S):
            error = message.error()
            if error is None:
                found.append((self._kinds[message.topic()], message))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                self._unread.discard((message.topic(), message.partition()))
            elif error.code() in _REFUSED or error.fatal():
                raise BrokerError(f"Kafka at {self._where}: command cannot read: {error.str()}")
        return sorted(found, key=lambda one: one[1].timestamp()[1])

    def commit(self) -> None:
        """Commits everything taken."""
        self._consumer.commit(asynchronous=False)

    def close(self) -> None:
        """Lets go."""
        self._consumer.close()


class Merger:
    """One merger.

    Args:
        config: of the deployment.
        now_ms: the clock.
    """

    def __init__(self, config: Config, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._decisions = topic_name(config.kafka, "decisions")
        self._where = config.kafka.brokers
        self._people, self._machines = Source(config.kafka, PEOPLE), Source(config.kafka, MACHINES)
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
            self._people.close()
            self._machines.close()

    def turn(self) -> None:
        """One round: what people say, then what machines propose, and a tick when it is time for one."""
        self._pass_on(self._people)
        if self._people.is_read:
            self._pass_on(self._machines)
        if time.monotonic() >= self._ticked + TICK_S:
            self._ticked = time.monotonic()
            now = self._now_ms()
            self._write([Decision(uid("tick", now), now, "tick", b"")])

    def _pass_on(self, source: Source) -> None:
        taken = source.take()
        if taken:
            self._write([self._decision(kind, message) for kind, message in taken])
            source.commit()

    def _decision(self, kind: str, message: Message) -> Decision:
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

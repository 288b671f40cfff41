"""Topic watch: has a topic been deleted and created again under its name? Asked in the background, every few seconds."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streams.clients import admin_settings
from tocsin.config import Kafka

EVERY_S: Final = 3.0


class TopicWatch:
    """Compares the ids of topics with those that the broker tells."""

    def __init__(self, kafka: Kafka) -> None:
        """Asks nothing yet."""
        self._admin = AdminClient({**admin_settings(kafka), "log_level": 0})
        self._asked: dict[str, Future[Any]] = {}
        self._next = 0.0

    def hurry(self) -> None:
        """Asks at the next opportunity."""
        self._next = 0.0

    def changed(self, known: dict[str, str]) -> bool:
        """Returns whether the last answer shows another id for one of these topics; a topic that is gone is not another.

        Args:
            known: topic → id, as it was when we began to read it. A mock cluster's ids (`cluster/name`) are never asked for.
        """
        real = [topic for topic, topic_id in sorted(known.items()) if "/" not in topic_id]
        if self._asked and all(future.done() for future in self._asked.values()):
            answers, self._asked = self._asked, {}
            return any(topic in known and _id(future) not in {None, known[topic]} for topic, future in answers.items())
        if real and not self._asked and time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_S
            self._asked = self._admin.describe_topics(TopicCollection(real))
        return False


def _id(future: Future[Any]) -> str | None:
    try:
        return str(future.result().topic_id)
    except KafkaException:
        return None

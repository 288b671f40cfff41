"""Placing: one record of a person's, written durably while they wait."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaException, Producer

from streams.clients import producer_settings, topic_name
from tocsin.config import Kafka
from tocsin.errors import BrokerError

SEND_S: Final = 10.0


def place(kafka: Kafka, topic_key: str, value: bytes, key: bytes | None = None) -> int:
    """Writes a record to partition 0 of a topic of ours and returns its offset.

    Raises:
        BrokerError: it was not acknowledged within ten seconds.
    """
    topic = topic_name(kafka, topic_key)
    placed: list[int] = []
    failed: list[str] = []
    # A person waits: unlike the ledger's producer this one gives up, and says so.
    producer = Producer({**producer_settings(kafka), "message.timeout.ms": int(SEND_S * 1000), "log_level": 0})
    try:
        producer.produce(
            topic,
            value,
            key=key,
            partition=0,
            on_delivery=lambda error, message: failed.append(error.str()) if error else placed.append(message.offset() or 0),
        )
        producer.flush(SEND_S + 1)
    except KafkaException as error:
        failed.append(error.args[0].str())
    if not placed:
        producer.purge()
        raise BrokerError(f"Kafka at {kafka.brokers}: {topic}: it was not taken: {', '.join(failed) or 'no answer'}")
    return placed[0]

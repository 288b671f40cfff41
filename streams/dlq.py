"""Dead letters, afterwards: list them, and give what they were about to intake again once the cause is mended.

A letter holds no more than the beginning of a record, so the original is fetched again by its coordinates, as long as Kafka
keeps it. A refused row of a batch goes back alone: its neighbours are in the ledger already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from streams.admin import topic_ids
from streams.clients import consumer_settings, producer_settings, topic_name
from streams.intake.core import raw_topics
from streams.intake.dead_letters import DeadLetter, letter_of
from streams.intake.decode import rows_in
from streams.scan import scan
from tocsin.codec import json_bytes
from tocsin.config import Config
from tocsin.errors import BrokerError, ConfigError, RejectError

FETCH_S: Final = 10.0
SEND_S: Final = 30.0
REPLAYED: Final = "tocsin-replayed"
"""Header of a record that went back, holding the coordinates it came from; intake does not look at it."""

Choice = Callable[[DeadLetter], bool]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of the letters chosen.

    Attributes:
        sent: letters whose original is on its raw topic again.
        gone: letters whose original Kafka no longer has.
    """

    sent: tuple[DeadLetter, ...]
    gone: tuple[DeadLetter, ...]


def list_dead_letters(config: Config, chosen: Choice = lambda _: True) -> list[DeadLetter]:
    """Returns the letters chosen, by append time and coordinates; a refusal that was written twice is listed once.

    Raises:
        BrokerError: the topic cannot be read.
    """
    found: dict[str, DeadLetter] = {}
    for message in scan(config.kafka, topic_name(config.kafka, "dead_letters")):
        try:
            letter = letter_of(message.value() or b"")
        except RejectError:
            continue
        found[letter.key] = letter
    return sorted(filter(chosen, found.values()), key=lambda letter: (letter.ts, letter.topic, letter.partition, letter.offset))


def replay_dead_letters(config: Config, chosen: Choice = lambda _: True) -> Replayed:
    """Sends the originals of the letters chosen to their raw topic and partition again; returns when they are acknowledged.

    Raises:
        BrokerError: Kafka cannot be reached, or did not acknowledge in time.
        ConfigError: a letter's topic is no longer in the configuration.
    """
    letters = list_dead_letters(config, chosen)
    known = raw_topics(config)
    if unknown := sorted({letter.topic for letter in letters} - known.keys()):
        raise ConfigError(f"dead letters: their topics must be in the configuration; {', '.join(unknown)} are not")
    originals = list(_originals(config, letters))
    _produce(config, [(letter, value) for letter, value in originals if value is not None])
    return Replayed(
        tuple(letter for letter, value in originals if value is not None),
        tuple(letter for letter, value in originals if value is None),
    )


def _originals(config: Config, letters: Sequence[DeadLetter]) -> Iterator[tuple[DeadLetter, bytes | None]]:
    """Yields each letter with what must go back, None when Kafka has it no longer."""
    present = topic_ids(config.kafka, sorted({letter.topic for letter in letters}))
    consumer = Consumer(consumer_settings(config.kafka, "tocsin-dlq", reset="error"))
    try:
        for letter in letters:
            same = present.get(letter.topic) == letter.topic_id
            value = _fetched(consumer, letter) if same else None
            if value is None or hashlib.sha256(value).hexdigest() != letter.sha256:
                yield letter, None
            else:
                yield letter, value if letter.row is None else _row(value, letter.row)
    except KafkaException as error:
        raise BrokerError(f"Kafka at {config.kafka.brokers}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _fetched(consumer: Consumer, letter: DeadLetter) -> bytes | None:
    place = TopicPartition(letter.topic, letter.partition, letter.offset)
    first, end = consumer.get_watermark_offsets(place, timeout=FETCH_S)
    if not first <= letter.offset < end:
        return None
    consumer.assign([place])
    message: Any = consumer.poll(FETCH_S)
    if message is None or message.error() is not None or message.offset() != letter.offset:
        return None
    return message.value() or b""


def _row(value: bytes, row: int) -> bytes:
    """Returns one row of a batch as a record of its own."""
    return json_bytes(rows_in(value)[row])


def _produce(config: Config, originals: Sequence[tuple[DeadLetter, bytes]]) -> None:
    refused: list[str] = []
    producer = Producer({**producer_settings(config.kafka), "message.timeout.ms": int(SEND_S * 1000)})
    for letter, value in originals:
        producer.produce(
            letter.topic,
            value=value,
            partition=letter.partition,
            headers=[(REPLAYED, letter.key.encode())],
            on_delivery=lambda error, _: refused.append(error.str()) if error else None,
        )
        producer.poll(0)
    if producer.flush(SEND_S) or refused:
        raise BrokerError(f"Kafka at {config.kafka.brokers}: replay: not every record was acknowledged: {refused[:1]}")

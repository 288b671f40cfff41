"""Writer: frames and dead letters to Kafka, in order, without repeats and without holes — or the process ends.

The producer never gives up on a record and never skips one (`streams.clients.producer_settings`). An error that it reports all
the same is beyond repair from inside: `os._exit`, because a graceful end would commit offsets.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from streams.clients import producer_settings, topic_name
from streams.intake.acks import Acks, Epoch
from streams.intake.dead_letters import dead_letter, send_of
from streams.intake.hooks import Hooks
from streams.intake.record import Rejected
from streams.stage.machine import Send
from tocsin.config import Kafka
from tocsin.errors import BrokerError, Exit
from tocsin.event import Source
from tocsin.frame import Frame, encode_frame

MAX_QUEUED: Final = 64
"""Unacknowledged records above which raw partitions are paused: at most 32 MiB of frames."""


class Writer:
    """The producing half of intake."""

    def __init__(self, kafka: Kafka, acks: Acks[Source], hooks: Hooks) -> None:
        """Connects in the background."""
        self._kafka = kafka
        self._acks = acks
        self._hooks = hooks
        self._producer = Producer({**producer_settings(kafka), "linger.ms": 2, "error_cb": _end_if_fatal})

    @property
    def full(self) -> bool:
        """Returns whether so much is unacknowledged that reading must wait."""
        return len(self._producer) >= MAX_QUEUED

    def frame(self, shard: int, frame: Frame) -> None:
        """Sends a frame to its shard."""
        value = encode_frame(frame)
        self._send(Send("frames", shard, b"", value), shard)
        for block in frame.blocks:
            self._hooks.framed(block.kind, block.model, block.rows)

    def dead_letter(self, rejected: Rejected) -> None:
        """Sends a refusal."""
        self._send(send_of(dead_letter(rejected)), None)
        self._hooks.rejected(rejected.source.topic, rejected.reason)

    def send(self, send: Send) -> None:
        """Sends anything else, such as a health record."""
        self._send(send, None)

    def _send(self, send: Send, shard: int | None) -> None:
        report = partial(self._delivered, self._acks.sent(), shard, len(send.value))
        topic = topic_name(self._kafka, send.topic)
        while True:
            try:
                self._producer.produce(
                    topic,
                    value=send.value,
                    key=send.key or None,
                    partition=send.partition,
                    headers=list(send.headers),
                    on_delivery=report,
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _delivered(self, epoch: Epoch[Source], shard: int | None, size: int, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            _end(f"a record was not delivered: {error}")
        self._acks.acknowledged(epoch)
        if shard is not None:
            self._hooks.delivered(shard, size)

    def poll(self) -> None:
        """Takes note of what was acknowledged."""
        self._producer.poll(0)

    def drain(self, timeout_s: float) -> None:
        """Returns when everything is acknowledged.

        Raises:
            BrokerError: it is not, after so many seconds.
        """
        deadline = time.monotonic() + timeout_s
        while left := self._producer.flush(0.5):
            if time.monotonic() > deadline:
                raise BrokerError(f"every frame must be acknowledged within {timeout_s:.0f} s; {left} are not")


def _end_if_fatal(error: KafkaError) -> None:
    if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - the client's name for it
        _end(f"the producer cannot go on: {error}")


def _end(why: str) -> None:
    sys.stderr.write(f"tocsin intake: {why}\n")
    sys.stderr.flush()
    os._exit(Exit.UNDELIVERED)

"""Watch: asks the broker, from outside of the framework, how far each partition is behind.

Faust's consumers are known to fall silent without an error: fenced, stuck in a rebalance, or polling nothing. The broker's
own watermark is the only witness, so a consumer of ours asks for it. Records waiting and no progress for `stall_s` means
that this process is dead and does not know it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.clients import consumer_settings
from tocsin.config import Kafka

TIMEOUT_S: Final = 5.0


def ends_of(kafka: Kafka, topic: str, partitions: list[int]) -> dict[int, int]:
    """Returns partition → the offset its next record will get; partitions whose leader does not answer are left out.

    Blocking; runs in an executor.
    """
    consumer = Consumer(consumer_settings(kafka, "tocsin-watch", reset="earliest"))
    found = {}
    try:
        for partition in partitions:
            try:
                found[partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)[1]
            except KafkaException:
                break  # an outage is not a stall
    finally:
        consumer.close()
    return found


class Stall:
    """Tells a partition that is busy from one that is stuck."""

    def __init__(self, patience_s: float) -> None:
        """Starts without suspicion.

        Args:
            patience_s: how long a partition may have records waiting and apply none.
        """
        self._patience_s = patience_s
        self._since: dict[Hashable, tuple[int, float]] = {}

    def stuck(self, partition: Hashable, applied: int, end: int, now: float) -> float:
        """Returns for how many seconds the partition has been stuck, 0.0 unless that is longer than the patience.

        Args:
            partition: which one, by any name.
            applied: its highest applied offset.
            end: the offset that its next record will get.
            now: seconds of any steady clock.
        """
        if applied + 1 >= end:
            self._since.pop(partition, None)
            return 0.0
        seen, since = self._since.get(partition, (-2, now))
        if seen != applied:
            since = now
        self._since[partition] = (applied, since)
        return now - since if now - since > self._patience_s else 0.0

"""A fenced member is known by its code from a commit, and by librdkafka's words from a poll; nothing else is taken for it."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from streams.intake.fatal import is_fenced


@pytest.mark.parametrize(
    ("error", "fenced"),
    [
        (KafkaError(KafkaError.FENCED_INSTANCE_ID, "Commit failed"), True),
        (KafkaError(KafkaError._FATAL, "fenced by other consumer with same group.instance.id"), True),
        (KafkaError(KafkaError._FATAL, "something else"), False),
        (KafkaError(KafkaError.REBALANCE_IN_PROGRESS), False),
    ],
)
def test_a_fenced_member_is_known_however_it_is_told(error: KafkaError, fenced: bool) -> None:
    assert is_fenced(error) == fenced

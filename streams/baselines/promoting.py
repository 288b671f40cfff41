"""Promoting: a baseline is made durable, and only then its promotion ordered: whoever looks it up must find it."""

from __future__ import annotations

import msgspec

from models.baseline import Baseline
from streams.baselines.topic import publish_baseline
from streams.orders import send_order
from tocsin.config import Kafka
from tocsin.control import Promote


def promote(kafka: Kafka, baseline: Baseline, ladder: str, author: str, reason: str = "") -> tuple[Promote, int]:
    """Puts a baseline in force for its model; returns the order and its offset in the control topic.

    Args:
        kafka: of the deployment.
        baseline: which.
        ladder: `armed` or `provisional`.
        author: who.
        reason: why.

    Raises:
        BrokerError: Kafka did not take it.
    """
    given = {"model": baseline.model, "baseline": publish_baseline(kafka, baseline)}
    order = msgspec.convert({**given, "ladder": ladder, "author": author, "reason": reason}, Promote)
    return order, send_order(kafka, order)

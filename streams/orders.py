"""Orders: what an operator tells the folds, written to the control topic and read back from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from streams.clients import topic_name
from streams.placing import place
from streams.scan import scan
from tocsin.codec import json_bytes
from tocsin.config import Kafka
from tocsin.control import CONTROLS, ControlBody, RemoveSilence, Silence, control_body
from tocsin.errors import RejectError

KINDS: Final = {body: kind for kind, body in CONTROLS.items()}


class _Order(msgspec.Struct):
    kind: str
    body: msgspec.Raw


def send_order(kafka: Kafka, body: ControlBody) -> int:
    """Writes one order durably and returns its offset in the control topic.

    Raises:
        BrokerError: it was not acknowledged within ten seconds.
    """
    return place(kafka, "control", json_bytes({"kind": KINDS[type(body)], "body": body}))


def placed_orders(kafka: Kafka) -> Iterator[tuple[int, int, ControlBody]]:
    """Yields (offset, append time in Unix milliseconds, order) of every order in the control topic, oldest first.

    What is not an order is passed over, as intake does.

    Raises:
        BrokerError: the topic cannot be read.
    """
    for message in scan(kafka, topic_name(kafka, "control")):
        try:
            order = msgspec.json.decode(message.value() or b"", type=_Order)
            body = control_body(order.kind, bytes(order.body))
        except (RejectError, msgspec.DecodeError):
            continue
        yield message.offset() or 0, message.timestamp()[1], body


def read_orders(kafka: Kafka) -> list[ControlBody]:
    """Returns what stands in the control topic, without its places: see `placed_orders`."""
    return [body for _, _, body in placed_orders(kafka)]


def silences(orders: list[ControlBody], now_ms: int) -> list[Silence]:
    """Returns the silences that hold now, in the order in which they were given."""
    held: dict[str, Silence] = {}
    for order in orders:
        match order:
            case Silence():
                held[order.id] = order
            case RemoveSilence():
                held.pop(order.id, None)
            case _:
                continue
    return [silence for silence in held.values() if silence.until > now_ms]

"""Events: what enters Tocsin, one value per thing that can be said about a served model.

Every producer format is mapped to these by one file in `streams/intake/formats/`; nothing behind intake knows where an
event came from.
"""

from __future__ import annotations

from typing import Literal

import msgspec

IdKind = Literal["api_key_hash", "user", "service", "ip", "unknown"]


class Source(msgspec.Struct, frozen=True, array_like=True):
    """One raw partition, as the ledger knows it.

    Attributes:
        topic_id: Kafka's topic id (a UUID): a recreated topic is a new source. The topic's name where brokers give no id.
        topic: the topic's name, for people.
        partition: its number.
    """

    topic_id: str
    topic: str
    partition: int


class Coordinates(msgspec.Struct, frozen=True, array_like=True):
    """Where one event entered: the identity of everything that follows from it."""

    source: Source
    offset: int
    row: int

    def __str__(self) -> str:
        """Returns `topic:partition:offset:row`, as findings show it."""
        return f"{self.source.topic}:{self.source.partition}:{self.offset}:{self.row}"


ROW_BITS = 16
"""A position is `offset << ROW_BITS | row`: one int64 orders all rows of a raw partition."""


def position_of(offset: int, row: int) -> int:
    """Returns the position of a row: offset < 2**47, row < 2**16."""
    return offset << ROW_BITS | row


class Caller(msgspec.Struct, frozen=True, array_like=True):
    """Who called.

    Attributes:
        id: as received.
        id_kind: which identity `id` is; rate evidence must say what it counted by.
        hash: the keyed 64-bit hash that folds use as the key.
    """

    id: str
    id_kind: str
    hash: int


class InferenceEvent(msgspec.Struct, frozen=True):
    """One call to one served model, checked and complete.

    Attributes:
        event_id: the producer's id, or derived from the coordinates.
        ts: claimed time, Unix milliseconds UTC; None when the producer gave none.
        model: `namespace/name@version`.
        caller_id: who called, as received; "unknown" when the producer gave nobody.
        id_kind: what kind of id that is.
        features: name → finite number, text (a category) or None (missing), in the producer's order.
        label: the predicted class, "" when there is none.
        confidence: in [0, 1], None when unknown.
        latency_ms: ≥ 0, None when unknown.
        status: HTTP-like status; 0 when unknown; ≥ 500 is a fault of the service.
        prompt: the text asked, for language models, else "".
        completion: the text answered, for language models, else "".
    """

    event_id: str
    ts: int | None
    model: str
    caller_id: str
    id_kind: IdKind
    features: dict[str, float | str | None]
    label: str = ""
    confidence: float | None = None
    latency_ms: float | None = None
    status: int = 0
    prompt: str = ""
    completion: str = ""


class LabelEvent(msgspec.Struct, frozen=True):
    """Delayed ground truth about one earlier event.

    Attributes:
        event_id: the event it is about.
        ts: when the truth became known, Unix milliseconds UTC, or None.
        model: `namespace/name@version`.
        label: the true class.
        labeller_id: who says so; poisoned feedback has an author.
    """

    event_id: str
    ts: int | None
    model: str
    label: str
    labeller_id: str = "unknown"


class ControlEvent(msgspec.Struct, frozen=True):
    """An operator's order to the folds, read from `tocsin.control.v1` and broadcast to every shard.

    Attributes:
        kind: a key of `tocsin.control.CONTROLS`: `silence`, `silence_remove`, `close`, …
        body: JSON of the matching Struct in `tocsin/control.py`.
    """

    kind: str
    body: bytes

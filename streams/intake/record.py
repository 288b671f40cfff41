"""Records: what Kafka hands to intake, free of any client library, and what intake hands back when it refuses one."""

from __future__ import annotations

from typing import NamedTuple

from tocsin.event import Source


class RawRecord(NamedTuple):
    """One record of a raw topic.

    Attributes:
        topic: its name.
        topic_id: Kafka's topic id; the name where the broker gives none.
        partition: its partition.
        offset: its offset.
        append_ms: Kafka's timestamp, Unix milliseconds.
        value: its bytes, None for a tombstone.
        headers: (name, bytes) pairs. Intake never obeys them.
    """

    topic: str
    topic_id: str
    partition: int
    offset: int
    append_ms: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Rejected(NamedTuple):
    """A record, or one row of it, that cannot be used.

    Attributes:
        source: where it came from.
        offset: its offset.
        row: which row of a batch, None when it is the whole record.
        append_ms: Kafka's timestamp, Unix milliseconds.
        value: the record's bytes.
        reason: a `Reason`.
        detail: where and what, at most 200 characters.
    """

    source: Source
    offset: int
    row: int | None
    append_ms: int
    value: bytes
    reason: str
    detail: str

"""Dead letters: what stands on `tocsin.dead-letters.v1` for every record, or row of one, that intake refused.

A letter names the coordinates, so that the original can be fetched again as long as Kafka keeps it; of its bytes it carries a
hash and at most 256, base64, because they are hostile and may be personal. Equal refusals are equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import msgspec

from streams.intake.record import Rejected
from streams.stage.machine import Send
from streams.topics import partition_of
from tocsin.codec import json_bytes
from tocsin.errors import RejectError

PREFIX_BYTES: Final = 256


class DeadLetter(msgspec.Struct, frozen=True):
    """One refusal.

    Attributes:
        reason: a `streams.intake.reject.Reason`.
        detail: where and what, at most 200 characters.
        topic: raw topic.
        topic_id: its Kafka id, as the ledger knows it.
        partition: raw partition.
        offset: raw offset.
        row: row of a batch, None for the record as a whole.
        sha256: of the whole value, hex.
        size: of the whole value, bytes.
        prefix: its first 256 bytes, base64.
        ts: append time, Unix milliseconds.
    """

    reason: str
    detail: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    row: int | None
    sha256: str
    size: int
    prefix: str
    ts: int

    @property
    def key(self) -> str:
        """Returns the coordinates, by which equal letters have equal keys."""
        row = "" if self.row is None else f":{self.row}"
        return f"{self.topic_id}:{self.partition}:{self.offset}{row}"


def dead_letter(rejected: Rejected) -> DeadLetter:
    """Returns the letter for a refusal."""
    return DeadLetter(
        reason=rejected.reason,
        detail=rejected.detail,
        topic=rejected.source.topic,
        topic_id=rejected.source.topic_id,
        partition=rejected.source.partition,
        offset=rejected.offset,
        row=rejected.row,
        sha256=hashlib.sha256(rejected.value).hexdigest(),
        size=len(rejected.value),
        prefix=base64.b64encode(rejected.value[:PREFIX_BYTES]).decode(),
        ts=rejected.append_ms,
    )


def send_of(letter: DeadLetter) -> Send:
    """Returns the Kafka record of a letter."""
    partition = partition_of("dead_letters", letter.key)
    return Send("dead_letters", partition, letter.key.encode(), json_bytes(letter), (("content-type", b"application/json"),))


def letter_of(value: bytes) -> DeadLetter:
    """Returns the letter in a Kafka record.

    Raises:
        RejectError: it is none; other stages may write here too.
    """
    try:
        return msgspec.json.decode(value, type=DeadLetter)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RejectError("TYPE", f"dead letter: {error}") from error

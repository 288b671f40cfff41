"""Trial: what to do about a record that kills its worker, decided in the state topic before it is acted upon.

Protocol. A crash leaves no message, so the evidence must be durable before the deed:
1. Each process writes `partition/starts` before its first step: the applied offset it starts from and how many starts in
   a row have begun there. The third without progress turns on single-record mode.
2. In single-record mode, `partition/starts` is written again before every record, naming it; then that record alone is
   stepped, sent and snapshotted. A kill between the two is held against the record.
3. A record that was named `ATTEMPTS` times and never survived is refused: `partition/refused/offset` is written, then the
   record is dead-lettered by its coordinates and passed over, now and in every replay.
4. The mode ends after `CLEAR` records survived.

Both records are sealed like snapshots: forging a refusal would blind a detector.
"""

from __future__ import annotations

import base64
import hashlib

import msgspec

from streams.stage.machine import Record, Send
from streams.stage.snapshots import Item, seal, unseal
from streams.topics import partition_of
from tocsin.codec import json_bytes, pack
from tocsin.errors import StateError

STARTS = 3
"""Starts without progress after which records are stepped one by one."""

ATTEMPTS = 3
"""Deaths on one named record after which it is refused."""

CLEAR = 1000
"""Records that must survive one by one before trust returns."""

PREFIX_BYTES = 256

REFUSED = b"/refused/"
"""What the record key of every refusal contains, and no other."""


class Trial(msgspec.Struct, frozen=True, array_like=True):
    """The value of `partition/starts`.

    Attributes:
        applied: offset that the last start began from.
        starts: starts in a row that began there.
        survived: records survived in single-record mode; -1 outside of it.
        suspect: the record being stepped alone, -1 for none.
        attempts: how often it was begun.
    """

    applied: int = -2
    starts: int = 0
    survived: int = -1
    suspect: int = -1
    attempts: int = 0

    @property
    def single(self) -> bool:
        """Whether records are stepped one by one."""
        return self.survived >= 0

    def started(self, applied: int) -> Trial:
        """Returns what to write when a process starts from `applied`."""
        starts = self.starts + 1 if applied == self.applied else 1
        survived = 0 if self.single or starts >= STARTS else -1
        return msgspec.structs.replace(self, applied=applied, starts=starts, survived=survived)

    def naming(self, offset: int) -> Trial:
        """Returns what to write before the record at `offset` is stepped alone."""
        attempts = self.attempts + 1 if offset == self.suspect else 1
        return msgspec.structs.replace(self, suspect=offset, attempts=attempts)

    def convicts(self, offset: int) -> bool:
        """Returns whether the record at `offset` has had its attempts."""
        return offset == self.suspect and self.attempts >= ATTEMPTS

    def passed(self) -> Trial:
        """Returns what holds after the named record survived or was refused; to be written when the mode ended with it."""
        survived = self.survived + 1
        return Trial() if survived >= CLEAR else Trial(survived=survived)


def starts_item(key: bytes, stage: str, partition: int, trial: Trial) -> Item:
    """Returns the record that states the trial."""
    name = f"{partition}/starts".encode()
    return Item(name, seal(key, stage, name, pack(trial)))


def refusal_item(key: bytes, stage: str, partition: int, offset: int) -> Item:
    """Returns the record that refuses the input record at `offset` for good."""
    name = f"{partition}/refused/{offset}".encode()
    return Item(name, seal(key, stage, name, pack(offset)))


def read_trial(key: bytes, stage: str, partition: int, values: dict[bytes, bytes], complaints: list[str]) -> Trial:
    """Returns the trial that stands in the state topic; an innocent one when there is none or it is forged."""
    name = f"{partition}/starts".encode()
    if name not in values:
        return Trial()
    try:
        return msgspec.msgpack.decode(unseal(key, stage, name, values[name]), type=Trial)
    except (StateError, msgspec.DecodeError) as error:
        complaints.append(str(error))
        return Trial()


def read_refusals(key: bytes, stage: str, partition: int, values: dict[bytes, bytes], complaints: list[str]) -> frozenset[int]:
    """Returns the input offsets that were refused; forged ones are complained about and ignored."""
    prefix = f"{partition}/refused/".encode()
    found = []
    for name, value in values.items():
        if name.startswith(prefix):
            try:
                found.append(msgspec.msgpack.decode(unseal(key, stage, name, value), type=int))
            except (StateError, msgspec.DecodeError) as error:
                complaints.append(str(error))
    return frozenset(found)


def dead_letter(stage: str, topic: str, partition: int, record: Record) -> Send:
    """Returns the dead letter of a refused record, in the form of intake's: where it stands, and little of what it says."""
    letter = {
        "reason": "KILLS_WORKER",
        "detail": f"{stage} did not survive this record {ATTEMPTS} times and passes over it",
        "topic": topic,
        "topic_id": "",
        "partition": partition,
        "offset": record.offset,
        "row": None,
        "sha256": hashlib.sha256(record.value).hexdigest(),
        "size": len(record.value),
        "prefix": base64.b64encode(record.value[:PREFIX_BYTES]).decode(),
        "ts": 0,
    }
    return Send("dead_letters", partition_of("dead_letters", record.where), record.where.encode(), json_bytes(letter))

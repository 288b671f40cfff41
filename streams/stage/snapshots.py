"""Snapshots: one partition's state and position as records of its stage's compacted state topic.

Protocol. A snapshot is the body `encode_sections(machine.dump())` cut into chunks, then a manifest; keys are
`partition/applied/chunk` and `partition/applied/manifest`. The manifest is the commit point: without it, chunks are nothing.
- The same offset gives the same bytes, because a fold is pure; so a slow former owner who writes late does no harm.
- The header states the SHA-256 of the body, and an HMAC covers the header, its record key and the stage: whoever can write
  to the topic but lacks the deployment's key can neither forge a state nor move one elsewhere.
- Header and body fail separately. A snapshot whose header is ours but whose body is damaged or of a newer format is
  refused, yet still tells how far outputs were sent (`links`), which mutes a rebuild by replay up to there.
- The two newest snapshots are kept; older ones are tombstoned once the next is durable.

Invariant of the whole stage: committed offset <= applied offset of the newest durable snapshot + 1.

This file is pure; `opening.py` chooses, `restore.py` reads the topic and `part.py` writes it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.state import Sections, decode_sections, encode_sections

FORMAT = 1
"""Of header, chunks and seals; a snapshot of a higher one is refused."""

MAC_BYTES = 32
MANIFEST = "manifest"


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What a snapshot says about itself. Fields are only ever appended, with a default.

    Attributes:
        format: FORMAT of the writer.
        stage: name in `streams.stages.STAGES`.
        partition: of the stage's input.
        applied: highest input offset in the state.
        links: `Machine.links` at that offset.
        size: bytes of the body.
        chunks: records the body was cut into.
        sha256: of the body.
        tocsin: version of the writer.
        river: version of River.
        numbers: the writer's numeric self-test; where it differs, a replay is equivalent but not exact.
        detection: digest of the detection config that shaped the state.
    """

    format: int
    stage: str
    partition: int
    applied: int
    links: bytes
    size: int
    chunks: int
    sha256: bytes
    tocsin: str
    river: str
    numbers: str
    detection: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What every snapshot of one process has in common: see the fields of the same names in `Header`."""

    stage: str
    tocsin: str
    river: str
    numbers: str
    detection: str


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a state topic; value None is a tombstone."""

    key: bytes
    value: bytes | None


def seal(key: bytes, stage: str, record_key: bytes, payload: bytes) -> bytes:
    """Returns the payload behind its HMAC-SHA256, bound to the stage and the record key."""
    return hmac.digest(key, stage.encode() + b"\0" + record_key + b"\0" + payload, "sha256") + payload


def unseal(key: bytes, stage: str, record_key: bytes, value: bytes) -> bytes:
    """Returns the payload of a sealed value.

    Raises:
        StateError: it was not sealed with this key, for this stage and this record.
    """
    payload = value[MAC_BYTES:]
    if not hmac.compare_digest(seal(key, stage, record_key, payload)[:MAC_BYTES], value[:MAC_BYTES]):
        raise StateError(
            f"state of {stage}, record {record_key.decode(errors='replace')}: its HMAC must be ours; it is forged or damaged"
        )
    return payload


def manifest_key(partition: int, applied: int) -> bytes:
    """Returns the record key of a snapshot's manifest."""
    return f"{partition}/{applied}/{MANIFEST}".encode()


def chunk_key(partition: int, applied: int, chunk: int) -> bytes:
    """Returns the record key of a snapshot's chunk."""
    return f"{partition}/{applied}/{chunk}".encode()


def write(
    key: bytes, origin: Origin, partition: int, applied: int, links: bytes, sections: Sections, chunk_bytes: int
) -> list[Item]:
    """Returns the records of one snapshot in the order they must become durable: chunks, then the manifest.

    Args:
        key: 32 bytes from `derive_key(…, "state")`.
        origin: who writes.
        partition: of the stage's input.
        applied: highest input offset in the state.
        links: `Machine.links`.
        sections: `Machine.dump()`.
        chunk_bytes: largest value of a chunk record.
    """
    body = encode_sections(sections)
    parts = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)] or [b""]
    header = Header(
        format=FORMAT,
        stage=origin.stage,
        partition=partition,
        applied=applied,
        links=links,
        size=len(body),
        chunks=len(parts),
        sha256=hashlib.sha256(body).digest(),
        tocsin=origin.tocsin,
        river=origin.river,
        numbers=origin.numbers,
        detection=origin.detection,
    )
    items = [Item(chunk_key(partition, applied, number), part) for number, part in enumerate(parts)]
    name = manifest_key(partition, applied)
    return [*items, Item(name, seal(key, origin.stage, name, pack(header)))]


def tombstones(partition: int, applied: int, chunks: int) -> list[Item]:
    """Returns the records that remove one snapshot: the manifest first, so that it is never half there."""
    keys = [manifest_key(partition, applied), *(chunk_key(partition, applied, number) for number in range(chunks))]
    return [Item(name, None) for name in keys]


@dataclass(slots=True)
class Shelf:
    """What was read from one partition of a state topic: the last value of every key, as compaction would leave it.

    Attributes:
        key: as in `write`.
        stage: whose state it is.
        partition: of the stage's input.
        values: record key → value.
    """

    key: bytes
    stage: str
    partition: int
    values: dict[bytes, bytes] = field(default_factory=dict)

    def add(self, items: Iterable[Item]) -> None:
        """Takes records in topic order."""
        for item in items:
            if item.value is None:
                self.values.pop(item.key, None)
            else:
                self.values[item.key] = item.value

    def headers(self, complaints: list[str]) -> list[Header]:
        """Returns the authentic headers of this stage and partition, newest first; appends what is wrong with others."""
        found = []
        for name, value in self.values.items():
            if not name.endswith(f"/{MANIFEST}".encode()):
                continue
            try:
                found.append(self._header(name, value))
            except StateError as error:
                complaints.append(str(error))
        return sorted(found, key=lambda header: header.applied, reverse=True)

    def _header(self, name: bytes, value: bytes) -> Header:
        payload = unseal(self.key, self.stage, name, value)
        try:
            header = msgspec.msgpack.decode(payload, type=Header)
        except msgspec.DecodeError as error:
            raise StateError(f"state of {self.stage}, record {name.decode()}: a header expected; {error}") from error
        if name != manifest_key(self.partition, header.applied) or header.partition != self.partition:
            raise StateError(f"state of {self.stage}, record {name.decode()}: it must stand in partition {self.partition}")
        return header

    def sections(self, header: Header) -> Sections:
        """Returns the snapshot's sections.

        Raises:
            StateError: its format is newer, or its body is incomplete or damaged.
        """
        where = f"state of {self.stage}, partition {self.partition}, offset {header.applied}"
        if header.format > FORMAT:
            raise StateError(
                f"{where}: format {FORMAT} expected, {header.format} found; this worker is older than the snapshot"
            )
        body = b"".join(self._chunks(header, where))
        if hashlib.sha256(body).digest() != header.sha256:
            raise StateError(f"{where}: the body must have the SHA-256 that its header states; it is damaged")
        return decode_sections(body)

    def _chunks(self, header: Header, where: str) -> Iterator[bytes]:
        for number in range(header.chunks):
            name = chunk_key(self.partition, header.applied, number)
            if name not in self.values:
                raise StateError(f"{where}: {header.chunks} chunks expected; number {number} is missing")
            yield self.values[name]

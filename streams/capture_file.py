"""Capture file: records of Kafka as JSON lines that prove themselves.

One line per record, in the order given:
`{"append_ms", "headers", "key_b64", "offset", "partition", "role", "topic", "topic_id", "value_b64", "crc32"}`, where `role`
is `raw` or a key of `streams.topics.TOPICS`, and `crc32` is over the line without it, so that a damaged line is named. The
last line is the trailer `{"trailer": {"counts": {topic: records}, "records", "sha256"}}`, sha256 over all lines before it:
a file without it was cut short. Text, so that it can be read, cut and compared with any tool.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tocsin.codec import json_bytes
from tocsin.errors import FileError

RAW: Final = "raw"
_SUM: Final = b',"crc32":'


class Captured(NamedTuple):
    """One record as it stood in Kafka.

    Attributes:
        role: `raw`, or a key of `streams.topics.TOPICS`.
        topic: its topic's full name.
        topic_id: its topic's id.
        partition: its partition.
        offset: its offset.
        append_ms: the broker's timestamp, Unix milliseconds; 0 when it had none.
        key: None when it had none.
        value: None for a tombstone.
        headers: (name, value) pairs.
    """

    role: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    append_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    append_ms: int
    headers: list[tuple[str, str]]
    key_b64: str | None
    offset: int
    partition: int
    role: str
    topic: str
    topic_id: str
    value_b64: str | None


class _Trailer(msgspec.Struct, forbid_unknown_fields=True):
    counts: dict[str, int]
    records: int
    sha256: str


class _Last(msgspec.Struct, forbid_unknown_fields=True):
    trailer: _Trailer


def write_capture(path: Path, records: Iterable[Captured]) -> dict[str, int]:
    """Writes records that only their owner may read, for raw events are sensitive; returns records per topic.

    Raises:
        FileError: the file cannot be written.
    """
    digest, counts = hashlib.sha256(), dict[str, int]()
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for record in records:
                line = _encode(record)
                digest.update(line)
                file.write(line)
                counts[record.topic] = counts.get(record.topic, 0) + 1
            trailer = {"counts": counts, "records": sum(counts.values()), "sha256": digest.hexdigest()}
            file.write(json_bytes({"trailer": trailer}) + b"\n")
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error
    return counts


def read_capture(path: Path) -> Iterator[Captured]:
    """Yields the records of a capture in file order.

    Raises:
        FileError: naming the line that is damaged, or the one where the file was cut short. Act on nothing before the end.
    """
    digest, records, last = hashlib.sha256(), 0, None
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                where = f"{path}:{number}"
                if last is not None:
                    raise FileError(f"{where}: nothing may follow the trailer; {len(line)} bytes found")
                if line.startswith(b'{"trailer":'):
                    last = _trailer(line, where)
                    continue
                yield _decode(line, where)
                digest.update(line)
                records += 1
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    if last is None:
        raise FileError(f"{path}:{records + 1}: the trailer must follow; the file was cut short")
    if (last.records, last.sha256) != (records, digest.hexdigest()):
        raise FileError(f"{path}:{records + 1}: the trailer must fit; it counts {last.records} records, {records} found")


def is_capture(path: Path) -> bool:
    """Returns whether the file's first line is one of a capture.

    Raises:
        FileError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            first = file.readline()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    return (_SUM in first and b'"value_b64":' in first) or first.startswith(b'{"trailer":')


def _encode(record: Captured) -> bytes:
    line = _Line(
        append_ms=record.append_ms,
        headers=[(name, _text(value) or "") for name, value in record.headers],
        key_b64=_text(record.key),
        offset=record.offset,
        partition=record.partition,
        role=record.role,
        topic=record.topic,
        topic_id=record.topic_id,
        value_b64=_text(record.value),
    )
    body = json_bytes(line)
    return body[:-1] + _SUM + str(zlib.crc32(body)).encode() + b"}\n"


def _decode(line: bytes, where: str) -> Captured:
    body, found, checksum = line.rpartition(_SUM)
    body += b"}"
    if not found or checksum != str(zlib.crc32(body)).encode() + b"}\n":
        raise FileError(f"{where}: a whole record with its crc32 expected; the line is damaged")
    try:
        plain = msgspec.json.decode(body, type=_Line)
        headers = tuple((name, b64decode(value)) for name, value in plain.headers)
        key, value = _bytes(plain.key_b64), _bytes(plain.value_b64)
    except ValueError as error:
        raise FileError(f"{where}: not a record of a capture: {error}") from error
    return Captured(
        plain.role, plain.topic, plain.topic_id, plain.partition, plain.offset, plain.append_ms, key, value, headers
    )


def _trailer(line: bytes, where: str) -> _Trailer:
    try:
        return msgspec.json.decode(line, type=_Last).trailer
    except msgspec.DecodeError as error:
        raise FileError(f"{where}: the trailer is damaged: {error}") from error


def _text(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)

"""Documents: a record's bytes → the JSON objects in it. Size, encoding, depth and duplicate keys are judged here.

One record may hold one object, an array of objects, or one object per line (NDJSON).

Duplicate keys, cheaply: a JSON text has one colon per key and one per colon inside a string, unless that is written as an
escape. Written again from what was parsed it has as many, unless a key stood twice: then one of the two, with its colon, was
lost. Only when the counts differ, or there is such an escape, is the text read again by a parser that reports pairs.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from streams.intake.reject import Reason, reject, shown

MAX_RECORD_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_BATCH_ROWS: Final = 4096
ESCAPED_COLON: Final = b"\\u003"
"""What a text must hold for a colon in one of its strings to be written otherwise than as a colon."""
RESERVED_KEYS: Final = frozenset({"__faust"})

Document = dict[str, Any]


def documents(value: bytes | None) -> list[Any]:
    """Returns the JSON values that a record holds, in order, one per row; each ought to be an object.

    Raises:
        RejectError: the record as a whole cannot be read.
    """
    if not value:
        raise reject(Reason.EMPTY, "record: a value expected; got none")
    if len(value) > MAX_RECORD_BYTES:
        raise reject(Reason.TOO_LARGE, f"record: at most {MAX_RECORD_BYTES} bytes; got {len(value)}")
    rows, texts = _parsed(value)
    if value.count(b"{") + value.count(b"[") > MAX_DEPTH:
        _check_depth(rows, -1)
    if ESCAPED_COLON in value or value.count(b":") != orjson.dumps(rows).count(b":"):
        for text in texts:
            json.loads(text, object_pairs_hook=_unique)
    if not rows:
        raise reject(Reason.EMPTY, "record: at least one object expected; got []")
    if len(rows) > MAX_BATCH_ROWS:
        raise reject(Reason.TOO_MANY_ROWS, f"record: at most {MAX_BATCH_ROWS} rows; got {len(rows)}")
    return rows


def as_object(row: Any) -> Document:
    """Returns the row when it is an object.

    Raises:
        RejectError: it is not, or it names a reserved key.
    """
    if not isinstance(row, dict):
        raise reject(Reason.NOT_OBJECT, f"event: a JSON object expected; got {shown(row)}")
    if not RESERVED_KEYS.isdisjoint(row):
        raise reject(Reason.RESERVED_KEY, f"event: the key {sorted(RESERVED_KEYS & row.keys())[0]!r} is reserved")
    return row


def _parsed(value: bytes) -> tuple[list[Any], list[bytes]]:
    """Returns the rows, and the texts they stand in."""
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        lines = [line for line in value.split(b"\n") if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise _unreadable(value, error) from None
        try:
            return [orjson.loads(line) for line in lines], lines
        except orjson.JSONDecodeError as second:
            raise _unreadable(value, second) from None
    return parsed if isinstance(parsed, list) else [parsed], [value]


def _unreadable(value: bytes, error: orjson.JSONDecodeError) -> Exception:
    if "depth limit" in error.msg or "ecursion limit" in error.msg:  # orjson has worded it in both ways
        return reject(Reason.DEPTH, f"record: nested at most {MAX_DEPTH} deep")
    try:
        value.decode()
    except UnicodeDecodeError as wrong:
        return reject(Reason.ENCODING, f"record: UTF-8 expected; byte {wrong.start} is {value[wrong.start]:#04x}")
    if value[:1] != b"\x00" and value[1:2] == b"\x00":
        return reject(Reason.ENCODING, "record: UTF-8 expected; this looks like UTF-16")
    return reject(Reason.JSON, f"record: {error.msg} at character {error.pos}")


def _check_depth(node: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise reject(Reason.DEPTH, f"record: nested at most {MAX_DEPTH} deep")
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            _check_depth(child, depth + 1)


def _unique(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise reject(Reason.DUP_KEY, f"object: every key once; {shown(twice)} stands twice")
    return found

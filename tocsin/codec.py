"""Codecs: msgpack between our own processes, canonical JSON towards everyone else.

msgspec decodes typed values and checks them in one pass; orjson reads and writes foreign JSON. Bytes that are compared or
hashed come from here only, so that equal values are equal bytes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import orjson

from tocsin.errors import VersionError

T = TypeVar("T")

_PACK = msgspec.msgpack.Encoder(order="deterministic")


def pack(value: Any) -> bytes:
    """Returns msgpack bytes; mappings are written in key order and must have text keys, so equal values are equal bytes."""
    return _PACK.encode(value)


def unpack(data: bytes, kind: type[T], where: str) -> T:
    """Returns `data` decoded as `kind`.

    Raises:
        VersionError: naming `where` the record stands, when it is not a `kind` of a version this process can read.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VersionError(f"{where}: a {kind.__name__} expected; {error}") from error


def json_bytes(value: Any) -> bytes:
    """Returns UTF-8 JSON with sorted keys; msgspec Structs and tuples are allowed."""
    return orjson.dumps(value, default=msgspec.to_builtins, option=orjson.OPT_SORT_KEYS)

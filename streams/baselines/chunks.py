"""Chunks: a baseline as records of `tocsin.baselines.v1`, which Kafka wants below a megabyte.

Key `hash/number/chunks`, value that part of the encoded baseline. The hash is of the content, so a reader needs to trust
nobody: parts that do not add up to their name are no baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from models.baseline import Baseline, decode_baseline, encode_baseline, hash_of, name_of
from tocsin.errors import VersionError

CHUNK_BYTES: Final = 900_000


class Chunk(NamedTuple):
    """One record."""

    key: bytes
    value: bytes


class Name(NamedTuple):
    """What a record's key says: content hash, number of this part from 0, number of parts."""

    baseline: str
    number: int
    chunks: int


def chunks_of(baseline: Baseline, size: int = 0) -> list[Chunk]:
    """Returns the records that hold a baseline; parts of `size` bytes, CHUNK_BYTES by default."""
    size = size or CHUNK_BYTES
    data, name = encode_baseline(baseline), hash_of(baseline)
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return [Chunk(f"{name}/{number}/{len(parts)}".encode(), part) for number, part in enumerate(parts)]


def name_in(key: bytes) -> Name | None:
    """Returns what a key says, None for one that is not ours."""
    name, _, numbers = key.decode(errors="replace").partition("/")
    number, _, chunks = numbers.partition("/")
    if not (name and number.isdecimal() and chunks.isdecimal() and int(number) < int(chunks)):
        return None
    return Name(name, int(number), int(chunks))


def whole(parts: Mapping[int, bytes], name: Name, where: str) -> Baseline | None:
    """Returns the baseline that these parts make, None while some are missing.

    Raises:
        VersionError: they make another one, or none.
    """
    if any(number not in parts for number in range(name.chunks)):
        return None
    data = b"".join(parts[number] for number in range(name.chunks))
    baseline = decode_baseline(data, where)
    if (found := name_of(data)) != name.baseline:
        raise VersionError(f"{where}: a baseline whose content has its hash expected; {name.baseline} holds {found}")
    return baseline


def baselines_in(records: Iterable[tuple[bytes, bytes]], where: str) -> dict[str, Baseline]:
    """Returns hash → baseline for everything that is whole in (key, value) records; later records replace earlier ones.

    Raises:
        VersionError: a whole one is not what its hash says.
    """
    parts: dict[Name, dict[int, bytes]] = {}
    for key, value in records:
        if (name := name_in(key)) is not None:
            parts.setdefault(name._replace(number=0), {})[name.number] = value
    found = {name.baseline: whole(held, name, where) for name, held in parts.items()}
    return {name: baseline for name, baseline in found.items() if baseline is not None}

"""Ids are derived, never drawn: the same cause gives the same id after a crash, on a replay, and on another machine."""

from __future__ import annotations

import hashlib
import zlib

DEVELOPMENT_KEY = b"tocsin development key, not secret"
"""Stands in for the deployment's key in drills, demos and offline replays, where nothing is signed."""


def uid(*parts: object) -> str:
    """Returns 24 hex digits of SHA-256 over the parts, each prefixed by its length so that no two lists collide."""
    digest = hashlib.sha256()
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(4, "big"))
        digest.update(text)
    return digest.hexdigest()[:24]


def derive_key(key: bytes, purpose: str) -> bytes:
    """Returns a 32-byte key for one purpose, so that no key serves two (BLAKE2b keyed, RFC 7693)."""
    return hashlib.blake2b(purpose.encode(), key=hashlib.sha256(key).digest(), digest_size=32).digest()


def caller_hash(key: bytes, id_kind: str, caller_id: str) -> int:
    """Returns the keyed 64-bit hash by which folds know a caller; unpredictable without the key, so tables cannot be aimed at.

    Args:
        key: 32 bytes from `derive_key(…, "caller")`.
        id_kind: what kind of id it is; the same text as an IP and as a user are two callers.
        caller_id: the id as received.
    """
    return int.from_bytes(hashlib.blake2b(f"{id_kind}\0{caller_id}".encode(), key=key, digest_size=8).digest(), "little")


def shard_of(hash64: int, shards: int) -> int:
    """Returns the caller's shard in [0, shards). The high bits choose the shard, the low bits stay free for tables."""
    return (hash64 >> 40) % shards


def group_of(model: str, groups: int) -> int:
    """Returns the judge partition of a model in [0, groups): all versions of one model share it.

    Args:
        model: `namespace/name@version`.
        groups: partitions of the readings topic.
    """
    return zlib.crc32(model.rpartition("@")[0].encode()) % groups

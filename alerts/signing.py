"""Signing: who said it, and that nobody changed it since. The one library by which statements and commands are verified.

A signed record is JSON of three members: `payload`, `key` (id of the key that signed) and `signature`, Ed25519 (RFC 8032) over
a purpose and the payload's canonical bytes (JCS, RFC 8785). Three things make it more than a checksum:

1. The purpose is signed too, so that an approval is never a command, nor either of them something else that a key once signed.
2. A key is trusted for one purpose, for a span of time, and only from the reader's own list: what a record says of its key
   counts for nothing.
3. What is verified is what is returned: the payload is read from the record once, with duplicate members, numbers beyond
   ±2⁵³ and anything but the three members refused, so no two readers can understand it differently.

Whether a payload is fresh, meant for this reader and not used before is for those who know what it says: `statement.py`,
`commander.py`, and an actuator's own memory of sequence numbers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.errors import SignatureError
from tocsin.trust import Purpose, TrustedKey

MAX_BYTES: Final = 65_536
"""Of a signed record; a longer one is refused unread."""

MEMBERS: Final = {"payload", "key", "signature"}

Payload = dict[str, Any]


class Keyring:
    """The reader's own list of keys.

    Args:
        keys: those it trusts.
    """

    def __init__(self, keys: Iterable[TrustedKey] = ()) -> None:
        self.keys = {key_id(key): key for key in keys}

    def open(self, data: bytes, purpose: Purpose, now: int) -> tuple[Payload, TrustedKey]:
        """Returns what a signed record says, and the key that vouches for it.

        Args:
            data: the record's value.
            purpose: what it must have been signed for.
            now: Unix milliseconds, for the key's validity.

        Raises:
            SignatureError: it is no signed record, its key is not trusted for this now, or anything in it was changed.
        """
        payload, name, signature = _parsed(data)
        key = self.keys.get(name)
        if key is None:
            raise SignatureError(f"signed record: a trusted key expected; key {name!r} is not in the list")
        if why := _why_not(key, purpose, now):
            raise SignatureError(f"signed record: {why}")
        try:
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public))
            public.verify(signature, _signed_bytes(payload, purpose))
        except InvalidSignature as error:
            raise SignatureError(
                f"signed record: a signature by {key.owner} for {purpose} expected; it does not fit"
            ) from error
        return payload, key

    def valid(self, name: str, purpose: Purpose, now: int) -> TrustedKey | None:
        """Returns the key of this id if it is trusted for the purpose now."""
        key = self.keys.get(name)
        return None if key is None or _why_not(key, purpose, now) else key


def sign(payload: Mapping[str, Any], purpose: Purpose, key: Ed25519PrivateKey) -> bytes:
    """Returns the signed record. Deterministic: the same payload and key give the same bytes.

    Raises:
        SignatureError: the payload has no canonical form (NaN, numbers beyond ±2⁵³, text that is no Unicode).
    """
    signature = base64.b64encode(key.sign(_signed_bytes(payload, purpose))).decode()
    name = _name(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    return canonical({"payload": dict(payload), "key": name, "signature": signature})


def canonical(value: Mapping[str, Any]) -> bytes:
    """Returns the canonical bytes of a JSON object.

    Raises:
        SignatureError: it has none.
    """
    try:
        return rfc8785.dumps(dict(value))
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise SignatureError(f"payload: plain JSON with whole numbers within 2^53 expected; {error}") from error


def digest(value: Mapping[str, Any]) -> str:
    """Returns SHA-256 of a JSON object's canonical bytes, hex: what a person compares before they sign.

    Raises:
        SignatureError: it has no canonical form.
    """
    return hashlib.sha256(canonical(value)).hexdigest()


def key_id(key: TrustedKey) -> str:
    """Returns what records call a key: 16 hex digits of the SHA-256 of its bytes."""
    return _name(base64.b64decode(key.public))


def _name(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]


def _signed_bytes(payload: Mapping[str, Any], purpose: Purpose) -> bytes:
    return purpose.encode() + b"\n" + canonical(payload)


def _why_not(key: TrustedKey, purpose: Purpose, now: int) -> str:
    """Returns why a key's signature does not count, "" when it does."""
    if key.purpose != purpose:
        return f"a key for {purpose} expected; that of {key.owner} is for {key.purpose}"
    if key.revoked and now >= key.revoked:
        return f"a valid key expected; that of {key.owner} was revoked"
    if now < key.not_before or (key.not_after and now >= key.not_after):
        return f"a key valid at {now} expected; that of {key.owner} is not"
    return ""


def _parsed(data: bytes) -> tuple[Payload, str, bytes]:
    if len(data) > MAX_BYTES:
        raise SignatureError(f"signed record: at most {MAX_BYTES} bytes expected; found {len(data)}")
    try:
        record = json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise SignatureError(f"signed record: JSON expected; {error}") from error
    if not isinstance(record, dict) or set(record) != MEMBERS:
        raise SignatureError(f"signed record: the members {', '.join(sorted(MEMBERS))} expected; found others")
    payload, name, signature = record["payload"], record["key"], record["signature"]
    if not (isinstance(payload, dict) and isinstance(name, str) and isinstance(signature, str)):
        raise SignatureError("signed record: an object, a key id and a signature expected; found other types")
    if canonical(record) != data:
        raise SignatureError("signed record: canonical JSON expected (RFC 8785); found another form of it")
    try:
        decoded = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"signed record: a signature in base64 expected; {error}") from error
    if base64.b64encode(decoded).decode() != signature:  # its last character has bits that say nothing
        raise SignatureError("signed record: the one base64 form of its signature expected; found another")
    return payload, name, decoded


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object with a member twice")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")

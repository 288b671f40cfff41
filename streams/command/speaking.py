"""Speaking: a person's statement, signed with their own key and written to the approvals topic."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alerts.signing import sign
from alerts.statement import MOST_MS, Kind, Statement
from streams.command.private_key import public_of
from streams.placing import place
from tocsin.config import Config, Kafka
from tocsin.errors import ConfigError
from tocsin.trust import Purpose


def person_of(config: Config, key: Ed25519PrivateKey) -> str:
    """Returns whose key this is.

    Raises:
        ConfigError: nobody's that the configuration lists.
    """
    public = public_of(key)
    for trusted in config.key:
        if trusted.public == public and trusted.purpose == Purpose.STATEMENT.value:
            return trusted.owner
    raise ConfigError(
        f"key: a [[key]] with public = {public!r} for {Purpose.STATEMENT} expected; found none: nobody would believe it"
    )


def statement_of(kind: Kind, person: str, now_ms: int, **parts: Any) -> Statement:
    """Returns a new statement, good for a quarter of an hour."""
    bare = Statement(kind, person, now_ms, now_ms + MOST_MS, secrets.token_hex(16))
    return msgspec.structs.replace(bare, **parts)


def speak(kafka: Kafka, statement: Statement, key: Ed25519PrivateKey) -> int:
    """Writes a statement durably and returns its offset in the approvals topic.

    Raises:
        BrokerError: it was not acknowledged within ten seconds.
    """
    value = sign(msgspec.to_builtins(statement), Purpose.STATEMENT, key)
    return place(kafka, "approvals", value, statement.subject.encode())

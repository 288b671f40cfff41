"""Private keys: Ed25519 in PEM, one file per person or process, that nobody else may read."""

from __future__ import annotations

import base64
import getpass
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from streams.key_file import write_new
from tocsin.errors import ConfigError

PASSPHRASE: Final = "TOCSIN_KEY_PASSPHRASE"  # noqa: S105 - the variable's name
"""Environment variable; without it a person at a terminal is asked."""


def new_private_key(path: Path, passphrase: str = "") -> str:
    """Writes a new key and returns its public half in base64.

    Raises:
        ConfigError: there is a file already; a key is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    locked = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode(), 0o600)
    return public_of(key)


def public_of(key: Ed25519PrivateKey) -> str:
    """Returns a key's public half, 32 bytes in base64."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def read_private_key(path: Path, env: Mapping[str, str] = os.environ) -> Ed25519PrivateKey:
    """Returns the key in a file.

    Raises:
        ConfigError: it is absent, readable by others, locked with another passphrase, or no Ed25519 key.
    """
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: a private key expected; {error.strerror}; `tocsin keys new` writes one") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{path}: a key that only its owner can read expected (chmod 600); its mode is {stat.S_IMODE(mode):04o}"
        )
    passphrase = _passphrase(path, env) if b"ENCRYPTED" in data else None
    try:
        key = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: an Ed25519 private key in PEM, and its passphrase, expected; {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: an Ed25519 private key expected; found {type(key).__name__}")
    return key


def _passphrase(path: Path, env: Mapping[str, str]) -> bytes:
    if PASSPHRASE in env:
        return env[PASSPHRASE].encode()
    return getpass.getpass(f"passphrase of {path}: ").encode()

"""Key file: the deployment's secret, 32 random bytes as hex that nobody else can read. Every purpose derives its own key."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from tocsin.config import Config
from tocsin.errors import ConfigError

KEY_BYTES = 32


def read_key(config: Config, env: Mapping[str, str]) -> bytes:
    """Returns the deployment's 32-byte key: `TOCSIN_KEY` as hex, else the content of `key_file`.

    Raises:
        ConfigError: it is absent, readable by everyone, or not 64 hex digits. The message never shows the key.
    """
    if env.get("TOCSIN_KEY"):
        return _decode(env["TOCSIN_KEY"], "TOCSIN_KEY")
    path = Path(config.key_file)
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii", errors="replace") if stat.S_ISREG(mode) else ""
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read: {error.strerror}; `tocsin init` writes one") from error
    if mode & stat.S_IRWXO:
        raise ConfigError(f"{path}: expected a key that others cannot read (chmod 600); its mode is {stat.S_IMODE(mode):04o}")
    return _decode(text, str(path))


def _decode(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{where}: expected {2 * KEY_BYTES} hex digits; got {len(text.strip())} characters that are not")
    return key


def write_key(path: Path) -> None:
    """Writes a new random key that only its owner may read.

    Raises:
        ConfigError: there is a file already; a key is never overwritten.
    """
    write_new(path, secrets.token_hex(KEY_BYTES) + "\n", 0o600)


def write_new(path: Path, text: str, mode: int) -> None:
    """Writes a file that did not exist.

    Raises:
        ConfigError: it exists, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ConfigError(f"{path}: exists already and is not overwritten") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)

"""Scaffold: the two files a new deployment starts with."""

from __future__ import annotations

from pathlib import Path

from streams.key_file import write_key, write_new
from tocsin.errors import ConfigError

TEMPLATE = """\
# Tocsin. What is not here has its default: `tocsin config show` prints every setting and where it comes from.
# Addresses and secrets may come from the environment instead: TOCSIN_KAFKA_BROKERS, TOCSIN_KAFKA_PASSWORD, ...

[kafka]
brokers = "{brokers}"

[[topic]]                # one for each topic with events of your models
name = "{topic}"
format = "canonical"     # pinned: a producer must not choose its own parser
"""


def write_files(directory: Path, brokers: str, topic: str) -> list[tuple[Path, str]]:
    """Writes tocsin.toml and tocsin.key into a directory and returns (path, what it is) of each.

    Raises:
        ConfigError: one of them exists already, or a value cannot stand in the file; then nothing is written.
    """
    settings, key = directory / "tocsin.toml", directory / "tocsin.key"
    for path in (settings, key):
        if path.exists():
            raise ConfigError(f"{path}: exists already and is not overwritten")
    for name, value in (("brokers", brokers), ("topic", topic)):
        if '"' in value or "\\" in value or not value.isprintable():
            raise ConfigError(f"--{name}: expected plain text without quotes; got {value!r}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be made: {error.strerror}") from error
    write_key(key)
    write_new(settings, TEMPLATE.format(brokers=brokers, topic=topic), 0o644)
    return [(settings, "the configuration; name your topics in it"), (key, "the secret; keep it, and keep it to yourself")]

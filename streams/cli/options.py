"""Options that many commands share, and the configuration they lead to."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tocsin.config import Config
from tocsin.errors import ConfigError

ConfigFile = Annotated[
    str | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration; TOCSIN_CONFIG or tocsin.toml otherwise.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object (or one per line) for a machine to read.")]
Author = Annotated[str, typer.Option("--author", envvar="USER", help="Who gives this order.")]


def config_of(given: str | None) -> Config:
    """Returns the checked configuration that `--config`, the environment and the working directory lead to.

    Raises:
        ConfigError: there is none, or it is wrong.
    """
    from streams.config_file import load, locate

    return load(locate(given, os.environ), os.environ)


def exists(given: str | None) -> bool:
    """Whether there is a configuration file where `config_of` would look."""
    from streams.config_file import locate

    return locate(given, os.environ).exists()


def key_of(config: Config) -> bytes:
    """Returns the deployment's key.

    Raises:
        ConfigError: there is none, or it is not one.
    """
    from streams.key_file import read_key

    return read_key(config, os.environ)


def part_of(text: str) -> float:
    """Returns a part of the whole, in (0, 1], written as `50%` or `0.5`.

    Raises:
        ConfigError: it is not one.
    """
    try:
        part = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        part = 0.0
    if not 0 < part <= 1:
        raise ConfigError(f"--learn-first: expected a part above 0 and at most 100%, e.g. 50%; got {text!r}")
    return part

"""`tocsin init`, `tocsin config`: write the configuration, check it, show where each value comes from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from streams.cli.options import ConfigFile, Json, key_of
from streams.cli.output import print_json, say, table, warn
from tocsin.errors import Exit

SECRETS = frozenset({"kafka.password"})


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write tocsin.toml and tocsin.key.")] = Path(),
    brokers: Annotated[str, typer.Option(help="Kafka, host:port,host:port.")] = "127.0.0.1:9092",
    topic: Annotated[str, typer.Option(help="Topic with your models' inference events.")] = "ml.inference.v1",
) -> None:
    """Write a configuration and a key; never overwrites."""
    from streams.scaffold import write_files

    for path, says in write_files(directory, brokers, topic):
        say(f"{path}: {says}")


def show(config: ConfigFile = None, as_json: Json = False) -> None:
    """Print every setting with its origin: default, file, or a variable. Secrets are masked."""
    from streams.config_file import load_with_origins, locate

    loaded = load_with_origins(locate(config, os.environ), os.environ)
    rows = [
        {"key": key, "value": "********" if key in SECRETS and value else value, "origin": _origin(loaded.origins, key)}
        for key, value in _flat(msgspec.to_builtins(loaded.config), "")
    ]
    if as_json:
        print_json({"file": str(loaded.file), "settings": rows})
        return
    table(str(loaded.file), ("key", "value", "origin"), [(row["key"], row["value"], row["origin"]) for row in rows])


def check(config: ConfigFile = None, as_json: Json = False) -> Exit:
    """Check the configuration and the key, and say what deserves a second look."""
    from streams.config_checks import warnings
    from streams.config_file import load, locate, unknown_variables

    path = locate(config, os.environ)
    checked = load(path, os.environ)
    key_of(checked)
    advice = [*warnings(checked), *unknown_variables(os.environ)]
    if as_json:
        print_json({"file": str(path), "ok": True, "warnings": advice})
        return Exit.OK
    for line in advice:
        warn(f"{path}: {line}")
    say(f"{path}: fine, {len(advice)} warning(s)")
    return Exit.OK


def _flat(value: Any, prefix: str) -> list[tuple[str, Any]]:
    """Returns (dotted key, value) for every leaf; an empty table or list is a leaf."""
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in _flat(inner, f"{prefix}.{key}" if prefix else key)]
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return [leaf for index, inner in enumerate(value) for leaf in _flat(inner, f"{prefix}[{index}]")]
    return [(prefix, value)]


def _origin(origins: dict[str, str], key: str) -> str:
    return origins.get(key, origins.get(key.partition("[")[0] if "[" in key else key, "default"))

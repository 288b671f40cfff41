"""`tocsin inventory`: which models there are, how critical, who answers for them, and what may be done to them."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from streams.cli.options import Author, ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table
from tocsin.config import Config
from tocsin.control import SetModel
from tocsin.errors import ConfigError
from tocsin.inventory import Model

Reason = Annotated[str, typer.Option(help="Why, for those who read it later.")]


def list_(config: ConfigFile = None, as_json: Json = False) -> None:
    """List the models as command knows them: the configuration, and what was set since."""
    models = _models(config_of(config))
    if as_json:
        print_json({"models": list(models.values())})
        return
    rows = [
        (
            model.name,
            model.tier,
            model.exposure,
            model.mode,
            model.automatic,
            ", ".join(f"{one.version} {one.state}" for one in model.version),
            model.on_call,
        )
        for model in models.values()
    ]
    table("models", ("model", "tier", "exposure", "mode", "automatic", "versions", "on call"), rows)


def set_(
    model: Annotated[str, typer.Argument(help="namespace/name.")],
    changes: Annotated[list[str], typer.Argument(help='field=value, e.g. tier=0 mode="enforce" automatic="callers".')],
    author: Author,
    reason: Reason = "",
    config: ConfigFile = None,
) -> None:
    """Change some fields of a model's entry, from now on."""
    settings = config_of(config)
    before = _models(settings).get(model, Model(model))
    try:
        found = tomllib.loads("\n".join(changes))
        after = msgspec.convert(msgspec.to_builtins(before) | found, Model)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"inventory set {model}: field=value in TOML expected, text in quotes; {error}") from error
    _send(settings, after, author, reason)


def import_(
    file: Annotated[Path, typer.Argument(help="TOML with [[model]] tables, as in tocsin.toml.")],
    author: Author,
    reason: Reason = "",
    config: ConfigFile = None,
) -> None:
    """Set the entries of a file, whole."""
    settings = config_of(config)
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        models = msgspec.convert(found.get("model", []), list[Model])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{file}: [[model]] tables expected; {error}") from error
    if not models:
        raise ConfigError(f"{file}: at least one [[model]] expected; found none")
    for model in models:
        _send(settings, model, author, reason)


def _send(settings: Config, model: Model, author: str, reason: str) -> None:
    from streams.orders import send_order

    offset = send_order(settings.kafka, SetModel(model, author, reason))
    say(f"inventory of {model.name}: set, control {offset}")


def _models(settings: Config) -> dict[str, Model]:
    from streams.command.standing import memory_of

    known = {model.name: model for model in settings.model}
    return known | memory_of(settings, int(time.time() * 1000)).models

"""`tocsin keys`: people's keys and the command process's, and which of them are trusted here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, get_args

import typer

from streams.cli.options import ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table
from streams.cli.when import shown
from tocsin.errors import ConfigError
from tocsin.trust import Purpose, Role

BLOCK = """[[key]]
owner = "{owner}"
public = "{public}"
purpose = "{purpose}"
roles = [{roles}]"""


def new(
    owner: Annotated[str, typer.Argument(help="Whose it is: a person, or `command` for the command process.")],
    out: Annotated[Path | None, typer.Option(help="The file; OWNER.pem otherwise.")] = None,
    role: Annotated[list[str] | None, typer.Option(help=f"{', '.join(get_args(Role))}; repeat.")] = None,
    passphrase: Annotated[str, typer.Option(envvar="TOCSIN_KEY_PASSPHRASE", help="Locks the file.")] = "",
) -> None:
    """Write a new private key, and print what every configuration must say to trust it."""
    from streams.command.private_key import new_private_key

    roles = role or []
    if unknown := sorted(set(roles) - set(get_args(Role))):
        raise ConfigError(f"--role: some of {', '.join(get_args(Role))} expected; got {', '.join(unknown)}")
    if not owner.isprintable() or '"' in owner or "\\" in owner:
        raise ConfigError(f"owner: a plain name expected; got {owner!r}")
    path = out or Path(f"{owner}.pem")
    public = new_private_key(path, passphrase)
    purpose = Purpose.COMMAND if owner == "command" else Purpose.STATEMENT
    say(f"# {path} is the private half: it never leaves its owner. This is for tocsin.toml:")
    say(BLOCK.format(owner=owner, public=public, purpose=purpose, roles=", ".join(f'"{one}"' for one in roles)))


def list_(config: ConfigFile = None, as_json: Json = False) -> None:
    """List the keys that are trusted here."""
    keys = config_of(config).key
    if as_json:
        print_json({"keys": keys})
        return
    rows = [
        (
            key.owner,
            key.purpose,
            ", ".join(key.roles),
            shown(key.not_after) if key.not_after else "",
            shown(key.revoked) if key.revoked else "",
        )
        for key in keys
    ]
    table("keys", ("owner", "for", "roles", "until", "revoked"), rows)


def revoke(owner: Annotated[str, typer.Argument(help="Whose.")], config: ConfigFile = None) -> None:
    """Print what revokes a key: nothing it ever signed counts any more once configurations say so."""
    mine = [key for key in config_of(config).key if key.owner == owner]
    if not mine:
        raise ConfigError(f"owner: one of the [[key]]s expected; got {owner!r}; see `tocsin keys list`")
    for key in mine:
        say(f'# to the [[key]] with public = "{key.public}" add this line, here and wherever that key is trusted:')
        say(f"revoked = {int(time.time() * 1000)}")

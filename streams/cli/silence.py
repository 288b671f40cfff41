"""`tocsin silence`: findings that match keep flowing with status Suppressed, and propose nothing."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from streams.cli.options import Author, ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table
from streams.cli.when import shown, until_ms
from tocsin.control import RemoveSilence, Silence
from tocsin.errors import ConfigError
from tocsin.ids import uid
from tocsin.signal import Kind


def add(
    until: Annotated[str, typer.Option(help="How long: 2h, 7d, or a time such as 2026-01-05T18:00Z.")],
    reason: Annotated[str, typer.Option(help="Why, for the next shift.")],
    author: Author,
    model: Annotated[str, typer.Option(help="namespace/name, or * for all.")] = "*",
    kind: Annotated[str, typer.Option(help=f"{', '.join(Kind)}, or * for all.")] = "*",
    caller: Annotated[str, typer.Option(help="The caller's id as received, or * for all.")] = "*",
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Silence findings of a model, a kind, a caller; the silence ends by itself."""
    if kind not in ("*", *Kind):
        raise ConfigError(f"--kind: expected *, {', '.join(Kind)}; got {kind!r}")
    if (model, kind, caller) == ("*", "*", "*"):
        raise ConfigError("silence: expected --model, --kind or --caller; silencing everything is turning Tocsin off")
    from streams.orders import send_order

    end = until_ms(until, int(time.time() * 1000))
    silence = Silence(uid("silence", model, kind, caller, end, author)[:12], end, reason, author, model, kind, caller)
    offset = send_order(config_of(config).kafka, silence)
    if as_json:
        print_json({"silence": silence, "offset": offset})
    else:
        say(f"silence {silence.id} until {shown(end)}")


def list_(config: ConfigFile = None, as_json: Json = False) -> None:
    """List the silences that hold now."""
    from streams.orders import read_orders, silences

    held = silences(read_orders(config_of(config).kafka), int(time.time() * 1000))
    if as_json:
        print_json({"silences": held})
        return
    rows = [(s.id, s.model, s.kind, s.caller, shown(s.until), s.author, s.reason) for s in held]
    table("silences", ("id", "model", "kind", "caller", "until", "author", "reason"), rows)


def remove(
    silence: Annotated[str, typer.Argument(help="Its id, from `tocsin silence list`.")],
    author: Author,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """End a silence early."""
    from streams.orders import read_orders, send_order, silences

    kafka = config_of(config).kafka
    held = [one.id for one in silences(read_orders(kafka), int(time.time() * 1000))]
    if silence not in held:
        raise ConfigError(f"silence {silence!r}: no such silence; those that hold: {', '.join(held) or 'none'}")
    offset = send_order(kafka, RemoveSilence(silence, author))
    if as_json:
        print_json({"removed": silence, "offset": offset})
    else:
        say(f"silence {silence} removed")

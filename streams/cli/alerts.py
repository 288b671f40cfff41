"""`tocsin alerts`: findings on the terminal, for a SOC that has no SIEM yet, and an analyst's last word on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from streams.cli.options import Author, ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table, write
from tocsin.config import Config
from tocsin.errors import ConfigError, Exit

VERDICTS = ("false-positive", "expected", "true-positive")


def tail(
    follow: Annotated[bool, typer.Option("--follow/--no-follow", "-f/-F", help="Go on, or stop at the end.")] = True,
    new: Annotated[bool, typer.Option("--new", help="Only what comes from now on.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print findings as they come, one line each (--json: the OCSF records)."""
    from alerts.history import one_line

    for value, finding in _findings(config_of(config), new_only=new, follow=follow):
        if as_json:
            write(value + b"\n")
        else:
            say(one_line(finding))


def show(
    uid: Annotated[str, typer.Argument(help="An incident's or a record's id, or its beginning.")],
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell one finding whole, as it stands last."""
    from alerts.history import describe

    value, finding = _last(config_of(config), uid)
    if as_json:
        write(value + b"\n")
    else:
        table("", ("", ""), describe(finding))


def close(
    uid: Annotated[str, typer.Argument(help="The incident's id, or its beginning.")],
    verdict: Annotated[str, typer.Option("--as", help=f"What it was: {', '.join(VERDICTS)}.")],
    author: Author,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    config: ConfigFile = None,
    as_json: Json = False,
) -> Exit:
    """Close an incident; the verdict becomes feedback."""
    import msgspec

    from alerts.history import dig
    from streams.orders import send_order
    from tocsin.control import CloseFinding

    if verdict not in VERDICTS:
        raise ConfigError(f"--as: expected {', '.join(VERDICTS)}; got {verdict!r}")
    settings = config_of(config)
    _, finding = _last(settings, uid)
    incident = str(dig(finding, "finding_info", "uid"))
    order = {"finding_uid": incident, "verdict": verdict, "author": author, "reason": reason}
    offset = send_order(settings.kafka, msgspec.convert(order, CloseFinding))
    if as_json:
        print_json({"closed": incident, "as": verdict, "offset": offset})
    else:
        say(f"incident {incident} closed as {verdict}")
    return Exit.OK


def ack(
    uid: Annotated[str, typer.Argument(help="The finding's or the incident's id, or how it begins.")],
    author: Author,
    config: ConfigFile = None,
) -> None:
    """Take an incident on, so that it is no longer escalated."""
    from streams.orders import send_order
    from tocsin.control import Acknowledge

    settings = config_of(config)
    incident, _, _ = onset_of(settings, uid)
    send_order(settings.kafka, Acknowledge(incident, author))
    say(f"incident {incident} acknowledged by {author}")


def _findings(config: Config, *, new_only: bool = False, follow: bool = False) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yields (record value, OCSF finding); a record that is not JSON is not ours and passed over."""
    import orjson

    from streams.clients import topic_name
    from streams.scan import scan

    for message in scan(config.kafka, topic_name(config.kafka, "alerts"), new_only=new_only, follow=follow):
        try:
            value = message.value() or b""
            yield value, orjson.loads(value)
        except orjson.JSONDecodeError:
            continue


def _last(config: Config, uid: str) -> tuple[bytes, dict[str, Any]]:
    from alerts.history import dig

    ids = {}
    for value, finding in _findings(config):
        incident, record = dig(finding, "finding_info", "uid"), dig(finding, "metadata", "uid")
        if uid and (str(incident).startswith(uid) or str(record).startswith(uid)):
            ids[incident] = (value, finding)
    if len(ids) > 1:
        raise ConfigError(
            f"{uid!r}: expected the beginning of one id; it begins {len(ids)}: {', '.join(sorted(map(str, ids))[:5])}"
        )
    if not ids:
        raise ConfigError(f"{uid!r}: no finding in the alerts topic has an id that begins so")
    return next(iter(ids.values()))


def onset_of(config: Config, uid: str) -> tuple[str, str, int]:
    """Returns a finding's incident, its model and when it began, Unix milliseconds.

    Raises:
        ConfigError: no finding, or more than one, has an id that begins so.
    """
    from alerts.history import dig

    _, finding = _last(config, uid)
    return str(dig(finding, "finding_info", "uid")), str(dig(finding, "resources", 0, "uid")), int(dig(finding, "start_time"))

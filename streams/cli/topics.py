"""`tocsin topics`, `tocsin doctor`: is Kafka as it must be?"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from streams.cli.options import ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table
from tocsin.errors import ConfigError, Exit

Raw = Annotated[bool, typer.Option("--raw", help="The producers' topics too.")]


def create(config: ConfigFile = None, raw: Raw = False, as_json: Json = False) -> None:
    """Create the topics that are missing; what exists stays as it is."""
    from streams.admin import create_topics

    created = create_topics(config_of(config), raw=raw)
    if as_json:
        print_json({"created": created})
        return
    for name in created:
        say(f"created {name}")
    if not created:
        say("every topic exists")


def check(config: ConfigFile = None, raw: Raw = False, as_json: Json = False) -> Exit:
    """Compare topics and their settings with what the durability promise needs."""
    from streams.admin import check_topics

    found = check_topics(config_of(config), raw=raw)
    if as_json:
        print_json({"ok": not found, "differences": [difference._asdict() for difference in found]})
    elif found:
        table("topics that differ", ("topic", "what", "wanted", "found"), found)
    else:
        say("every topic is as it must be")
    return Exit.CHECK_FAILED if found else Exit.OK


def acls(
    user: Annotated[
        list[str] | None, typer.Option("--user", metavar="ROLE=USER", help="The Kafka user of a role; its own name otherwise.")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="As lines for kafka-acls.sh.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Grant them now; what was granted before stays.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show what each role may do in Kafka and nothing more; with --apply grant it."""
    from streams.acls import acls as permissions
    from streams.acls import apply_acls, command_line

    settings = config_of(config)
    found = permissions(settings, _users(user or []))
    if apply:
        apply_acls(settings.kafka, found)
    if as_json:
        print_json({"applied": apply, "acls": [acl._asdict() for acl in found]})
    elif lines:
        for acl in found:
            say(command_line(acl, settings.kafka.brokers))
    else:
        table("permissions", ("user", "operation", "resource", "name"), found)
        if apply:
            say(f"granted: {len(found)}")


def _users(given: list[str]) -> dict[str, str]:
    from streams.acls import roles

    known, users = {*roles(), "producers"}, dict[str, str]()
    for pair in given:
        role, _, name = pair.partition("=")
        if role not in known or not name:
            raise ConfigError(f"--user: expected ROLE=USER with a role of {', '.join(sorted(known))}; got {pair!r}")
        users[role] = name
    return users


def doctor(config: ConfigFile = None, as_json: Json = False) -> Exit:
    """Look at the whole installation and say what is wrong and what to do; exit code 1 when something is."""
    from streams.config_checks import warnings
    from streams.config_file import unknown_variables
    from streams.diagnosis import Check, worst
    from streams.doctor import examine

    settings = config_of(config)
    advice = [*warnings(settings), *unknown_variables(os.environ)]
    checks = [*examine(settings, os.environ), *(Check("configuration", "warn", line) for line in advice)]
    status = worst(checks)
    if as_json:
        print_json({"status": status, "checks": checks})
    else:
        table("", ("what", "", "found", "to do"), [(one.name, one.status, one.found, one.advice) for one in checks])
    return Exit.CHECK_FAILED if status == "bad" else Exit.OK

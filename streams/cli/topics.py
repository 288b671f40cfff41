"""`tocsin topics`, `tocsin doctor`: is Kafka as it must be?"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from streams.cli.options import ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table
from tocsin.errors import Exit

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

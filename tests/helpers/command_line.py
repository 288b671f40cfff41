"""Command line: what typer would make of a line, without running it."""

from __future__ import annotations

from typing import Any

import typer

from streams.cli.app import build


def parse(arguments: list[str]) -> str:
    """Parses a command line without running it and returns the verb; raises what typer would say of a wrong one."""
    command: Any = typer.main.get_command(build())
    with command.make_context("tocsin", list(arguments)) as context:
        rest, inner = [*context._protected_args, *context.args], command
        while hasattr(inner, "resolve_command"):
            name, inner, rest = inner.resolve_command(context, rest)
            if not hasattr(inner, "resolve_command"):
                inner.make_context(name, rest, parent=context)
                return str(name)
            context = inner.make_context(name, rest, parent=context)
            rest = [*context._protected_args, *context.args]
    raise AssertionError(arguments)

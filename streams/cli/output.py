"""Output: what a command prints. JSON for machines, tables for people, and never a raw control code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from alerts.escape import printable
from tocsin.codec import json_bytes

if TYPE_CHECKING:
    from rich.console import Console


class PipeClosedError(Exception):
    """Whoever read our output has left (`| head`). Not an OSError: typer would turn that into exit code 1."""


def clean(text: object) -> str:
    """Returns text from a stranger fit for a terminal: a caller id may hold escapes that rewrite the screen (CWE-150).

    Line ends stay; a caller that wants one line replaces them.
    """
    return "\n".join(printable(line) for line in str(text).replace("\t", "    ").split("\n"))


def print_json(value: Any) -> None:
    """Writes one line of JSON."""
    write(json_bytes(value) + b"\n")


def write(data: bytes) -> None:
    """Writes bytes to standard output at once, so that a reader behind a pipe sees them.

    Raises:
        PipeClosedError: that reader is gone.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        raise PipeClosedError from error


def console() -> Console:
    """Returns rich's console; it obeys NO_COLOR, TERM and whether this is a terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Prints one plain line; markup in it is not interpreted."""
    write(f"{clean(text)}\n".encode())


def warn(text: str) -> None:
    """Prints one line of advice to standard error, so that output stays clean."""
    sys.stderr.write(f"tocsin: {clean(text)}\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table; a terminal gets a drawn one, everything else tab-separated lines."""
    if not sys.stdout.isatty():
        write("".join("\t".join(clean(cell).replace("\n", " ") for cell in row) + "\n" for row in (columns, *rows)).encode())
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, box=box.SIMPLE, title_justify="left")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(clean(cell)) for cell in row))
    console().print(drawn)

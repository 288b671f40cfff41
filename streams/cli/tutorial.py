"""`tocsin demo`, `tocsin detectors`: what Tocsin does, shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from streams.cli.options import Json
from streams.cli.output import print_json, table
from tocsin.errors import Exit

if TYPE_CHECKING:
    from models.detector import Entry


COLUMNS: Final = ("sees", "ATLAS", "needs", "compares with", "claim", "share of the alert budget")
"""Of `tocsin detectors`, besides the id."""
BUDGETS: Final = {"model": "of a model's", "fleet": "of the fleet's", "none": "assumed, not counted"}
"""Whose alert budget a detector spends, and how that is said."""


def demo(
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON too.")] = None,
) -> Exit:
    """Watch an attack on a model being found, on an embedded broker with real processes; under three minutes."""
    from streams.demo.run import demo as play

    return play(json_file)


def detectors(as_json: Json = False) -> None:
    """List every detector: what it sees, from which fields, against what, and what share of the alert budget it may spend."""
    from models.registry import DETECTORS

    if as_json:
        print_json([{"id": name, **_facts(entry)} for name, entry in DETECTORS.items()])
        return
    table("detectors", ("id", *COLUMNS), [(name, *_cells(entry)) for name, entry in DETECTORS.items()])


def _cells(entry: Entry) -> tuple[str, ...]:
    return (
        entry.sees,
        " ".join(entry.techniques),
        ", ".join(sorted(entry.needs)),
        entry.reference,
        entry.claim,
        f"{100 * entry.share:g} % {BUDGETS[_budget(entry)]}",
    )


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "version": entry.version,
        "stage": entry.stage,
        "scope": entry.scope,
        "kind": entry.kind,
        "reference": entry.reference,
        "claim": entry.claim,
        "techniques": list(entry.techniques),
        "share": entry.share,
        "budget": _budget(entry),
        "needs": sorted(entry.needs),
        "sees": entry.sees,
    }


def _budget(entry: Entry) -> str:
    """Returns whose budget it spends: an advisory one is promised nothing and costs nobody."""
    if entry.claim == "advisory":
        return "none"
    return "fleet" if entry.alerts_per_month(0.0, 1.0) > 0 else "model"

"""`tocsin demo`, `tocsin detectors`: what Tocsin does, shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import Json
from streams.cli.output import print_json, table
from tocsin.errors import Exit


def demo(
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON too.")] = None,
) -> Exit:
    """Watch an attack on a model being found, on an embedded broker with real processes; under three minutes."""
    from streams.demo.run import demo as play

    return play(json_file)


def detectors(as_json: Json = False) -> None:
    """List every detector: what it sees, what it compares with, how its false alarms are known."""
    from models.registry import DETECTORS

    if as_json:
        print_json(
            [
                {
                    "id": name,
                    "version": entry.version,
                    "stage": entry.stage,
                    "scope": entry.scope,
                    "kind": entry.kind,
                    "reference": entry.reference,
                    "claim": entry.claim,
                    "techniques": list(entry.techniques),
                    "share": entry.share,
                    "needs": sorted(entry.needs),
                    "sees": entry.sees,
                }
                for name, entry in DETECTORS.items()
            ]
        )
        return
    rows = [
        (name, e.stage, e.scope, e.kind, e.reference, e.claim, " ".join(e.techniques), e.sees) for name, e in DETECTORS.items()
    ]
    table("detectors", ("id", "stage", "per", "kind", "compares with", "claim", "ATLAS", "sees"), rows)

"""`tocsin demo`, `tocsin detectors`: what Tocsin does, shown."""

from __future__ import annotations

from streams.cli.options import Json
from streams.cli.output import print_json, table


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

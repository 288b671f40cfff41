"""`tocsin coverage`: per model, what is watched in earnest, what only advises, what nobody sees, and why."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import ConfigFile, Json, config_of
from streams.cli.output import print_json, say, table
from streams.cli.when import shown
from tocsin.errors import ConfigError

if TYPE_CHECKING:
    from streams.coverage import ModelCoverage

DAY_MS = 86_400_000


def coverage(
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="Only models whose name begins so.")] = "",
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell per model where its baseline stands, what each detector is worth, and which ATLAS techniques that covers."""
    from streams.coverage import coverage as ask

    known = ask(config_of(config))
    found = [one for one in known if one.model.startswith(model)]
    if model and not found:
        raise ConfigError(f"coverage: no model begins with {model!r}; {len(known)} are known to the curator or were promoted")
    for one in found:
        if as_json:
            print_json(one)
        else:
            _tell(one)
    if not found and not as_json:
        say("no model was seen or promoted yet; is `tocsin curator` running?")


def _tell(one: ModelCoverage) -> None:
    say(f"{one.model}: {one.ladder}, {_baseline(one)}; {one.rows} events seen{_since(one)}")
    say(f"  {one.says}")
    table("", ("detector", "state", "why"), [(row.detector, row.state, row.why) for row in one.detectors])
    states = dict.fromkeys(one.techniques.values())
    for state in states:
        say(f"  ATLAS {state}: {', '.join(name for name, best in one.techniques.items() if best == state)}")
    say("")


def _baseline(one: ModelCoverage) -> str:
    if not one.baseline:
        return "no baseline"
    days = max(time.time() * 1000 - one.golden_ts, 0) / DAY_MS
    return f"baseline {one.baseline[:12]} by {one.author}, its traffic {days:.1f} days old"


def _since(one: ModelCoverage) -> str:
    return f" until {shown(one.told_ts)}" if one.told_ts else ""

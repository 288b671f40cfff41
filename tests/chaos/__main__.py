"""`python -m tests.chaos --kills 100`: kills a deployment on a real Kafka and verifies what is left. Exit 1 on a difference."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from streams.brokers.local import LocalKafka
from tests.chaos.chaos import Plan, chaos


def main(
    kills: Annotated[int, typer.Option(help="kill -9s of intake and workers")] = 100,
    events: Annotated[int, typer.Option(help="events fed in all")] = 400_000,
    rate: Annotated[float, typer.Option(help="events a second")] = 1_500.0,
    outages: Annotated[int, typer.Option(help="broker deaths")] = 3,
    seed: Annotated[int, typer.Option(help="of events and faults")] = 1,
    broken: Annotated[str, typer.Option(help="a break of tests.chaos.broken")] = "",
) -> None:
    """Runs one plan and prints one line of counts, then every difference."""
    plan = Plan(events=events, rate=rate, kills=kills, broker_outages_s=(3.0, 12.0, 25.0)[:outages], seed=seed, broken=broken)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-chaos-"))
    with LocalKafka() as kafka:
        report = chaos(kafka, plan, folder)
    print(report.line())
    for difference in report.differences:
        print(f"DIFFERENCE {difference}")
    print(f"logs: {folder}", file=sys.stderr)
    raise typer.Exit(1 if report.differences else 0)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()

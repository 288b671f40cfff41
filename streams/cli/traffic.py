"""`tocsin simulate`, `tocsin capture`, `tocsin replay`: traffic from drills, into files, and through the folds again."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import ConfigFile, Json, config_of
from streams.cli.output import print_json, say
from tocsin.config import Kafka

_BROKER = re.compile(r"[A-Za-z0-9.-]+:\d+")


def simulate(
    scenario: Annotated[str, typer.Argument(help="calm, probe, sale or unit_change.")],
    to: Annotated[str, typer.Option(help="A file to write, or a broker as host:port; the configured broker otherwise.")] = "",
    topic: Annotated[str, typer.Option(help="With a broker: the topic, which must exist.")] = "ml.inference.v1",
    rate: Annotated[float, typer.Option(help="Events a second.")] = 200.0,
    seconds: Annotated[float, typer.Option(help="Event time from beginning to end.")] = 600.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    accounts: Annotated[int, typer.Option(help="How many accounts an attacker uses.")] = 1,
    callers: Annotated[int, typer.Option(help="Ordinary callers.")] = 5000,
    flat_out: Annotated[bool, typer.Option("--flat-out", help="As fast as it goes, not paced by event time.")] = False,
    truth: Annotated[Path | None, typer.Option(help="Write what really happens to this JSON file.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Play a drill to a file or to a topic."""
    from drills.plan import DEFAULT_START_MS, Plan
    from streams import simulate as play

    is_broker = not to or bool(_BROKER.fullmatch(to))
    plan = Plan(
        rate=rate,
        seconds=seconds,
        seed=seed,
        accounts=accounts,
        callers=callers,
        start_ms=int(time.time() * 1000) if is_broker else DEFAULT_START_MS,
    )
    if is_broker:
        sent = play.simulate_to_topic(
            scenario, plan, Kafka(brokers=to) if to else config_of(config).kafka, topic, speed=None if flat_out else 1.0
        )
    else:
        sent = play.simulate_to_file(scenario, plan, Path(to))
    if truth is not None:
        play.write_truth(sent.truth, truth)
    if as_json:
        print_json({"events": sent.events, "seconds": round(sent.seconds, 3), "scenario": scenario, "to": to or "kafka"})
    else:
        say(f"{sent.events} events of {scenario!r} in {sent.seconds:.1f} s to {to or topic}")


def capture(
    file: Annotated[Path, typer.Argument(help="JSON lines; readable by you alone, for raw events are sensitive.")],
    role: Annotated[list[str] | None, typer.Option("--role", help="raw, frames, readings, ...; repeat. All otherwise.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Copy what stands in the topics into one file."""
    from streams.capture import ROLES
    from streams.capture import capture as copy

    counts = copy(config_of(config), file, tuple(role) if role else ROLES)
    if as_json:
        print_json({"file": str(file), "records": counts})
        return
    for topic, count in counts.items():
        say(f"{count:>10}  {topic}")

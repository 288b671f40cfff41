"""`python -m bench`: measures every part on a real Kafka of its own, then rewrites the tables of docs/benchmarks.md."""

from __future__ import annotations

import shlex
import sys
import uuid
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from bench import latency, many, memory, report, results, saturation, steps
from bench.peer import Duty
from streams.brokers.local import LocalKafka


class Part(StrEnum):
    """What can be measured on its own."""

    LIGHT = "light"
    FULL = "full"
    MANY = "many"
    LATENCY = "latency"
    RSS = "rss"
    STEPS = "steps"


QUICK: Final = 20
"""How many times smaller a quick run is: it shows that everything works, its numbers mean little."""
EVENTS: Final[dict[Part, int]] = {
    Part.LIGHT: 800_000,
    Part.FULL: 800_000,
    Part.MANY: 240_000,
    Part.LATENCY: 160_000,
    Part.RSS: 10_000_000,
    Part.STEPS: 200_000,
}
MANY_PER_S: Final = many.MODELS * many.PER_MODEL_S

Measure = Callable[[str, int, int], Any]
"""(brokers, events, rounds) → the part's value."""


def _saturation(duty: Duty) -> Measure:
    def measure(brokers: str, events: int, rounds: int) -> saturation.Saturation:
        topic = _topic(duty)
        saturation.prepare(brokers, topic, events)
        return saturation.measure(brokers, topic, duty, events, rounds)

    return measure


MEASURES: Final[dict[Part, Measure]] = {
    Part.LIGHT: _saturation("light"),
    Part.FULL: _saturation("full"),
    Part.MANY: lambda brokers, events, _rounds: many.measure(brokers, _topic("many"), max(events // MANY_PER_S, 5)),
    Part.LATENCY: lambda brokers, events, _rounds: latency.measure(brokers, _topic("latency"), max(events // latency.PER_S, 5)),
    Part.RSS: lambda _brokers, events, _rounds: memory.measure(events),
    Part.STEPS: lambda _brokers, events, _rounds: steps.measure(events),
}
NEED_KAFKA: Final = frozenset({Part.LIGHT, Part.FULL, Part.MANY, Part.LATENCY})


def _topic(name: str) -> str:
    return f"bench.raw.{name}.{uuid.uuid4().hex[:6]}"


def main(
    part: Annotated[list[Part] | None, typer.Option(help="Only this part; may be repeated.")] = None,
    events: Annotated[int, typer.Option(help="Events per run; 0 takes each part's own number.")] = 0,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds of light and full; the median is reported.")] = 3,
    quick: Annotated[bool, typer.Option(help="Twenty times smaller, one round, nothing saved.")] = False,
) -> None:
    """Measures cost, latency and memory; prints tables, writes bench/results/ and docs/benchmarks.md."""
    parts = part or list(Part)
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    if NEED_KAFKA.isdisjoint(parts):
        _run(parts, "", events, rounds, quick, command)
    else:
        with LocalKafka() as kafka:
            _run(parts, kafka.bootstrap, events, rounds, quick, command)


def _run(parts: list[Part], brokers: str, events: int, rounds: int, quick: bool, command: str) -> None:
    for part in parts:
        count = events or EVENTS[part] // (QUICK if quick else 1)
        value = MEASURES[part](brokers, count, 1 if quick else rounds)
        result = results.Result(value, command, results.machine(), results.commit())
        typer.echo(f"{part}\n{report.table(part, result)}")
        if not quick:
            results.save(part, result)
            report.write()


if __name__ == "__main__":
    typer.run(main)

"""`python -m bench.detection PART`: one number per line, as JSON or for people."""

from __future__ import annotations

import importlib
from typing import Annotated, Final

import msgspec
import typer

PARTS: Final[dict[str, str]] = {
    "null": "false alerts on calm traffic of many kinds, and how much of it the replay gate arms",
    "table": "what each allowance for dependence buys and costs: false alarms per allowed one, and delay",
    "season": "what hourly cells spare a model whose traffic moves with the hour",
    "drift": "how soon changes are seen, beside River's detectors",
    "envelope": "which single inputs are told from golden ones, beside detectors of River and scikit-learn",
}
"""Module of this package → what it measures. Each has `run(quick)`, which yields `Result`s."""


def main(
    part: Annotated[str, typer.Argument(help=f"One of {', '.join(PARTS)}.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    quick: Annotated[bool, typer.Option(help="Much smaller: shows that it works, its numbers mean little.")] = False,
) -> None:
    """Measures one part and prints its numbers as they come."""
    if part not in PARTS:
        raise typer.BadParameter(f"one of {', '.join(PARTS)} expected; found {part}")
    for result in importlib.import_module(f"bench.detection.{part}").run(quick):
        line = f"{result.dataset:34} {result.method:34} {result.metric:34} {result.value:12.4g}  {result.seed}"
        typer.echo(msgspec.json.encode(result).decode() if json else line)


if __name__ == "__main__":
    typer.run(main)

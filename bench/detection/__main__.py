"""`python -m bench.detection PART`: one number per line, as JSON or for people."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from bench.detection.result import Result

PARTS: Final[dict[str, str]] = {
    "null": "false alerts on calm traffic of many kinds, and how much of it the replay gate arms",
    "table": "what each allowance for dependence buys and costs: false alarms per allowed one, and delay",
    "season": "what hourly cells spare a model whose traffic moves with the hour",
    "drift": "how soon changes are seen, beside River's detectors",
    "joint": "how soon a change of how features go together is seen, beside detectors that look at them one by one",
    "envelope": "which single inputs are told from golden ones, beside detectors of River and scikit-learn",
    "query": "how many questions one attacker can ask, and which honest callers are accused, beside published detectors",
    "collusion": "the same attacks from an account per question, and benign crowds; who is named, and rightly so",
    "newcomers": "how soon many new accounts that copy a model are found, and which campaigns are taken for them",
    "exposure": "whether what the report says of a copy's fidelity is what real copies attain",
    "probe": "how many questions somebody can ask who measures a threshold, beside River and a limit on rates",
    "membership": "how many questions somebody can ask who tries whether records were in the training set",
    "scale": "what all detectors together cost and hold, over ordinary callers and ten million new ones",
}
"""Module of this package → what it measures. Each has `run(quick)`, which yields `Result`s."""
ALL: Final = "all"
RESULTS: Final = Path(__file__).parent / "results"


def main(
    parts: Annotated[list[str], typer.Argument(help=f"Of {', '.join(PARTS)}; or all.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    quick: Annotated[bool, typer.Option(help="Much smaller: shows that it works, its numbers mean little.")] = False,
    save: Annotated[bool, typer.Option(help="Also write the numbers to bench/detection/results/, unless quick.")] = False,
) -> None:
    """Measures these parts and prints their numbers as they come."""
    names = list(PARTS) if parts == [ALL] else parts
    if not set(names) <= set(PARTS):
        raise typer.BadParameter(f"of {', '.join(PARTS)}, or {ALL}, expected; found {' '.join(parts)}")
    for name in names:
        results: list[Result] = []
        for result in importlib.import_module(f"bench.detection.{name}").run(quick):
            results.append(result)
            line = f"{result.dataset:34} {result.method:34} {result.metric:34} {result.value:12.4g}  {result.seed}"
            typer.echo(msgspec.json.encode(result).decode() if json else line)
        if save and not quick:
            (RESULTS / f"{name}.jsonl").write_bytes(b"".join(msgspec.json.encode(result) + b"\n" for result in results))


if __name__ == "__main__":
    typer.run(main)

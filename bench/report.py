"""Report: the measured tables of docs/benchmarks.md. The prose around them is written by people and stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bench import results
from bench.latency import Latency
from bench.many import Load, Many
from bench.memory import Memory
from bench.peer import PEERS, Cost
from bench.results import Result
from bench.saturation import Saturation
from bench.steps import ROWS, Step

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_MARKED = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
Lines = Sequence[Sequence[object]]
Goal = tuple[str, float | None, float]
"""(name, measured, at most)."""


def write() -> None:
    """Replaces every table in docs/benchmarks.md that there are results for."""
    found = {part: result for part in results.KINDS if (result := results.load(part))}
    tables = {part: table(part, result) for part, result in found.items()}
    tables["goals"] = _drawn(goals(results.view(found)))
    DOCUMENT.write_text(fill(DOCUMENT.read_text(), tables))


def fill(text: str, tables: dict[str, str]) -> str:
    """Returns the text with each `<!-- table PART -->…<!-- end -->` holding its table; parts without one stay as they are."""
    return _MARKED.sub(lambda found: f"{found[1]}{tables[found[2]]}{found[3]}" if found[2] in tables else found[0], text)


def table(part: str, result: Result) -> str:
    """Returns one part's table in Markdown, with the command, the machine and the commit under it."""
    return f"{_drawn(RENDER[part](result.value))}\n`{result.command}` on {result.machine}, commit `{result.commit}`.\n"


def goals(view: dict[str, Any]) -> Lines:
    """Returns each goal beside what was measured; what was not measured is left out."""
    latency = view["latency_ms"] or {}
    measured: list[Goal] = [
        *_duty_goals("light", view["light"], 8.0, 1 / 10, 1 / 1.3),
        *_duty_goals("full", view["full"], 10.0, 1 / 10, 1 / 3),
        ("40 models, CPU us per event", view["many_models_us"], 40.0),
        ("reading p99, ms", latency.get("reading_p99"), 200.0),
        ("alert p99, ms", latency.get("alert_p99"), 1_000.0),
    ]
    lines = [
        [name, _short(value), _short(most), "yes" if value <= most else "no"]
        for name, value, most in measured
        if value is not None
    ]
    return [["goal", "measured", "at most", "met"], *lines]


def _duty_goals(duty: str, found: dict[str, Any] | None, us: float, of_faust: float, of_quix: float) -> list[Goal]:
    if found is None:
        return []
    total = found["tocsin_us"]["total"]
    return [
        (f"{duty} duty, CPU us per event", total, us),
        (f"{duty} duty, share of naive Faust's cost", total / found["faust_us"], of_faust),
        (f"{duty} duty, share of Quix Streams' cost", total / found["quix_us"], of_quix),
    ]


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1_000 else f"{value:,.0f}"


def _drawn(lines: Lines) -> str:
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "".join("| " + " | ".join(str(cell) for cell in row) + " |\n" for row in rows)


def _saturation(value: Saturation) -> Lines:
    ours = value.tocsin

    def peer(name: str, cost: Cost) -> Sequence[object]:
        return PEERS[name].title, f"{cost.us:.1f}", f"{cost.per_s:,.0f}", f"{cost.us / ours.total:.1f} x"

    parts = f"intake {ours.intake:.2f}, sense {ours.sense:.2f}, judge {ours.judge:.2f}, triage {ours.triage:.2f}"
    return [
        ["contender", "CPU us per event", "events/s", "of Tocsin's cost"],
        peer("faust", value.faust),
        peer("quix", value.quix),
        [f"Tocsin ({parts})", f"{ours.total:.2f}", f"{ours.per_s:,.0f}", "1 x"],
    ]


def _many(value: Many) -> Lines:
    def load(name: str, found: Load) -> Sequence[object]:
        cost = found.cost
        cells = [f"{cell:.1f}" for cell in (cost.intake, cost.sense, cost.judge, cost.triage, cost.total)]
        return name, f"{found.rows_per_block:.1f}", *cells, f"{found.sense_kb:,.0f} / {found.judge_kb:,.0f}"

    what = f"{value.models} x {value.per_model_s} for {value.seconds} s"
    return [
        [
            "models x events/s",
            "rows/block",
            "intake",
            "sense",
            "judge",
            "triage",
            "total, CPU us per event",
            "snapshot of a shard of sense / a group of judge, kB",
        ],
        load(what, value.bare),
        load(f"{what}, all armed", value.armed),
    ]


def _latency(value: Latency) -> Lines:
    alert = "-" if value.alert_p99 is None else f"{value.alert_p99:.0f} (over {value.alerts} findings)"
    return [
        ["events/s", "reading p50, ms", "reading p99, ms", "alert p99, ms"],
        [f"{value.per_s:,} for {value.seconds} s", f"{value.reading_p50:.0f}", f"{value.reading_p99:.0f}", alert],
    ]


def _memory(value: Memory) -> Lines:
    cells = [f"{cell:.0f}" for cell in (value.before_mb, value.after_mb, value.peak_mb)]
    return [
        ["events", "callers", "RSS before, MB", "RSS after, MB", "RSS peak, MB", "snapshot, MB", "fold, CPU us per event"],
        [f"{value.events:,}", f"{value.callers:,}", *cells, f"{value.snapshot_mb:.1f}", f"{value.us:.2f}"],
    ]


def _steps(value: list[Step]) -> Lines:
    return [
        ["part", "step", *(f"{rows} rows/frame, us" for rows in ROWS)],
        *([step.part, step.name, *(f"{step.us[rows]:.2f}" for rows in ROWS)] for step in value),
    ]


RENDER: Final[dict[str, Callable[[Any], Lines]]] = {
    "light": _saturation,
    "full": _saturation,
    "many": _many,
    "latency": _latency,
    "rss": _memory,
    "steps": _steps,
}

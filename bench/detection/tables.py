"""Tables: those of docs/detection.md, from the numbers in results/. The prose around them is written by people and stays as is.

`python -m bench.detection.tables` rewrites what stands between `<!-- table NAME -->` and `<!-- end -->`. A cell is one number
over all sets and seeds that its row and column leave open: the median, the mean, the worst, or the sum.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean, median
from typing import Final, Literal, NamedTuple

import msgspec

from bench.detection.__main__ import RESULTS
from bench.detection.result import Result

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "detection.md"
MARKED: Final = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
REDUCE: Final[dict[str, Callable[[list[float]], float]]] = {"median": median, "mean": fmean, "worst": max, "sum": sum}


class Table(NamedTuple):
    """One row of `TABLES`.

    Attributes:
        part: whose numbers.
        metric: regular expression that a metric must match in whole; its group is the label of a row.
        columns: what tells columns apart: the method or the set.
        rows: what tells rows apart.
        cell: key of `REDUCE`, for the numbers that share a row and a column.
        only: methods, in part of their name, to which the table is restricted; all with none.
    """

    part: str
    metric: str
    columns: Literal["method", "dataset"] = "method"
    rows: Literal["metric", "method", "dataset"] = "metric"
    cell: str = "median"
    only: tuple[str, ...] = ()


TABLES: Final[dict[str, Table]] = {
    "path_methods": Table("query", r"(.+): median queries to alarm"),
    "path_found": Table("query", r"(.+): share found", cell="mean"),
    "path_sets": Table("query", r"(.+): median queries to alarm", "dataset", only=("A = 1e5",)),
    "path_budget": Table("query", r"(.+): median queries to alarm", "dataset", only=("at its budget",)),
    "path_honest": Table("query", r"benign (.+ flagged.*), share", cell="mean"),
    "path_rare": Table("query", r"(1 in .+): queries to alarm"),
    "path_cost": Table("query", r"(us per event)"),
    "crowd_sets": Table("collusion", r"(.+ at 2\.0%): median queries to alarm", "dataset", only=("tocsin",)),
    "crowd_found": Table("collusion", r"(.+ at 2\.0%): share found", "dataset", only=("tocsin",)),
    "crowd_rarer": Table("collusion", r"(.+ at 0\.5%): median queries to alarm", "dataset", only=("tocsin",)),
    "crowd_precision": Table("collusion", r"(.+ at 2\.0%): precision of the named", "dataset", cell="mean", only=("tocsin",)),
    "crowd_recall": Table("collusion", r"(.+ at 2\.0%): recall of the named", "dataset", cell="mean", only=("tocsin",)),
    "crowd_calm": Table("collusion", r"(.+) per 10\^6 events", only=("tocsin",)),
    "crowd_peers": Table(
        "collusion", r"(.+ alone: queries to alarm|benign events flagged.+)", only=("Blacklight", "dummy", "always")
    ),
    "crowd_cost": Table("collusion", r"(us per event.+)", "dataset", only=("tocsin",)),
    "newcomers_found": Table("newcomers", r"(.+): found of 9", cell="sum"),
    "newcomers_days": Table("newcomers", r"(.+): days to alarm, median"),
    "newcomers_sets": Table("newcomers", r"(.+): days to alarm, longest", "dataset", cell="worst", only=("newcomer_cohort",)),
    "newcomers_false": Table("newcomers", r"(.+): runs of 15 with a false alarm", cell="sum"),
    "newcomers_false_sets": Table(
        "newcomers", r"(.+): runs of 15 with a false alarm", "dataset", cell="sum", only=("newcomer_cohort",)
    ),
    "exposure_said": Table("exposure", r"(\d+ questions): fidelity.*", cell="mean"),
    "exposure_error": Table("exposure", r"largest error, absolute()", rows="dataset", cell="worst"),
    "scale": Table("scale", r"(.+)"),
}
"""Name in docs/detection.md → what it shows."""


def drawn(table: Table, results: Iterable[Result]) -> str:
    """Returns a table in Markdown, rows and columns in the order in which the results first name them; "" of no results."""
    cells: dict[tuple[str, str], list[float]] = {}
    for result in results:
        found = re.fullmatch(table.metric, result.metric)
        if found and (not table.only or any(part in result.method for part in table.only)):
            keys = msgspec.structs.asdict(result) | {"metric": found[1]}
            cells.setdefault((str(keys[table.rows]), str(keys[table.columns])), []).append(result.value)
    rows, columns = (list(dict.fromkeys(key[side] for key in cells)) for side in (0, 1))
    if not cells:
        return ""
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(shown(cells.get((row, column), []), table.cell) for column in columns)] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def shown(values: list[float], cell: str) -> str:
    """Returns one cell: three digits, "-" where there is no number."""
    if not values:
        return "-"
    value = REDUCE[cell](values)
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def fill(text: str, tables: dict[str, str]) -> str:
    """Returns the text with each marked table replaced; those that there are no results for stay as they are."""
    return MARKED.sub(lambda found: f"{found[1]}{tables[found[2]]}{found[3]}" if tables.get(found[2]) else found[0], text)


def saved(part: str) -> list[Result]:
    """Returns a part's saved numbers, none when it was never measured."""
    path = RESULTS / f"{part}.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Result) for line in lines]


def write() -> None:
    """Rewrites docs/detection.md."""
    tables = {name: drawn(table, saved(table.part)) for name, table in TABLES.items()}
    DOCUMENT.write_text(fill(DOCUMENT.read_text(), tables))


if __name__ == "__main__":
    write()

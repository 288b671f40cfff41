"""Tables of docs/detection.md: which numbers meet in a cell, and what is left alone."""

from __future__ import annotations

import re

import pytest

from bench.detection.__main__ import PARTS
from bench.detection.result import Result
from bench.detection.tables import DOCUMENT, MARKED, REDUCE, TABLES, Table, drawn, fill, shown

RESULTS = [
    Result("query", "magic", "ours", "sweep: median queries to alarm", 7.0, 1),
    Result("query", "cover", "ours", "sweep: median queries to alarm", 11.0, 1),
    Result("query", "magic", "theirs", "sweep: median queries to alarm", 102.0, 1),
    Result("query", "magic", "ours", "us per event", 8.0, 1),
]


def test_a_cell_is_the_median_over_the_sets_that_its_column_leaves_open() -> None:
    table = drawn(Table("query", r"(.+): median queries to alarm"), RESULTS)
    assert table == "|  | ours | theirs |\n| --- | --- | --- |\n| sweep | 9 | 102 |\n"


def test_columns_may_be_sets_and_methods_be_left_out() -> None:
    table = drawn(Table("query", r"(.+): median queries to alarm", "dataset", only=("our",)), RESULTS)
    assert table.splitlines()[2] == "| sweep | 7 | 11 |"


def test_no_results_are_no_table() -> None:
    assert drawn(Table("query", "(nothing)"), RESULTS) == ""


@pytest.mark.parametrize(("values", "text"), [([], "-"), ([0.12345], "0.123"), ([1234.4, 1234.6], "1,234")])
def test_a_cell_has_three_digits_or_says_that_there_is_none(values: list[float], text: str) -> None:
    assert shown(values, "mean") == text


def test_only_marked_tables_with_results_are_replaced() -> None:
    text = "a\n<!-- table one -->\nold\n<!-- end -->\n<!-- table two -->\nkept\n<!-- end -->\n"
    assert fill(text, {"one": "new\n", "two": ""}) == text.replace("old", "new")


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_of_a_part_and_stands_in_the_document(name: str) -> None:
    table = TABLES[name]
    assert table.part in PARTS
    assert table.cell in REDUCE
    assert re.compile(table.metric).groups == 1
    assert name in {found[1] for found in MARKED.findall(DOCUMENT.read_text())}

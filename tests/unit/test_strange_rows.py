"""Strange rows: the last ones are remembered, and summed up for people."""

from __future__ import annotations

from models.strange_rows import KEPT, NONE, SHOWN, StrangeRow, StrangeRows, body_of, evidence_of, joined, since, strangest
from tocsin.event import Coordinates, Source
from tocsin.reading import Reports

A, B = Source("a", "raw", 0), Source("b", "raw", 1)
NAMES = ("amount", "hour", "items")


def row(offset: int, source: int = 0, caller: int = 1, score: float = 3.0, features: tuple[int, ...] = (0,)) -> StrangeRow:
    return StrangeRow(caller, source, offset, 0, 1_000 * offset, score, 0.002, features)


def reports(*rows: StrangeRow, sources: tuple[Source, ...] = (A,)) -> Reports:
    body = body_of(StrangeRows(sources, rows))
    return Reports("envelope", 1, "n/m@1", "", 1, "armed", 10, 0, 0, Coordinates(A, 0, 0), (), body)


def test_reports_of_several_shards_are_joined_in_order() -> None:
    known = joined(joined(NONE, reports(row(1))), reports(row(2, 1), sources=(A, B)))
    assert known.sources == (A, B)
    assert [(known.sources[one.source], one.offset) for one in known.rows] == [(A, 1), (B, 2)]


def test_only_the_last_are_kept_and_sources_go_with_their_rows() -> None:
    known = joined(NONE, reports(row(1)))
    known = joined(known, reports(*(row(offset) for offset in range(2, KEPT + 2)), sources=(B,)))
    assert len(known.rows) == KEPT
    assert known.sources == (B,)
    assert {one.source for one in known.rows} == {0}


def test_what_came_since_the_onset_counts_and_all_if_nothing_did() -> None:
    known = joined(NONE, reports(*(row(offset) for offset in range(5))))
    assert [one.offset for one in since(known, 3_000)] == [3, 4]
    assert len(since(known, 10_000)) == 5


def test_features_are_named_by_how_many_rows_they_are_to_blame_for() -> None:
    rows = [row(1, features=(1, 0)), row(2, features=(1,), caller=2), row(3, features=(1, 2)), row(4, features=())]
    found = evidence_of(rows, NAMES)
    assert found["offending_features"] == "hour 0.75, amount 0.25, items 0.25"
    assert (found["strange_rows_looked_at"], found["distinct_callers"], found["least_p"]) == (4, 2, 0.002)


def test_a_feature_that_is_seldom_to_blame_is_left_out() -> None:
    rows = [row(offset, features=(0,) if offset else (0, 2)) for offset in range(10)]
    assert evidence_of(rows, NAMES)["offending_features"] == "amount 1.00"


def test_rows_that_no_feature_explains_say_so_and_none_say_nothing() -> None:
    assert evidence_of([row(1, features=())], NAMES)["offending_features"] == "none alone"
    assert evidence_of([], NAMES) == {}


def test_the_strangest_are_shown_first() -> None:
    known = joined(NONE, reports(*(row(offset, score=offset % 7) for offset in range(20))))
    assert [where.offset for where in strangest(known, known.rows)] == [6, 13, 5]
    assert len(strangest(known, known.rows)) == SHOWN

"""Envelope's scout: tells of single inputs far outside, whoever asks and however rows are cut."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from models.baseline import Baseline
from models.detector import Seat
from models.envelope_scout import AT_ONCE, EVERY, STRANGE, EnvelopeScout, because, scout
from models.loda import p_values, scores
from models.strange_rows import StrangeRow, StrangeRows
from tests.helpers.baselines import baseline_of
from tests.helpers.traffic import MODEL, cut, rows_at, with_values
from tocsin.errors import ConfigError, StateError
from tocsin.event import Coordinates
from tocsin.rows import Rows

AMOUNT = 0


def calm(events: int, seed: int) -> Rows:
    return rows_at(np.arange(events) / 4.0, np.arange(events) + seed * 1_000_000, seed=seed)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return baseline_of(calm(20_000, 1), watches=("envelope",))


def strange(rows: Rows, which: list[int]) -> Rows:
    """Returns the rows, some of them with an amount far outside."""
    values = rows.values.copy()
    values[AMOUNT, which] = 9_000
    return with_values(rows, 0, values=values)


def told(looking: EnvelopeScout, rows: Rows, size: int = 512) -> list[tuple[StrangeRow, Coordinates]]:
    """Returns every row that the scout tells of, and where it entered."""
    found = []
    for block in cut(rows, size):
        report = looking.look(block)
        if report is not None:
            body = msgspec.msgpack.decode(report.body, type=StrangeRows)
            assert {caller.hash for caller in report.callers} == {row.caller for row in body.rows}
            found += [(row, Coordinates(body.sources[row.source], row.offset, row.row)) for row in body.rows]
    return found


def test_strange_rows_are_told_with_caller_place_and_the_feature_to_blame(baseline: Baseline) -> None:
    rows = strange(calm(1_000, 2), [300, 700])
    by_place = {where: row for row, where in told(EnvelopeScout(baseline), rows)}
    for at in (300, 700):
        row = by_place[rows.coordinates(at)]
        assert (row.caller, row.ts) == (int(rows.hash[at]), int(rows.ts[at]))
        assert row.p == 1 / 4_097
        assert row.features[0] == AMOUNT


def test_no_more_calm_rows_are_told_than_the_rate_that_golden_ones_had(baseline: Baseline) -> None:
    rows = calm(40_000, 3)
    found = told(EnvelopeScout(baseline), rows)
    assert all(row.p <= STRANGE for row, _ in found)
    assert 0.7 * STRANGE < len(found) / len(rows) < 1.3 * STRANGE


@pytest.mark.parametrize("size", [7, 1])
def test_any_cut_tells_the_same_and_leaves_the_same_state(baseline: Baseline, size: int) -> None:
    rows = strange(calm(1_500, 4), list(range(100, 300)))
    whole, pieces = EnvelopeScout(baseline), EnvelopeScout(baseline)
    assert told(whole, rows, 512) == told(pieces, rows, size)
    assert whole.dump() == pieces.dump()


def test_a_flood_is_told_in_part(baseline: Baseline) -> None:
    rows = strange(calm(4_000, 5), list(range(4_000)))
    assert len(told(EnvelopeScout(baseline), rows)) == AT_ONCE + (4_000 - 1) // EVERY


def test_a_restart_forgets_nothing(baseline: Baseline) -> None:
    rows = strange(calm(2_000, 6), list(range(2_000)))
    first, second, uncut = EnvelopeScout(baseline), EnvelopeScout(baseline), EnvelopeScout(baseline)
    before = told(first, rows.select(slice(0, 900)))
    second.load(first.dump())
    assert before + told(second, rows.select(slice(900, None))) == told(uncut, rows)


@pytest.mark.parametrize("data", [b"", b"\xff", msgspec.msgpack.encode(("another", 3))])
def test_what_is_no_state_of_this_baseline_is_refused(baseline: Baseline, data: bytes) -> None:
    looking = EnvelopeScout(baseline)
    before = looking.dump()
    with pytest.raises(StateError, match="envelope"):
        looking.load(data)
    assert looking.dump() == before


def test_without_an_envelope_there_is_nothing_to_tell() -> None:
    bare = baseline_of(calm(2_000, 1), watches=("confidence",))
    assert EnvelopeScout(bare).look(calm(100, 2)) is None
    assert because(bare, calm(100, 2)) is None


def test_without_a_baseline_it_says_so() -> None:
    with pytest.raises(ConfigError, match="envelope"):
        scout(Seat(model=MODEL))


def test_features_are_found_by_name(baseline: Baseline) -> None:
    rows = strange(calm(500, 2), [40])
    turned = Rows(
        **{name: getattr(rows, name) for name in rows.__slots__}
        | {"features": rows.features[::-1], "values": np.ascontiguousarray(rows.values[::-1])}
    )
    assert told(EnvelopeScout(baseline), turned) == told(EnvelopeScout(baseline), rows)


def test_every_row_can_be_asked_why(baseline: Baseline) -> None:
    rows = strange(calm(1_100, 7), [3])
    found = because(baseline, rows)
    assert found is not None
    assert baseline.envelope is not None
    assert found.score.tolist() == scores(baseline.envelope, rows.values).tolist()
    assert found.p.tolist() == p_values(baseline.envelope, found.score).tolist()
    assert len(found.features) == len(rows)
    assert found.features[3][0] == baseline.features[AMOUNT]
    assert found.p[3] < 0.001

"""Envelope: silent while as many inputs as ever lie outside, plain-spoken when more do."""

from __future__ import annotations

import numpy as np
import pytest

from models import envelope
from models.baseline import Baseline, hash_of
from models.census import Census
from models.detector import Seat
from models.envelope import Envelope
from models.envelope_scout import EnvelopeScout
from models.experts import EXPERTS
from models.loda import TAIL, p_values, scores
from models.shiryaev_roberts import MONTH_S
from tests.helpers.baselines import Feed, baseline_of, weighed
from tests.helpers.traffic import MODEL, cut, rows_at, with_values
from tocsin.errors import ConfigError
from tocsin.reading import Reading, Reports
from tocsin.rows import Rows

RATE = 4.0
CHANGED = 8_000


def calm(events: int, seed: int) -> Rows:
    """Returns `events` rows, each by a caller of its own, RATE per second."""
    return rows_at(np.arange(events) / RATE, np.arange(events) + seed * 1_000_000, seed=seed)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return baseline_of(calm(40_000, 1), watches=("envelope",))


def build(baseline: Baseline, alerts_per_month: float = 1.0) -> Envelope:
    return envelope.build(Seat(model=MODEL, baseline=baseline, alerts_per_month=alerts_per_month))


def with_strange(rows: Rows, share: float, amount: float = 5_000.0) -> Rows:
    """Returns the rows with this share of those from CHANGED on far outside in one feature."""
    values = rows.values[:, CHANGED:].copy()
    values[0, np.random.default_rng(1).random(values.shape[1]) < share] = amount
    return with_values(rows, CHANGED, values=values)


def readings(baseline: Baseline, rows: Rows) -> list[Reading]:
    return weighed(build(baseline), baseline, rows)


@pytest.mark.parametrize("seed", [2, 3])
def test_as_many_strange_rows_as_ever_are_no_news(baseline: Baseline, seed: int) -> None:
    assert weighed(build(baseline, 4.0), baseline, calm(60_000, seed)) == []


def test_five_percent_of_the_rows_outside_are_found_and_counted(baseline: Baseline) -> None:
    first = readings(baseline, with_strange(calm(12_000, 4), 0.05))[0]
    assert (first.detector, first.watches, first.caller) == ("envelope", "envelope", None)
    assert CHANGED <= first.at.offset < CHANGED + 1_500
    assert first.statistic >= first.threshold == MONTH_S
    assert first.evidence["direction"] in envelope.BETS
    assert first.evidence["golden_share_outside"] == round(envelope.OUTSIDE, 4)
    assert first.evidence["recent_share_outside"] > 0.035  # type: ignore[operator]


def test_two_percent_are_found_later(baseline: Baseline) -> None:
    first = readings(baseline, with_strange(calm(24_000, 5), 0.02))[0]
    assert CHANGED <= first.at.offset < CHANGED + 10_000


def test_inputs_that_are_more_ordinary_than_ever_are_no_alarm(baseline: Baseline) -> None:
    rows = calm(16_000, 6)
    ordinary = np.repeat(np.median(rows.values, axis=1, keepdims=True), len(rows) - CHANGED, axis=1)
    assert readings(baseline, with_values(rows, CHANGED, values=ordinary)) == []


def test_only_experts_that_say_scores_rose_bet(baseline: Baseline) -> None:
    bank = build(baseline).watch.bank
    assert {EXPERTS[index].direction for index in bank.experts} == {"up", "top"}


def test_a_fifth_of_the_traffic_on_a_walk_is_found_and_moves_nothing(baseline: Baseline) -> None:
    assert baseline.envelope is not None
    target = np.array([[5_000], [200], [12]], np.float32)
    name, p = hash_of(baseline), p_values(baseline.envelope, scores(baseline.envelope, target)).tolist()
    rows = calm(20_000, 7)
    values = rows.values.copy()
    values[:, ::5] += (target - values[:, ::5]) * np.linspace(0, 1, len(rows) // 5, dtype=np.float32)
    assert readings(baseline, with_values(rows, 0, values=values))
    assert hash_of(baseline) == name
    assert p_values(baseline.envelope, scores(baseline.envelope, target)).tolist() == p


def test_a_few_very_strange_rows_are_found_by_the_tail_long_before(baseline: Baseline) -> None:
    tailed = baseline_of(calm(40_000, 1), watches=("envelope", "tail"))
    rows = with_strange(calm(20_000, 8), 0.01)
    first = readings(tailed, rows)[0]
    assert CHANGED <= first.at.offset < CHANGED + 2_500
    assert first.watches == "envelope"
    assert first.evidence["golden_share_outside"] == float(f"{envelope.OUTSIDE * TAIL:.3g}")
    assert 0.003 < first.evidence["recent_share_outside"] < 0.03  # type: ignore[operator]
    assert not [reading for reading in readings(baseline, rows) if reading.at.offset <= first.at.offset]


@pytest.mark.parametrize("seed", [2, 3])
def test_the_tail_of_calm_traffic_is_no_news(seed: int) -> None:
    tailed = baseline_of(calm(40_000, 1), watches=("envelope", "tail"))
    assert weighed(build(tailed, 4.0), tailed, calm(60_000, seed)) == []


def test_a_finding_names_the_feature_the_callers_and_rows_to_look_at(baseline: Baseline) -> None:
    rows, watch, looking = with_strange(calm(12_000, 4), 0.05), build(baseline), EnvelopeScout(baseline)
    feed = Feed(Census(baseline, 1))
    first = next(reading for block in cut(rows, 128) for reading in told_and_weighed(watch, looking, feed, block))
    assert str(first.evidence["offending_features"]).startswith(baseline.features[0])
    assert first.evidence["distinct_callers"] == first.evidence["strange_rows_looked_at"]  # each has a caller of its own
    assert len(first.examples) == 3
    assert all(rows.values[0, where.offset] == 5_000 for where in first.examples)
    fresh = build(baseline)
    fresh.load(watch.dump())
    assert fresh.dump() == watch.dump()
    assert fresh.told == watch.told


def told_and_weighed(watch: Envelope, looking: EnvelopeScout, feed: Feed, block: Rows) -> list[Reading]:
    """Returns what the detector reads after the scout's report and the counts of these rows."""
    report = looking.look(block)
    if report is not None:
        times = (int(block.ts[0]), int(block.ts[-1]))
        at = block.coordinates(len(block) - 1)
        watch.receive(
            Reports("envelope", 1, MODEL, "", 1, "armed", len(block), *times, at, report.callers, report.body), seconds=0.0
        )
    return feed.weighed(watch, block)


def test_without_a_baseline_it_says_so() -> None:
    with pytest.raises(ConfigError, match="envelope"):
        envelope.build(Seat(model=MODEL))


def test_a_baseline_without_features_leaves_it_silent() -> None:
    bare = baseline_of(calm(2_000, 1), watches=("confidence",))
    assert readings(bare, calm(1_000, 2)) == []

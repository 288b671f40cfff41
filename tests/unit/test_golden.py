"""Golden traffic of every kind becomes a baseline, or a sentence that says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.baseline import CELLS, Baseline, decode_baseline, encode_baseline, floats, hash_of
from models.census import Census
from models.draft import decision_boundary, drafted
from models.golden import Sample, build_baseline
from models.golden_sample import STRETCH
from tests.helpers.traffic import MODEL, cut, poisson, rows_at, sessions
from tocsin.errors import ConfigError
from tocsin.rows import Rows, category_code

DAY_S = 86_400.0


def calm(days: float = 3.0, per_day: float = 1_500.0, seed: int = 1) -> Rows:
    return rows_at(*sessions(seed, 300, per_day / DAY_S, days * DAY_S, pause_s=60.0), seed=seed)


def sample_of(rows: Rows, size: int = 512, cap: int = 1 << 18) -> Sample:
    sample = Sample(cap)
    for block in cut(rows, size):
        sample.add(block)
    return sample


def baseline_of(rows: Rows, inherits: Baseline | None = None) -> Baseline:
    return build_baseline(sample_of(rows), zone="UTC", alerts_per_model_month=1.0, origin="a test", inherits=inherits)


def nameless(rows: Rows) -> Rows:
    return replace(rows, hash=np.zeros(len(rows), np.uint64))


def of_nobody_twice(rows: Rows) -> Rows:
    return replace(rows, hash=np.arange(len(rows), dtype=np.uint64) << np.uint64(7))


def unsure(rows: Rows) -> Rows:
    return replace(rows, confidence=np.full(len(rows), np.nan, np.float32))


def featureless(rows: Rows) -> Rows:
    return replace(rows, features=(), values=np.empty((0, len(rows)), np.float32))


def categories_only(rows: Rows) -> Rows:
    codes = np.array([category_code(name) for name in ("DE", "FR", "IT", "PL")], np.float32)
    return replace(rows, features=("=country",), values=codes[rows.hash.astype(np.int64) % 4][None, :])


def one_hour(rows: Rows) -> Rows:
    return replace(rows, ts=rows.ts[0] + np.linspace(0, 3_600_000, len(rows)).astype(np.int64))


def a_few_hundred(rows: Rows) -> Rows:
    return rows.select(slice(0, 300))


def full_of_holes(rows: Rows) -> Rows:
    values = rows.values.copy()
    values[np.random.default_rng(3).random(values.shape) < 0.7] = np.nan
    values[2] = np.nan
    return replace(rows, values=values)


def constant(rows: Rows) -> Rows:
    return replace(
        rows,
        values=np.full_like(rows.values, 7.0),
        confidence=np.ones(len(rows), np.float32),
        latency_ms=np.zeros(len(rows), np.float32),
        label=np.zeros(len(rows), np.uint16),
    )


def all_at_once(rows: Rows) -> Rows:
    return replace(rows, ts=np.full(len(rows), rows.ts[0]))


@pytest.mark.parametrize(
    "strange",
    [
        nameless, of_nobody_twice, unsure, featureless, categories_only, one_hour, a_few_hundred, full_of_holes, constant,
        all_at_once,
    ],
)  # fmt: skip
def test_whatever_the_traffic_there_is_a_baseline_and_it_counts_live_rows(strange: Callable[[Rows], Rows]) -> None:
    rows = strange(calm())
    baseline = baseline_of(rows)
    assert hash_of(decode_baseline(encode_baseline(baseline), "here")) == hash_of(baseline)
    for quantity in baseline.quantities:
        masses = floats(quantity.masses, baseline.season.buckets, CELLS, dtype="<f8")
        assert masses.sum(axis=1) == pytest.approx(np.ones(baseline.season.buckets))
        assert 0.0 <= quantity.correlation < 1.0
        assert (floats(quantity.tempering, -1) > 0).all()
        assert (floats(quantity.margin, -1) >= 0).all()
    counted = Census(baseline, 4).count(rows)
    assert sum(found.rows for found in counted) == len(rows)
    assert all(gate.says for gate in baseline.gate)


def test_without_callers_nothing_is_discounted() -> None:
    for strange in (nameless, of_nobody_twice):
        assert {quantity.correlation for quantity in baseline_of(strange(calm())).quantities} == {0.0}


def test_what_is_not_there_is_not_watched_and_the_gate_says_so() -> None:
    baseline = baseline_of(unsure(featureless(calm())))
    assert {quantity.watches for quantity in baseline.quantities} == {"latency", "label"}
    says = {gate.detector: gate.says for gate in baseline.gate}
    assert says["feature_drift"] == "blind: golden traffic has no feature or missing"
    assert not baseline.armed("feature_drift")
    assert np.isnan(baseline.boundary)


def test_too_few_rows_are_refused_with_what_is_needed() -> None:
    with pytest.raises(ConfigError, match="250 rows needed; found 200"):
        baseline_of(calm().select(slice(0, 200)))
    with pytest.raises(ConfigError, match="no model"):
        build_baseline(Sample(), zone="UTC", alerts_per_model_month=1.0, origin="")


def test_rows_with_nothing_to_watch_are_refused() -> None:
    rows = unsure(featureless(calm()))
    empty = replace(rows, labels=("",), label=np.zeros(len(rows), np.uint16), latency_ms=rows.confidence)
    with pytest.raises(ConfigError, match="found none"):
        baseline_of(empty)


def test_rows_of_another_model_are_refused_and_labels_passed_over() -> None:
    sample = sample_of(calm())
    before = sample.rows
    sample.add(replace(calm(), kind="label", model="other/model@1"))
    assert sample.rows == before
    with pytest.raises(ConfigError, match=MODEL):
        sample.add(replace(calm(), model="other/model@1"))


@pytest.mark.parametrize("cap", [1 << 18, 2 * STRETCH])
def test_a_baseline_does_not_depend_on_how_rows_were_cut(cap: int) -> None:
    names = set()
    for size in (100, 777, 100_000):
        sample = sample_of(calm(), size, cap)
        names.add(hash_of(build_baseline(sample, zone="UTC", alerts_per_model_month=1.0, origin="a test")))
    assert len(names) == 1


def test_a_sample_beyond_its_cap_keeps_whole_stretches_and_remembers_how_many_rows_there_were() -> None:
    rows = calm(days=8.0)
    sample = sample_of(rows, 512, 4 * STRETCH)
    golden = sample.golden()
    assert len(golden.rows) <= 4 * STRETCH
    assert golden.share == len(golden.rows) / len(rows)
    stretches, sizes = np.unique(np.searchsorted(rows.ts, golden.rows.ts) // STRETCH, return_counts=True)
    assert np.median(sizes) > 0.9 * STRETCH
    assert len(stretches) > 2
    assert build_baseline(sample, zone="UTC", alerts_per_model_month=1.0, origin="").rows == len(rows)


def test_one_caller_who_fills_the_golden_traffic_weighs_there_what_it_will_weigh_live() -> None:
    rows = rows_at(*poisson(5, 400, 4_000 / 400 / DAY_S, DAY_S), seed=5)
    loud = np.random.default_rng(5).random(len(rows)) < 0.5
    values = rows.values.copy()
    values[0, loud] = np.float32(1e6) + np.arange(loud.sum(), dtype=np.float32)
    hashes = np.where(loud, np.uint64(12_345), rows.hash)
    amount = baseline_of(replace(rows, values=values, hash=hashes)).quantities[0]
    masses = floats(amount.masses, -1, CELLS, dtype="<f8")[0]
    edges = floats(amount.edges, -1, CELLS - 1)[0]
    assert amount.correlation > 0.5
    assert masses[np.searchsorted(edges, 1e6) + 1 :].sum() < 0.02


def test_a_first_missing_value_is_in_a_cell_of_its_own() -> None:
    rows = calm()
    baseline = baseline_of(rows)
    missing = baseline.of("missing")[0]
    gone = replace(rows, values=np.full_like(rows.values, np.nan))
    before, after = (Census(baseline, 1).count(part)[0].weights[missing] for part in (rows, gone))
    assert not ((before > 0) & (after > 0)).any()
    masses = floats(baseline.quantities[missing].masses, -1, CELLS, dtype="<f8")[0]
    assert 0 < masses[after > 0].sum() < 0.01


def test_a_new_version_inherits_what_the_traffic_brings_and_relearns_what_the_model_answers() -> None:
    first = baseline_of(calm())
    changed = calm(seed=2)
    changed = replace(changed, confidence=(changed.confidence * 0.5).astype(np.float32))
    second = baseline_of(changed, first)
    assert second.inherits == hash_of(first)
    assert second.season == first.season
    assert second.envelope == first.envelope
    old, new = ({quantity.name: quantity.edges for quantity in baseline.quantities} for baseline in (first, second))
    assert old["amount"] == new["amount"]
    assert old["envelope"] == new["envelope"]
    assert old["confidence"] != new["confidence"]


def test_a_feature_that_the_new_version_adds_is_learnt() -> None:
    rows = calm()
    first = baseline_of(replace(rows, features=rows.features[:2], values=rows.values[:2]))
    second = baseline_of(replace(rows, features=("hour", "km", "amount"), values=rows.values[::-1]), first)
    names = [quantity.name for quantity in second.quantities if quantity.watches == "feature"]
    assert names == ["hour", "km", "amount"]
    amounts = {baseline.quantities[baseline.of("feature")[index]].edges for baseline, index in ((first, 0), (second, 2))}
    assert len(amounts) == 1


def test_the_decision_flips_where_labels_do() -> None:
    score = np.linspace(0, 1, 1_000, dtype=np.float32)
    refused = (score >= 0.7).astype(np.float32)
    assert decision_boundary(score, refused) == pytest.approx(0.7, abs=0.002)
    surest = np.abs(score - 0.5) + np.float32(0.5)
    assert decision_boundary(surest, (score >= 0.5).astype(np.float32)) == pytest.approx(0.5, abs=0.002)
    assert np.isnan(decision_boundary(score, np.zeros(1_000, np.float32)))
    assert np.isnan(decision_boundary(np.full(9, np.nan, np.float32), np.arange(9, dtype=np.float32)))


@pytest.mark.parametrize("features", [400, 700, 1_200])
def test_records_too_wide_for_sixteen_bits_of_cells_are_watched_as_far_as_these_go(features: int) -> None:
    rows = calm(days=1.0, per_day=400.0)
    values = np.random.default_rng(3).normal(size=(features, len(rows))).astype(np.float32)
    wide = replace(rows, features=tuple(f"f{number}" for number in range(features)), values=values)
    found = drafted(sample_of(wide).golden(), "UTC", "a test").outline.quantities
    watched = [quantity.watches for quantity in found]
    assert len(found) * CELLS <= 1 << 16
    assert watched.count("feature") == min(features, 1_018)
    assert {"confidence", "latency", "label", "envelope"} <= set(watched)

"""The bank and the detectors around it: silent under the golden distribution, quick and plain-spoken beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from models import confidence_shift, feature_drift, latency_shift
from models.baseline import Baseline, Season
from models.census import Census
from models.detector import CountsDetector, Seat
from models.experts import EXPERTS
from models.shiryaev_roberts import MONTH_S, REST_S, Bank, log_pay_offs
from tests.helpers.baselines import Feed, baseline_of, weighed
from tests.helpers.traffic import MODEL, START_MS, rows_at, with_values
from tocsin.errors import ConfigError, StateError
from tocsin.event import Coordinates, Source
from tocsin.reading import Counts, Reading
from tocsin.rows import Rows, category_code

RATE = 4.0
AT = Coordinates(Source("t", "raw", 0), 0, 0)


def calm(events: int, seed: int, after_s: float = 0.0) -> Rows:
    """Returns `events` rows, each by a caller of its own, RATE per second."""
    return rows_at(after_s + np.arange(events) / RATE, np.arange(events) + seed * 1_000_000, seed=seed)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return baseline_of(calm(20_000, 1))


def build(module: object, baseline: Baseline, alerts_per_month: float = 1.0) -> CountsDetector:
    built: CountsDetector = module.build(Seat(model=MODEL, baseline=baseline, alerts_per_month=alerts_per_month))  # type: ignore[attr-defined]
    return built


def changed(rows: Rows, row: int, **factors: float) -> Rows:
    """Returns the rows with these columns multiplied from `row` on."""
    for name, factor in factors.items():
        rows = with_values(rows, row, **{name: getattr(rows, name)[..., row:] * np.float32(factor)})
    return rows


def counts_at(seconds: float, rows: int = 1) -> Counts:
    ts = START_MS + round(seconds * 1000)
    return Counts(MODEL, "", 1, "armed", 0, rows, ts, ts, AT, b"", b"")


def one_row(baseline: Baseline, cell: int, weight: float = 1.0) -> NDArray[np.float64]:
    matrix = np.zeros((len(baseline.quantities), 64))
    matrix[:, cell] = weight
    return matrix


def test_log_pay_offs_are_the_formula() -> None:
    plain = baseline_of(calm(4_000, 1), watches=("confidence",)).quantities[0]
    halves, tenths = np.full(len(EXPERTS), 0.5, "<f4").tobytes(), np.full(len(EXPERTS), 0.1, "<f4").tobytes()
    quantity = msgspec.structs.replace(plain, tempering=halves, margin=tenths)
    masses = np.frombuffer(plain.masses, "<f8")
    paid = 1 + EXPERT_TILT * (2 * (np.cumsum(masses) - masses / 2) - 1)
    spread = float(np.sqrt((masses * (paid - 1) ** 2).sum()))
    wanted = 0.5 * (np.log(paid) - log(1 + spread / np.sqrt(4_000 * 0.5))) - 0.1
    assert np.allclose(log_pay_offs(quantity, 0)[:, TILTED], wanted, atol=1e-3)


TILTED = next(index for index, expert in enumerate(EXPERTS) if expert.name == "mean up, tilt 0.45")
EXPERT_TILT = 0.45


def test_the_recursion_stakes_seconds_and_multiplies_pay_offs() -> None:
    baseline = baseline_of(calm(4_000, 1), watches=("confidence",))
    bank = Bank(baseline, [0], 1.0)
    logs = log_pay_offs(baseline.quantities[0], 0)
    staked = np.zeros(len(EXPERTS))
    for seconds, cell in [(0.0, 3), (2.0, 60), (1.0, 61), (0.5, 2)]:
        assert bank.weigh(counts_at(0), one_row(baseline, cell), seconds) is None
        staked = (staked + seconds) * np.exp(logs[cell])
    assert np.allclose(bank._staked[0], staked, rtol=1e-5)


def test_nothing_staked_is_nothing_won(baseline: Baseline) -> None:
    bank = Bank(baseline, [0], 1.0)
    assert all(bank.weigh(counts_at(0), one_row(baseline, 63, 512.0), 0.0) is None for _ in range(20))


def test_a_reading_however_extreme_leaves_finite_numbers(baseline: Baseline) -> None:
    bank = Bank(baseline, [0, 1], 1e-9)
    for cell in (63, 0) * 20:
        bank.weigh(counts_at(0), one_row(baseline, cell, 4_096.0), 3_600.0)
        assert np.isfinite(bank._staked).all()


@pytest.mark.parametrize("module", [feature_drift, confidence_shift, latency_shift])
def test_a_calm_week_raises_no_alarm(module: object, baseline: Baseline) -> None:
    rows = calm(100_000, 2)
    assert weighed(build(module, baseline, 4.0), baseline, rows) == []


def test_alarms_stay_within_the_budget_on_independent_rows() -> None:
    alarms, seconds, threshold = 0, 0.0, 2_000.0
    baseline = baseline_of(calm(50_000, 1), watches=("confidence", "latency"))
    for seed in range(2, 6):
        bank = Bank(baseline, [0, 1], MONTH_S / threshold)
        for counts, matrix, earned in Feed(Census(baseline, 1)).counts(calm(40_000, seed), 64):
            alarms += bank.weigh(counts, matrix, earned) is not None
            seconds += earned
    assert 0 < alarms <= 1.2 * seconds / threshold


def first(module: object, baseline: Baseline, rows: Rows) -> Reading:
    readings = weighed(build(module, baseline), baseline, rows)
    assert readings
    return readings[0]


def test_a_unit_change_is_found_at_once_and_names_the_feature(baseline: Baseline) -> None:
    rows = calm(12_000, 3)
    values = rows.values[:, 8_000:].copy()
    values[1] *= np.float32(1_000)
    reading = first(feature_drift, baseline, with_values(rows, 8_000, values=values))
    assert (reading.detector, reading.watches) == ("feature_drift", "km")
    assert 8_000 <= reading.at.offset < 8_200
    assert reading.evidence["direction"] in ("up", "top")
    assert reading.evidence["recent_p05"] > reading.evidence["golden_p95"]  # type: ignore[operator]
    assert reading.evidence["recent_share_in_highest_golden_quarter"] > 0.95  # type: ignore[operator]
    assert abs(reading.onset_ts - int(rows.ts[8_000])) < 60_000
    assert reading.onset_ts <= reading.ts
    assert reading.statistic >= reading.threshold == MONTH_S
    assert 0 < reading.count < 400


def test_a_field_that_goes_missing_is_a_change_of_its_own(baseline: Baseline) -> None:
    rows = calm(10_000, 4)
    values = rows.values[:, 8_000:].copy()
    values[2, ::3] = np.nan
    reading = first(feature_drift, baseline, with_values(rows, 8_000, values=values))
    assert reading.watches == "missing hour"
    assert reading.evidence["golden_share"] < 0.001  # type: ignore[operator]
    assert reading.evidence["recent_share"] == pytest.approx(0.33, abs=0.05)


def test_a_quarter_of_a_standard_deviation_is_found(baseline: Baseline) -> None:
    rows = calm(30_000, 5)
    values = rows.values[:, 8_000:].copy()
    values[0] *= np.float32(np.exp(0.25 * 0.7))
    reading = first(feature_drift, baseline, with_values(rows, 8_000, values=values))
    assert (reading.watches, reading.evidence["direction"]) == ("amount", "up")
    assert reading.at.offset < 8_000 + 2_000
    assert abs(reading.onset_ts - int(rows.ts[8_000])) < 300_000


def test_falling_confidence_and_a_shifted_mix_of_classes_are_told_apart(baseline: Baseline) -> None:
    rows = calm(12_000, 6)
    lower = first(confidence_shift, baseline, changed(rows, 8_000, confidence=0.9))
    assert (lower.watches, lower.evidence["direction"]) == ("confidence", "down")
    steered = first(confidence_shift, baseline, with_values(rows, 8_000, label=np.arange(4_000) % 4 == 0))
    assert (steered.watches, steered.evidence["gained"]) == ("label", "refused")
    assert steered.evidence["recent_share"] > steered.evidence["golden_share"]  # type: ignore[operator]
    assert "direction" not in steered.evidence


def test_a_category_seen_before_is_told_from_one_that_was_not() -> None:
    def countries(rows: Rows, after: int, code: str) -> Rows:
        codes = np.where(np.arange(len(rows)) % 3 == 0, category_code("de"), category_code("fr"))
        codes[after:][::4] = category_code(code)
        return replace(rows, features=("=country",), values=codes[None, :].astype(np.float32))

    golden = baseline_of(countries(calm(20_000, 1), 20_000, ""), watches=("feature",))
    for code, gained in (("de", f"value with code {category_code('de'):.0f}"), ("xx", "rare or unseen values")):
        reading = first(feature_drift, golden, countries(calm(10_000, 2), 8_000, code))
        assert (reading.watches, reading.evidence["gained"]) == ("=country", gained)


def test_a_slow_tail_of_latency_is_found_in_milliseconds(baseline: Baseline) -> None:
    rows = calm(12_000, 7)
    slow = rows.latency_ms[8_000:] * np.where(np.arange(4_000) % 10 == 0, 10, 1).astype(np.float32)
    reading = first(latency_shift, baseline, with_values(rows, 8_000, latency_ms=slow))
    assert reading.watches == "latency_ms"
    assert reading.evidence["golden_median"] == pytest.approx(20, rel=0.1)


def test_what_ends_with_the_reading_it_began_in_raises_no_alarm(baseline: Baseline) -> None:
    rows = calm(10_000, 15)
    burst = np.ones(len(rows), np.float32)
    burst[64 * 128 : 64 * 128 + 20] = 50
    assert weighed(build(latency_shift, baseline), baseline, replace(rows, latency_ms=rows.latency_ms * burst)) != []
    burst[64 * 128 + 4 :] = 1
    assert weighed(build(latency_shift, baseline), baseline, replace(rows, latency_ms=rows.latency_ms * burst)) == []


def test_a_lasting_change_speaks_again_after_its_rest_and_not_before(baseline: Baseline) -> None:
    rows = changed(calm(16_000, 8), 8_000, latency_ms=5.0)
    times = [reading.ts for reading in weighed(build(latency_shift, baseline), baseline, rows)]
    assert len(times) == 4
    assert min(np.diff(times)) >= REST_S * 1000


def test_another_quantity_is_heard_while_one_rests(baseline: Baseline) -> None:
    rows = changed(calm(10_000, 9), 8_000, values=100.0)
    named = [reading.watches for reading in weighed(build(feature_drift, baseline), baseline, rows)]
    assert set(named) == {"amount", "km", "hour"}
    assert len(named) == 3


def test_each_hour_is_judged_by_its_own_pay_offs() -> None:
    golden, rows = calm(40_000, 1), calm(40_000, 2)
    even = (golden.ts // 3_600_000) % 2 == 0
    hourly = replace(golden, latency_ms=np.where(even, golden.latency_ms, golden.latency_ms * 10))
    live = replace(rows, latency_ms=np.where((rows.ts // 3_600_000) % 2 == 0, rows.latency_ms, rows.latency_ms * 10))
    baseline = baseline_of(hourly, watches=("latency",), season=Season("UTC", 24, 1))
    assert weighed(build(latency_shift, baseline), baseline, live) == []
    flat = weighed(build(latency_shift, baseline), baseline, rows)
    assert flat
    assert (flat[0].ts // 3_600_000) % 2 == 1


def test_late_rows_of_the_last_hour_do_not_rebuild_pay_offs_time_and_again() -> None:
    baseline = baseline_of(calm(20_000, 1), watches=("latency",), season=Season("UTC", 24, 1))
    bank = Bank(baseline, [0], 1.0)
    for bucket in (3, 4, 3, 4, 5, 4):
        bank.weigh(msgspec.structs.replace(counts_at(0), bucket=bucket), one_row(baseline, 0), 1.0)
    assert list(bank._tables) == [5, 4]


def test_a_restart_at_any_point_changes_nothing(baseline: Baseline) -> None:
    rows = changed(calm(10_000, 10), 8_000, values=1.5)
    whole, state, readings = build(feature_drift, baseline), build(feature_drift, baseline).dump(), []
    wanted = weighed(whole, baseline, rows)
    for given in Feed(Census(baseline, 1)).counts(rows):
        again = build(feature_drift, baseline)
        again.load(state)
        assert again.dump() == state
        readings += again.weigh(*given)
        state = again.dump()
    assert (readings, state) == (wanted, whole.dump())
    assert len(wanted) > 1


def test_a_state_of_another_baseline_is_refused_and_leaves_it_cold(baseline: Baseline) -> None:
    other = build(feature_drift, baseline_of(calm(1_000, 99)))
    fresh = build(feature_drift, baseline)
    cold = fresh.dump()
    for data in (other.dump(), b"", b"\xff\xff", build(latency_shift, baseline).dump()):
        with pytest.raises(StateError, match="feature_drift"):
            fresh.load(data)
        assert fresh.dump() == cold


def test_without_a_baseline_there_is_nothing_to_watch() -> None:
    with pytest.raises(ConfigError, match="baseline expected"):
        feature_drift.build(Seat(model=MODEL))


def test_a_baseline_without_the_quantity_is_watched_in_silence() -> None:
    bare = baseline_of(calm(1_000, 1), watches=("confidence",))
    detector = build(latency_shift, bare)
    assert weighed(detector, bare, calm(1_000, 2)) == []
    detector.load(detector.dump())


def test_evidence_can_be_sent_as_json(baseline: Baseline) -> None:
    for module, column in ((feature_drift, "values"), (confidence_shift, "confidence"), (latency_shift, "latency_ms")):
        reading = first(module, baseline, changed(calm(12_000, 11), 8_000, **{column: 0.5}))
        assert json.loads(json.dumps(reading.evidence)) == reading.evidence


def test_half_a_percent_a_day_is_found_long_before_a_standard_deviation(baseline: Baseline) -> None:
    days, per_day = 60, 1_000
    rows = calm(days * per_day, 12)
    rows = replace(rows, ts=START_MS + np.arange(len(rows)) * (86_400_000 // per_day))
    crept = rows.values.copy()
    crept[0] *= np.float32(1.005) ** (np.arange(len(rows)) // per_day).astype(np.float32)
    reading = first(feature_drift, baseline, replace(rows, values=crept))
    day = (reading.ts - START_MS) / 86_400_000
    assert reading.watches == "amount"
    assert day * log(1.005) / 0.7 < 0.3


def test_no_traffic_moves_the_reference(baseline: Baseline) -> None:
    rows = calm(20_000, 13)
    hostile = np.where(np.arange(len(rows)) % 5 == 0, rows.values * np.float32(1.3), rows.values)
    census, moved = Census(baseline, 1), build(feature_drift, baseline)
    Feed(census).weighed(moved, replace(rows, values=hostile))
    change = changed(calm(4_000, 14), 0, values=2.0)
    again, fresh = build(feature_drift, baseline), build(feature_drift, baseline)
    again.load(fresh.dump())
    assert Feed(census).weighed(again, change) == weighed(fresh, baseline, change)


def test_an_alarm_is_as_late_as_the_latest_row_whichever_shard_made_it_cross(baseline: Baseline) -> None:
    bank = Bank(baseline, baseline.of("confidence"), 1.0)
    ahead, behind = 50.0, 20.0
    alarms = [
        bank.weigh(counts_at(seconds, rows=8), one_row(baseline, 63, 8.0), 100.0) for seconds in (10.0, ahead, behind, behind)
    ]
    [alarm, *_] = [alarm for alarm in alarms if alarm is not None]
    assert alarm.ts == START_MS + round(ahead * 1000)

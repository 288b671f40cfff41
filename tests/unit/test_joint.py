"""Pairs and mixes of features: they see what no feature shows alone, and say who fell out with whom."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from alerts.story import what_happened
from alerts.triage import Triage
from models.baseline import Baseline, decode_baseline, encode_baseline
from models.census import Census
from models.detector import Seat
from models.discount import WINDOW
from models.draft import drafted
from models.feature_drift import build
from models.fitting import Allowance
from models.golden import Sample, build_baseline
from models.joint import MIXES, UNIT, face_of, signs_of
from models.joint_fit import PAIRS, build_joint
from models.priors import priors
from models.quantity import JOINT, columns
from models.shiryaev_roberts import MONTH_S, Bank
from models.standardise import fit_scales, standard_of
from tests.helpers.baselines import Feed
from tests.helpers.signals import golden as drift_signal
from tests.helpers.signals import signals
from tests.helpers.traffic import MODEL, cut, rows_at
from tocsin.config import Privacy
from tocsin.reading import Reading
from tocsin.rows import Rows, category_code

Values = NDArray[np.float32]
NAMES = ("amount", "balance", "hour", "km", "=country", "=kind")
CODES = np.array([category_code(name) for name in ("DE", "FR", "IT", "PL")], np.float32)
GOLDEN, CALM = 5_000, 1_024


def drawn(seed: int, rows: int, together: float = 0.7, *, swapped: bool = False) -> Values:
    """Returns features of which amount goes with balance, and country with km; hour and kind go with nothing."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(4, rows))
    numbers[1] = together * numbers[0] + np.sqrt(1 - together**2) * numbers[1]
    country = np.clip(np.floor(numbers[3] + 0.7 * rng.normal(size=rows) + 2), 0, 3).astype(int)
    kind = rng.integers(0, 4, rows)
    if swapped:
        country = np.array([3, 1, 2, 0])[country]
    return np.concatenate((numbers, CODES[country][None], CODES[kind][None])).astype(np.float32)


def rows_of(values: Values, names: tuple[str, ...] = NAMES) -> Rows:
    number = np.arange(values.shape[1])
    unknown = np.full(len(number), np.nan, np.float32)
    rows = rows_at(number.astype(float), number)
    return replace(rows, features=names, values=values, confidence=unknown, latency_ms=unknown, labels=("", ""))


def baseline_of(values: Values, names: tuple[str, ...] = NAMES, inherits: Baseline | None = None) -> Baseline:
    sample = Sample()
    sample.add(rows_of(values, names))
    draft = drafted(sample.golden(), "UTC", "a test", inherits)
    return draft.baseline(draft.fits(WINDOW), lambda _: Allowance(), WINDOW)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return baseline_of(drawn(1, GOLDEN))


def readings(baseline: Baseline, after: Values, seed: int = 2) -> list[tuple[int, Reading]]:
    """Returns (events since the change, reading), one false alarm in 10,000 seconds allowed, one row a second."""
    rows = rows_of(np.concatenate((drawn(seed, CALM), after), axis=1))
    detector = build(Seat(model=MODEL, baseline=baseline, alerts_per_month=MONTH_S / 10_000))
    feed, found = Feed(Census(baseline, 1)), []
    for end, block in zip(range(64, len(rows) + 1, 64), cut(rows, 64), strict=True):
        found += [(end - CALM, reading) for reading in feed.weighed(detector, block, 64)]
    return found


def first(baseline: Baseline, after: Values) -> tuple[int, Reading]:
    found = readings(baseline, after)
    assert found
    assert found[0][0] > 0
    return found[0]


def test_features_that_go_together_are_paired_and_the_strongest_comes_first(baseline: Baseline) -> None:
    assert baseline.joint is not None
    pairs = [{NAMES[pair.first], NAMES[pair.second]} for pair in baseline.joint.pairs]
    assert pairs[:2] == [{"=country", "km"}, {"amount", "balance"}]
    assert len(pairs) >= PAIRS
    assert abs(baseline.joint.pairs[1].correlation - 0.68) < 0.03


def test_no_pair_that_others_imply_is_watched() -> None:
    same = np.random.default_rng(1).normal(size=(1, 2_000)) + 0.3 * np.random.default_rng(2).normal(size=(5, 2_000))
    names = tuple("abcde")
    joint = build_joint(same.astype(np.float32), names, standard_of(fit_scales(same.astype(np.float32), names)), 1)
    assert joint is not None
    reached: set[int] = set()
    for pair in joint.pairs:
        assert not {pair.first, pair.second} <= reached or len(reached) < 2
        reached |= {pair.first, pair.second}
    assert (len(joint.pairs), reached) == (4, {0, 1, 2, 3, 4})


def test_a_mix_is_of_half_of_the_features_and_every_feature_is_in_about_half_of_them(baseline: Baseline) -> None:
    assert baseline.joint is not None
    signs = signs_of(baseline.joint, len(NAMES))
    assert len(signs) == MIXES
    assert set((signs != 0).sum(axis=1).tolist()) == {3}
    assert ((signs != 0).sum(axis=0) >= MIXES // 4).all()


def test_two_numbers_have_a_pair_and_no_mix_besides_and_one_has_nothing() -> None:
    two = baseline_of(drawn(1, 2_000)[:2], NAMES[:2])
    assert [quantity.name for quantity in two.quantities if quantity.watches in JOINT] == [
        "amount + balance",
        "amount - balance",
    ]
    assert baseline_of(drawn(1, 2_000)[:1], NAMES[:1]).joint is None


def test_a_correlation_that_flips_is_seen_within_200_events_and_the_two_are_named(baseline: Baseline) -> None:
    events, reading = first(baseline, drawn(3, 512, -0.7))
    assert events <= 200
    assert reading.watches == "amount & balance"
    assert reading.evidence["relation"] == "amount and balance now move against each other, the other way round than before"
    assert float(reading.evidence["golden_correlation"]) > 0.5
    assert float(reading.evidence["recent_correlation"]) < -0.3


def test_features_that_no_longer_go_together_are_named(baseline: Baseline) -> None:
    events, reading = first(baseline, drawn(3, 1_024, 0.0))
    assert events <= 600
    assert reading.evidence["relation"] == "amount and balance no longer go together"


def test_features_that_go_together_more_than_before_are_named(baseline: Baseline) -> None:
    _, reading = first(baseline, drawn(3, 1_024, 0.97))
    assert reading.evidence["relation"] == "amount and balance go together more than before"


def test_values_of_a_category_that_trade_places_are_seen_within_600_events(baseline: Baseline) -> None:
    events, reading = first(baseline, drawn(3, 1_024, swapped=True))
    assert events <= 600
    assert reading.watches in ("country & km", "km & country")
    assert "country and km" in str(reading.evidence["relation"])


def test_a_value_that_no_longer_fits_its_partner_is_said_to_be_higher_for_it(baseline: Baseline) -> None:
    after = drawn(3, 1_024, 0.97)
    after[1] = drawn(3, 1_024)[1]
    after[0] = drawn(3, 1_024)[0] + np.float32(0.5)
    said = {str(reading.evidence.get("relation", "")) for _, reading in readings(baseline, after)}
    assert "amount is higher for its balance than before" in said


def test_a_new_relation_between_features_that_no_pair_holds_is_seen_by_a_mix_which_blames_them() -> None:
    rng = np.random.default_rng(5)
    names = tuple(f"f{index}" for index in range(8))

    def numbers(rows: int) -> Values:
        values = rng.normal(size=(8, rows))
        for first_, second in ((0, 1), (1, 2), (2, 3), (3, 4)):
            values[second] = 0.8 * values[first_] + 0.6 * values[second]
        return values.astype(np.float32)

    baseline = baseline_of(numbers(GOLDEN), names)
    after = numbers(3_072)
    after[7] = np.float32(0.8) * after[6] + np.float32(0.6) * after[7]
    detector = build(Seat(model=MODEL, baseline=baseline, alerts_per_month=MONTH_S / 10_000))
    found = Feed(Census(baseline, 1)).weighed(detector, rows_of(after, names), 64)
    assert found[0].watches == "mix of inputs"
    assert {"f6", "f7"} <= set(str(found[0].evidence["inputs"]).replace(" and ", ", ").split(", "))


def test_what_is_found_is_told_in_one_plain_sentence() -> None:
    fired = drift_signal("amount & balance", evidence={"relation": "amount and balance no longer go together"})
    told = what_happened(Triage(Privacy()).apply(signals(fired))[0])
    assert "amount and balance no longer go together, since about" in told


def test_calm_rows_raise_nothing(baseline: Baseline) -> None:
    assert readings(baseline, drawn(9, 6_144), seed=8) == []


@pytest.mark.parametrize("feature", ["hour", "amount"])
def test_what_one_feature_tells_alone_is_told_of_it_also_when_its_pair_tells_more(baseline: Baseline, feature: str) -> None:
    after = drawn(3, 512)
    after[NAMES.index(feature)] += 2
    _, reading = first(baseline, after)
    assert reading.watches == feature
    assert "relation" not in reading.evidence


def test_single_features_keep_half_of_the_stake(baseline: Baseline) -> None:
    quantities = baseline.of("feature", "missing", *JOINT)
    weights = priors(baseline, quantities)
    kinds = np.array([baseline.quantities[index].watches for index in quantities])
    shares = {kind: float(weights[kinds == kind].sum()) for kind in ("feature", "missing", "pair", "projection")}
    assert shares == pytest.approx({"feature": 0.25, "missing": 0.25, "pair": 0.25, "projection": 0.25})
    assert priors(baseline, baseline.of("feature")) == pytest.approx(1 / 6)
    assert len(priors(baseline, [])) == 0


def test_after_an_alarm_what_sees_several_features_rests_so_that_one_change_is_told_once(baseline: Baseline) -> None:
    bank = Bank(baseline, baseline.of("feature", *JOINT), MONTH_S / 10_000)
    after = drawn(3, 2_048)
    after[0] += 2
    for reading in Feed(Census(baseline, 1)).counts(rows_of(after), 64):
        alarm = bank.weigh(*reading)
        assert alarm is None or baseline.quantities[alarm.quantity].watches == "feature"


@given(st.lists(st.integers(1, 200), min_size=1, max_size=6), st.booleans())
def test_values_do_not_depend_on_how_rows_are_cut(baseline: Baseline, sizes: list[int], gaps: bool) -> None:
    values = drawn(4, sum(sizes))
    if gaps:
        values[:, ::7] = np.nan
        values[0, ::3] = np.nan
        values[5, 1::5] = np.nan
    rows = rows_of(values)
    whole = columns(baseline, rows)
    ends = np.cumsum(sizes).tolist()
    parts = [columns(baseline, rows.select(slice(begin, end))) for begin, end in zip([0, *ends], ends, strict=False)]
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


def test_every_value_is_a_whole_number_far_below_what_float32_holds_exactly(baseline: Baseline) -> None:
    values = drawn(4, 500) * np.float32(1e20)
    values[4:] = drawn(4, 500)[4:]
    made = columns(baseline, rows_of(values))[baseline.of(*JOINT)]
    assert (made == np.rint(made)).all()
    assert np.abs(made).max() <= 16 * 64 * UNIT


def test_a_row_that_lacks_a_feature_has_no_value_in_its_pairs_and_one_in_mixes_while_any_is_there(baseline: Baseline) -> None:
    values = drawn(4, 3)
    values[0, 0] = np.nan
    values[:, 1] = np.nan
    made = columns(baseline, rows_of(values))
    pairs, mixes = made[baseline.of("pair")], made[baseline.of("projection")]
    assert np.isnan(pairs[[baseline.quantities[i].name.startswith("amount") for i in baseline.of("pair")], 0]).all()
    assert not np.isnan(mixes[:, 0]).any()
    assert np.isnan(made[baseline.of(*JOINT), 1]).all()
    assert not np.isnan(made[baseline.of(*JOINT), 2]).any()


def test_a_value_never_seen_counts_as_any_other_in_pairs_and_has_signs_of_its_own_in_mixes(baseline: Baseline) -> None:
    values = drawn(4, 2)
    values[:, 1] = values[:, 0]
    values[4] = category_code("XX"), category_code("YY")
    made = columns(baseline, rows_of(values))
    assert (made[baseline.of("pair")][:, 0] == made[baseline.of("pair")][:, 1]).all()
    assert (made[baseline.of("projection")][:, 0] != made[baseline.of("projection")][:, 1]).any()


def test_the_same_golden_rows_give_the_same_joint(baseline: Baseline) -> None:
    assert baseline_of(drawn(1, GOLDEN)).joint == baseline.joint


def test_a_baseline_comes_back_from_its_bytes_with_what_it_watches_together(baseline: Baseline) -> None:
    again = decode_baseline(encode_baseline(baseline), "a test")
    assert again.joint == baseline.joint
    rows = rows_of(drawn(6, 100))
    assert columns(again, rows).tobytes() == columns(baseline, rows).tobytes()


def test_another_version_takes_over_what_is_watched_together_with_its_cells(baseline: Baseline) -> None:
    heir = baseline_of(drawn(11, 2_000), inherits=baseline)
    assert heir.joint == baseline.joint
    mine = {one.name: one for one in baseline.quantities if one.watches in JOINT}
    theirs = {one.name: one for one in heir.quantities if one.watches in JOINT}
    assert theirs == mine


def test_a_version_with_other_features_learns_anew_what_goes_together(baseline: Baseline) -> None:
    heir = baseline_of(drawn(11, 2_000)[:4], NAMES[:4], inherits=baseline)
    assert heir.joint is not None
    assert all(max(pair.first, pair.second) < 4 for pair in heir.joint.pairs)
    known = next(one for one in baseline.quantities if one.name == "amount + balance")
    assert next(one for one in heir.quantities if one.name == "amount + balance") != known


def test_a_baseline_without_joint_is_watched_as_before(baseline: Baseline) -> None:
    alone = tuple(one for one in baseline.quantities if one.watches not in JOINT)
    old = msgspec.structs.replace(baseline, quantities=alone, joint=None)
    assert readings(old, drawn(3, 512, -0.7)) == []


def test_so_many_features_that_counts_have_no_room_are_watched_one_by_one() -> None:
    values = np.random.default_rng(1).normal(size=(500, 300)).astype(np.float32)
    wide = baseline_of(values, tuple(f"f{index}" for index in range(500)))
    assert wide.joint is None
    assert len(wide.of("feature")) == 500


def test_the_gate_tries_pairs_and_mixes_with_the_rest() -> None:
    sample = Sample()
    rows = rows_of(drawn(1, GOLDEN))
    sample.add(replace(rows, ts=rows.ts[0] + np.arange(len(rows)) * 120_000))
    built = build_baseline(sample, zone="UTC", alerts_per_model_month=1.0, origin="a test")
    assert built.of("pair")
    assert built.of("projection")
    assert built.armed("feature_drift")


def test_a_face_reads_numbers_once_however_many_quantities_use_them(baseline: Baseline) -> None:
    assert baseline.joint is not None
    assert baseline.envelope is not None
    face = face_of(baseline.joint, baseline.envelope.scales, NAMES)
    assert face.numbers.tolist() == [0, 1, 2, 3]
    assert [feature for feature, _ in face.hashed] == [4, 5]

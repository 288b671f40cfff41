"""boundary_probe: who searches for a threshold is found, and what the answers told; sales, templates and retries are not it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from models import boundary_probe
from models.baseline import Baseline
from models.boundary_scout import BoundaryScout, near_of
from models.caller_counts import CallerCounts
from models.caller_shares import CallerShares, usual_share
from models.detector import Seat
from models.margins import Margins, knots_of, scale_of
from models.margins_fit import margins_of
from models.search import EXPERTS, Search
from models.strangers import KNOWN, NEW, PURE, golden_shares, kinds_of
from tests.helpers.baselines import baseline_of
from tests.helpers.probes import Asked, asked_among, bisection, held_against, payments
from tests.helpers.traffic import cut, hash_of
from tocsin.errors import ConfigError
from tocsin.event import Coordinates, Source
from tocsin.reading import Reading
from tocsin.rows import Rows

AT = Coordinates(Source("t", "raw", 0), 0, 0)
QUIET = 3_000


@cache
def golden() -> Rows:
    return payments(1, 20_000)


@cache
def baseline() -> Baseline:
    bare = msgspec.structs.replace(baseline_of(golden(), watches=("margin",)), near=0.05)
    return msgspec.structs.replace(bare, margins=margins_of(golden(), bare))


def found(asked: Asked, calm: Rows | None = None) -> list[Reading]:
    return held_against(baseline(), asked_among(payments(2, 6_000) if calm is None else calm, asked, QUIET))


@pytest.mark.parametrize("accounts", [1, 20, 3_000])
def test_a_bisection_is_found_within_fourteen_questions_whatever_the_number_of_accounts(accounts: int) -> None:
    readings = found(Asked(bisection(0.27, 0.71, 14), accounts))
    assert {reading.at.offset >= QUIET for reading in readings} == {True}
    assert [reading.caller for reading in readings if str(reading.evidence["signal"]).startswith("homing")] == [None]
    assert [reading.evidence["signal"] for reading in readings if reading.caller is not None] == ["sweep"] * (accounts == 1)


def test_the_finding_states_what_the_answers_have_left_open() -> None:
    evidence = found(Asked(bisection(0.27, 0.71, 14), 5))[0].evidence
    low, high = float(evidence["interval_low"]), float(evidence["interval_high"])
    assert low < 0.5 <= high
    assert high - low < 0.01
    assert float(evidence["bits_learned"]) == pytest.approx(np.log2(1 / (high - low)), abs=0.5)
    assert 3 <= int(evidence["distinct_callers"]) <= 12


def test_where_confidence_is_in_what_was_decided_the_class_tells_the_side() -> None:
    def decided(rows: Rows) -> Rows:
        return replace(rows, confidence=np.where(rows.label == 0, 1 - rows.confidence, rows.confidence))

    bare = msgspec.structs.replace(baseline_of(golden(), watches=("margin",)), near=0.05)
    bare = msgspec.structs.replace(
        bare, boundary=float(decided(golden()).confidence.min()), labels=(("ok", 0.9), ("refused", 0.1))
    )
    held = msgspec.structs.replace(bare, margins=margins_of(decided(golden()), bare))
    rows = asked_among(payments(2, 6_000), Asked(bisection(0.27, 0.71, 14), 5), QUIET)
    evidence = held_against(held, decided(rows))[0].evidence
    assert 0.495 < float(evidence["interval_low"]) < float(evidence["interval_high"]) < 0.505
    assert evidence["interval_of"] == "confidence, mirrored for ok"


def test_the_feature_that_alone_was_moved_is_named_with_its_interval() -> None:
    evidence = found(Asked(bisection(0.27, 0.71, 14), 5), calm=payments(2, 6_000, near=False))[0].evidence
    assert evidence["feature"] == "amount"
    assert float(evidence["feature_low"]) < 500.0 <= float(evidence["feature_high"])


def test_a_caller_who_asks_near_the_threshold_alone_is_named() -> None:
    amounts = np.random.default_rng(4).uniform(0.46, 0.54, 60)
    named = [reading for reading in found(Asked(amounts, 1)) if reading.caller is not None]
    assert named[0].caller is not None
    assert named[0].caller.hash == int(hash_of(np.array([1 << 20]))[0])
    assert named[0].evidence["signal"] == "sweep"
    assert named[0].evidence["near_share"] == 1.0


def test_strangers_who_ask_evenly_around_the_threshold_are_found() -> None:
    first = found(Asked(np.random.default_rng(4).uniform(0.46, 0.54, 150), 150))[0]
    assert first.evidence["signal"] == "strangers"


def test_the_same_question_again_and_again_says_nothing() -> None:
    assert found(Asked(np.full(200, 0.50001), 1)) == []


def test_a_template_that_many_known_callers_send_says_nothing() -> None:
    calm = payments(2, 12_000)
    confidence = calm.confidence.copy()
    sent = np.arange(QUIET, len(calm), 20)
    confidence[sent] = 0.5008 + np.random.default_rng(5).normal(0, 0.0001, len(sent))
    assert held_against(baseline(), replace(calm, confidence=confidence)) == []


@pytest.mark.parametrize("shift", [-0.05, 0.02, 0.1])
def test_scores_that_shift_for_everybody_say_nothing(shift: float) -> None:
    calm = payments(2, 12_000)
    moved = replace(calm, confidence=np.clip(calm.confidence + np.float32(shift), 0, 1).astype(np.float32))
    assert held_against(baseline(), moved) == []


def test_how_rows_are_cut_makes_no_difference_to_what_the_scout_tells() -> None:
    rows = asked_among(payments(2, 2_000), Asked(bisection(0.27, 0.71, 14), 3), 1_000)
    told = []
    for size in (512, 7, 1):
        scout = BoundaryScout(baseline())
        reports = [report for block in cut(rows, size) if (report := scout.look(block)) is not None]
        near = [near_of(report.body, "a test") for report in reports]
        columns = [np.concatenate([getattr(one, name) for one in near]) for name in ("distance", "ts", "number", "kind")]
        far = np.sum([one.far for one in near], axis=0)
        told.append(([column.tolist() for column in columns], far.tolist(), scout.dump()))
    assert told[0] == told[1] == told[2]


def test_no_expert_is_paid_on_average_by_even_traffic() -> None:
    search = Search(scale_of(margins()), (1.0, 1.0, 1.0), 1e9)
    rng, paid = np.random.default_rng(6), np.zeros(len(EXPERTS))
    near = golden_near()
    for _ in range(200):
        drawn = rng.choice(near, 50).astype(np.float32)
        paid += np.exp(search._logs(drawn)).mean(axis=0) / 200
    assert (paid <= 1.0 + 1e-9).all()


def margins() -> Margins:
    found = baseline().margins
    assert found is not None
    return found


def golden_near() -> NDArray[np.float32]:
    distance = golden().confidence - np.float32(0.5)
    near: NDArray[np.float32] = distance[np.abs(distance) <= np.float32(0.05)]
    return near


def test_rarity_of_golden_distances_is_at_least_uniform_and_goes_on_to_nothing() -> None:
    distances, shares = knots_of(np.abs(golden_near()))
    scale = scale_of(msgspec.structs.replace(margins(), distances=distances, shares=shares))
    u = scale.rarity(np.abs(golden_near()).astype(np.float64))
    assert all((u <= level).mean() <= level for level in (0.02, 0.1, 0.5, 0.9))
    assert scale.rarity(np.array([1e-6]))[0] < 1e-4
    assert scale.rarity(np.array([0.0]))[0] > 0


def test_a_caller_is_new_then_pure_and_known_once_most_of_what_it_asked_was_far() -> None:
    hashes, near = np.full(6, 7 << 40, np.uint64), np.array([True, True, False, False, False, True])
    numbers, before = CallerCounts().count(hashes, near)
    assert numbers.tolist() == [1, 2, 3, 4, 5, 6]
    assert before.tolist() == [0, 1, 2, 2, 2, 2]
    assert kinds_of(numbers, before).tolist() == [NEW, PURE, PURE, PURE, PURE, KNOWN]


def test_golden_shares_rise_from_the_known_to_the_new_to_the_pure() -> None:
    kinds = kinds_of(*CallerCounts().count(golden().hash, np.abs(golden().confidence - 0.5) < 0.05))
    new, pure, known = golden_shares(kinds, np.abs(golden().confidence - 0.5) < 0.05)
    assert 0 < known <= new <= pure < 1


def test_where_one_golden_caller_always_asks_near_nobody_is_named_for_it() -> None:
    hashes = np.concatenate((np.arange(1_000), np.full(500, 9_999))).astype(np.uint64)
    near = np.concatenate((np.arange(1_000) % 30 == 0, np.ones(500, np.bool_)))
    assert usual_share(hashes, near) > 0.5
    shares = CallerShares(usual_share(hashes, near), 10.0)
    assert all(shares.mark(1, number, number, number, 100.0, AT) is None for number in range(1, 100))


def test_half_of_all_budgets_goes_by_the_callers_marked_rows_only_after_the_first() -> None:
    shares = CallerShares(0.1, 50.0)
    assert all(shares.mark(caller, 1, caller, caller, 1_000.0, AT) is None for caller in range(1, 5_000))


def test_without_margins_only_the_crowding_of_counts_is_weighed() -> None:
    bare = msgspec.structs.replace(baseline(), margins=None)
    assert BoundaryScout(bare).look(golden()) is None
    assert held_against(bare, asked_among(payments(2, 6_000), Asked(bisection(0.27, 0.71, 14), 1), QUIET)) == []


def test_a_seat_without_a_baseline_is_refused() -> None:
    with pytest.raises(ConfigError, match="a baseline expected"):
        boundary_probe.build(Seat())
    with pytest.raises(ConfigError, match="a baseline expected"):
        boundary_probe.scout(Seat())

"""Exposure: how much of a model callers have seen, and what that is worth to somebody who wants to imitate it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest

from models.baseline import Baseline
from models.exposure import Exposed, Exposure
from models.learning_curve import Curve, Point, curve_of
from models.surrogate import agreement
from streams.exposure import exposed, facts_of, says
from tests.helpers.baselines import baseline_of
from tests.helpers.cohorts import mixture
from tests.helpers.frames import RAW, frame
from tests.helpers.traffic import cut, hash_of, rows_at
from tocsin.config import Privacy
from tocsin.errors import ConfigError
from tocsin.event import Caller
from tocsin.frame import Frame, decode_frame
from tocsin.rows import Rows

GOLDEN = 4_000


@cache
def asked() -> np.ndarray:
    return mixture(3, features=6, rows=12_000, parts=20)


def traffic(values: np.ndarray, who: np.ndarray | None = None, kind: str = "user") -> Rows:
    """Returns questions to a model that answers by the sign of two features' sum."""
    callers = np.arange(values.shape[1]) % 200 if who is None else who
    bare = rows_at(np.arange(float(values.shape[1])), callers)
    names, place = np.unique(callers, return_inverse=True)
    return replace(
        bare,
        features=tuple(f"f{at}" for at in range(len(values))),
        values=np.ascontiguousarray(values),
        labels=("no", "yes"),
        label=(values[2] + values[3] > 0).astype(np.uint16),
        callers=tuple((f"acct-{name}", kind) for name in names.tolist()),
        caller=place.astype(np.uint16),
    )


@cache
def baseline() -> Baseline:
    return baseline_of(traffic(asked()[:, :GOLDEN]), watches=("confidence", "envelope"))


def report_of(rows: Rows, size: int = 512, most: int = 1 << 16) -> Exposed:
    exposure = Exposure(baseline(), most)
    for part in cut(rows, size):
        exposure.add(part)
    return exposure.report()


def test_who_asks_what_golden_traffic_asked_sees_all_of_it_in_time() -> None:
    seen = [report_of(traffic(asked()[:, GOLDEN : GOLDEN + many])).together for many in (10, 100, 8_000)]
    assert [one.questions for one in seen] == [10, 100, 8_000]
    assert 0.005 < seen[0].coverage <= 0.01
    assert (np.diff([one.coverage for one in seen]) > 0).all()
    assert seen[2].coverage > 0.9


def test_one_caller_that_repeats_itself_sees_no_more_than_one_question_shows() -> None:
    again = np.repeat(asked()[:, GOLDEN : GOLDEN + 1], 5_000, axis=1)
    together = report_of(traffic(again, np.zeros(5_000, np.int64))).together
    assert together.coverage == pytest.approx(1 / 1_024, abs=1e-4)


def test_questions_far_outside_golden_traffic_see_nothing() -> None:
    assert report_of(traffic(asked()[:, :500] * 1e6 + 1e9)).together.coverage == 0.0


def test_those_who_have_seen_most_come_first_whoever_asked_most() -> None:
    rows = traffic(asked()[:, GOLDEN : GOLDEN + 3_000], np.where(np.arange(3_000) < 600, 7, np.arange(3_000) % 100 + 100))
    loud = traffic(np.repeat(asked()[:, :1], 2_000, axis=1), np.full(2_000, 8))
    exposure = Exposure(baseline())
    exposure.add(rows)
    exposure.add(loud)
    report = exposure.report()
    assert report.callers == 102
    assert len(report.holders) == 20
    assert report.holders[0].caller == Caller("acct-7", "user", int(hash_of(np.array([7]))[0]))
    assert (np.diff([holder.coverage for holder in report.holders]) <= 0).all()
    assert report.holders[0].coverage < report.together.coverage
    assert report.holders[0].fidelity is not None
    assert report.together.fidelity is not None
    assert report.holders[0].fidelity <= report.together.fidelity


def test_how_rows_are_cut_makes_no_difference() -> None:
    rows = traffic(asked()[:, GOLDEN : GOLDEN + 600])
    assert report_of(rows, 1) == report_of(rows, 7) == report_of(rows, 512)


def test_a_crowd_of_callers_is_forgotten_but_not_what_was_seen_nor_who_saw_most() -> None:
    who = np.where(np.arange(4_000) % 4 == 0, 9, np.arange(4_000) + 1_000)
    rows = traffic(asked()[:, GOLDEN : GOLDEN + 4_000], who)
    report = report_of(replace(rows, labels=("", "")), most=64)
    assert report.callers >= 3_001
    assert report.holders[0].caller is not None
    assert report.holders[0].caller.id == "acct-9"
    assert report.holders[0].questions == 1_000
    assert report.together == report_of(replace(rows, labels=("", ""))).together


def test_without_answers_nobody_can_tell_what_it_is_worth() -> None:
    rows = traffic(asked()[:, GOLDEN : GOLDEN + 1_000])
    report = report_of(replace(rows, labels=("", "")))
    assert report.curve is None
    assert report.together.fidelity is None
    assert says(report).endswith("cannot be told: too few of their questions came with answers")


def test_a_baseline_without_features_cannot_tell() -> None:
    with pytest.raises(ConfigError, match="a baseline with features and golden references expected"):
        Exposure(msgspec.structs.replace(baseline(), envelope=None))


def test_fidelity_begins_at_the_most_frequent_answer_and_never_falls() -> None:
    curve = report_of(traffic(asked()[:, GOLDEN : GOLDEN + 3_000])).curve
    assert curve is not None
    assert curve.fidelity(0.0, 0) == curve.majority > 0.5
    grown = [curve.fidelity(point.coverage, point.answers) for point in curve.points]
    assert (np.diff(grown) >= 0).all()
    assert grown[-1] > 0.9
    assert grown[-1] < curve.fidelity(1.0, 50_000) < 1.0


def test_beyond_the_last_point_the_error_falls_as_it_did_last() -> None:
    curve = Curve((Point(512, 0.4, 0.80), Point(1_024, 0.6, 0.85), Point(2_048, 0.8, 0.90)), 0.5)
    assert curve.fidelity(0.9, 8_192) == pytest.approx(0.95)
    assert curve.fidelity(0.9, 2_048 * 1_000) == pytest.approx(1 - 0.1 / 4)
    assert curve.fidelity(0.7, 1_000_000) == pytest.approx(0.875)


def test_too_few_answers_make_no_curve() -> None:
    few = asked()[:, :100]
    assert curve_of(few, np.arange(100) % 2, np.arange(100), np.ones(100)) is None


def test_a_surrogate_learns_a_smooth_rule_and_one_along_a_feature() -> None:
    rng = np.random.default_rng(1)
    known, tests = (rng.normal(size=(4, many)).astype(np.float32) for many in (800, 1_000))
    smooth = [(np.sin(2 * x[0]) + x[1] > 0).astype(np.int64) for x in (known, tests)]
    cut_along = [((x[2] > 0.3) & (x[3] < 1)).astype(np.int64) for x in (known, tests)]
    for answers, truths in (smooth, cut_along):
        assert agreement(known, answers, tests, truths).mean() > 0.9


def test_a_surrogate_tells_three_answers_apart() -> None:
    rng = np.random.default_rng(4)
    known, tests = (rng.normal(size=(3, many)).astype(np.float32) for many in (600, 600))
    answers, truths = (np.digitize(x[0] + x[1], [-0.6, 0.6]) * 7 for x in (known, tests))
    assert agreement(known, answers, tests, truths).mean() > 0.9


def test_a_surrogate_that_has_seen_one_answer_gives_that() -> None:
    right = agreement(asked()[:, :5], np.full(5, 3), asked()[:, 5:9], np.array([3, 1, 3, 3]))
    assert right.tolist() == [True, False, True, True]


def framed(rows: Rows, shard: int) -> tuple[int, Frame]:
    return shard, decode_frame(frame(replace(rows, sources=(RAW,)), shard=shard), "a test")


def test_a_row_that_stands_in_two_frames_counts_once() -> None:
    rows = traffic(asked()[:, :300])
    halves = [framed(rows.select(slice(0, 200)), 0), framed(rows.select(slice(100, 300)), 0)]
    assert exposed(halves, baseline()) == exposed([framed(rows, 0)], baseline())


def test_callers_are_shown_as_privacy_says() -> None:
    report = report_of(traffic(asked()[:, GOLDEN : GOLDEN + 1_000], np.arange(1_000) % 3))
    hidden, clear = (facts_of(report, Privacy(user=how)) for how in ("hmac", "clear"))
    assert {one["caller"] for one in clear["top"]} == {"acct-0", "acct-1", "acct-2"}
    assert all(one["caller"].startswith("hmac:") for one in hidden["top"])


def test_the_report_says_in_one_sentence_what_was_seen_and_what_it_is_worth() -> None:
    told = says(report_of(traffic(asked()[:, GOLDEN : GOLDEN + 1_000])))
    assert told.startswith("200 callers together have seen ")
    assert "% of what fraud/card@3 was asked in golden traffic; somebody who holds all these answers can imitate about " in told

"""The demo's verdict: an attack counts as found only by a finding that would have woken somebody, about the right caller."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.demo.measure import Calm, Episode, Injected, Seen, summarize
from streams.demo.show import Chapter, five_days
from streams.demo.view import Plain, Scene, clock, summary_lines

ATTACK = Episode("probe", "probing", frozenset({"mallory"}), [10_000, 11_000, 12_000, 13_000], 20_000)
FOUND = Seen(
    uid="i1",
    kind="probing",
    severity_id=3,
    severity="Medium",
    model="m",
    callers=("mallory",),
    start=10_000,
    end=12_000,
    time=12_500,
    message="Mallory is probing m. Numbers.",
    gist="Mallory is probing m.",
    status="New",
    techniques=("AML.T0040",),
    advice="Throttle.",
)


def test_an_attack_is_found_after_the_events_up_to_the_one_that_triggered() -> None:
    summary = summarize([ATTACK], [FOUND], 100, 50.0)
    assert summary.injected == (Injected("probe", "probing", 1, 4, True, 3, 2.0, "i1"),)
    assert summary.ok


def test_the_first_finding_counts_not_the_latest() -> None:
    summary = summarize([ATTACK], [FOUND, replace(FOUND, end=13_000)], 100, 50.0)
    assert summary.injected[0].after_events == 3


def test_a_low_finding_about_the_attacker_wakes_nobody() -> None:
    summary = summarize([ATTACK], [replace(FOUND, severity_id=2)], 100, 50.0)
    assert not summary.injected[0].found
    assert not summary.ok


def test_a_finding_about_somebody_else_is_no_success_and_a_false_alarm() -> None:
    summary = summarize([ATTACK], [replace(FOUND, callers=("alice",))], 100, 50.0)
    assert not summary.injected[0].found
    assert summary.calm == Calm(100, 1, 0)


def test_a_finding_of_another_kind_is_no_success() -> None:
    assert not summarize([ATTACK], [replace(FOUND, kind="drift", callers=())], 100, 50.0).injected[0].found


def test_what_was_said_before_the_attack_is_about_calm_traffic() -> None:
    early = replace(FOUND, uid="i0", kind="drift", callers=(), end=9_000)
    assert summarize([ATTACK], [FOUND, early], 100, 50.0).calm == Calm(100, 1, 0)
    assert summarize([ATTACK], [FOUND, replace(early, severity_id=1)], 100, 50.0).calm == Calm(100, 0, 1)


def test_drift_during_the_attack_is_its_consequence() -> None:
    drift = replace(FOUND, uid="i2", kind="drift", callers=(), end=12_500, severity_id=2)
    assert summarize([ATTACK], [FOUND, drift], 100, 50.0).calm == Calm(100, 0, 0)


def test_an_incident_counts_once_at_its_worst() -> None:
    calm = replace(FOUND, uid="i0", callers=("alice",), severity_id=2)
    assert summarize([], [calm, replace(calm, severity_id=4), calm], 100, 50.0).calm == Calm(100, 1, 0)


def test_the_summary_says_found_or_missed() -> None:
    assert "FOUND after 3 of 4" in summary_lines(summarize([ATTACK], [FOUND], 100, 50.0), 60.0)[0]
    assert "MISSED" in summary_lines(summarize([ATTACK], [], 100, 50.0), 60.0)[0]


def test_the_json_has_the_promised_shape() -> None:
    assert summarize([ATTACK], [FOUND], 100, 50.04).to_json() == {
        "injected": (
            {
                "scenario": "probe",
                "kind": "probing",
                "accounts": 1,
                "attack_events": 4,
                "found": True,
                "after_events": 3,
                "after_s": 2.0,
                "finding_uid": "i1",
            },
        ),
        "calm": {"events": 100, "findings": 0, "low": 0},
        "events_per_s": 50.0,
    }


def test_plain_lines_tell_who_since_when_and_what_is_proposed(capsys: pytest.CaptureFixture[str]) -> None:
    view = Plain(lambda: 0.0)
    view.update(Scene("calm traffic", watched=7))
    view.update(Scene("calm traffic", watched=8))
    view.finding(FOUND)
    first, second = capsys.readouterr().out.splitlines()
    assert "calm traffic: 7 events watched" in first
    assert all(word in second for word in ("AML.T0040", "mallory", clock(10_000), "Throttle."))


def test_many_accounts_may_be_found_by_a_finding_that_names_none_but_one_account_must_be_named() -> None:
    nobody = replace(FOUND, callers=())
    assert not summarize([ATTACK], [nobody], 100, 50.0).injected[0].found
    together = replace(ATTACK, callers=frozenset({"mallory", "trudy"}))
    assert summarize([together], [nobody], 100, 50.0).injected[0].found


def test_a_sale_is_found_by_a_finding_that_accuses_nobody() -> None:
    sale = Episode("sale", "drift", frozenset(), [10_000, 11_000], 20_000)
    drift = replace(FOUND, kind="drift", callers=())
    assert summarize([sale], [drift], 100, 50.0).ok
    assert not summarize([sale], [replace(drift, callers=("alice",))], 100, 50.0).ok


def test_a_changed_unit_is_found_only_by_a_finding_that_names_the_feature() -> None:
    cents = Episode("unit_change", "drift", frozenset(), [10_000, 11_000], 20_000, names="amount")
    drift = replace(FOUND, kind="drift", callers=())
    assert not summarize([cents], [drift], 100, 50.0).ok
    assert summarize([cents], [replace(drift, message="amount moved")], 100, 50.0).ok


@pytest.mark.parametrize("chapter", five_days(60.0).chapters, ids=lambda chapter: f"day {chapter.plan.day}")
def test_a_chapter_plays_its_day_in_its_time_and_what_happens_in_slow_motion(chapter: Chapter) -> None:
    plan = chapter.plan
    assert chapter.event_ms(0.0) == plan.start_ms
    assert chapter.event_ms(chapter.seconds) == pytest.approx(plan.at_ms(1.0), abs=2)
    assert [chapter.event_ms(s / 10) for s in range(121)] == sorted(chapter.event_ms(s / 10) for s in range(121))


def test_the_days_of_the_show_follow_each_other_after_its_history() -> None:
    show = five_days(60.0)
    ends = [show.history.at_ms(1.0), *(chapter.plan.at_ms(1.0) for chapter in show.chapters)]
    assert [chapter.plan.start_ms for chapter in show.chapters] == ends[:-1]

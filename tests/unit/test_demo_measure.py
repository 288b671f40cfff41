"""The demo's verdict: an attack counts as found only by a finding that would have woken somebody, about the right caller."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.demo.measure import Attack, Calm, Injected, Seen, summarize
from streams.demo.show import day_with_a_probe
from streams.demo.view import Plain, Scene, clock, summary_lines

ATTACK = Attack("probe", "probing", frozenset({"mallory"}), [10_000, 11_000, 12_000, 13_000])
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
    status="New",
    techniques=("AML.T0040",),
    advice="Throttle.",
)


def test_an_attack_is_found_after_the_events_up_to_the_one_that_triggered() -> None:
    summary = summarize([ATTACK], [FOUND], 100, 50.0)
    assert summary.injected == (Injected("probe", "probing", 4, True, 3, 2.0, "i1"),)
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


def test_the_show_plays_the_attack_in_slow_motion_and_the_rest_in_five_sixths_of_the_time() -> None:
    show = day_with_a_probe(60.0)
    plan = show.plan
    assert show.event_ms(0.0) == plan.start_ms
    assert show.event_ms(60.0) == pytest.approx(plan.at_ms(1.0))
    begins = (plan.at_ms(plan.onset) - plan.start_ms) / 1000 / show.fast
    assert show.event_ms(begins) == pytest.approx(plan.at_ms(plan.onset))
    assert show.event_ms(begins + 10.0) == pytest.approx(plan.at_ms(plan.until))

"""Severity: what raises it, what caps it, and what an incident of several detectors is worth."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.severity import RISES, Severity, is_sound, severity_of, severity_together
from tests.helpers.signals import HOUR, T0, drift, golden, probing, provisional, sweep
from tocsin.signal import Kind, Signal


def together(*fired: Signal, since: int = T0) -> Severity:
    return severity_together(fired, is_crowd=False, since=since)


@pytest.mark.parametrize("statistic", [1.0, 2.1e7, 1e300])
@pytest.mark.parametrize("ladder", ["provisional", "learning"])
def test_a_baseline_nobody_vouched_for_only_informs_whatever_the_statistic(ladder: Any, statistic: float) -> None:
    for signal in (golden(ladder=ladder, statistic=statistic), sweep(ladder=ladder, statistic=statistic)):
        assert severity_of(signal) is Severity.INFORMATIONAL
        assert not is_sound(signal)
    assert together(golden(ladder=ladder, statistic=statistic), since=T0 - 48 * HOUR) is Severity.INFORMATIONAL


def test_armed_drift_is_medium_and_that_of_a_moving_reference_low() -> None:
    assert severity_of(golden()) is Severity.MEDIUM
    assert severity_of(golden("latency_ms", detector="latency_shift", kind=Kind.FAULT)) is Severity.MEDIUM
    assert severity_of(drift()) is Severity.LOW
    assert severity_of(golden(claim="advisory")) is Severity.LOW


@pytest.mark.parametrize("rise", RISES)
def test_what_happens_to_a_model_rises_when_it_is_both_so_strong_and_so_lasting(rise: Any) -> None:
    def after(lasting_ms: int, times: float) -> Severity:
        numbers: dict[str, Any] = {"at": T0 + lasting_ms, "threshold": 1e6, "statistic": times * 1e6}
        return together(golden(**numbers) if rise.kind is Kind.DRIFT else sweep(**numbers))

    assert after(rise.lasting_ms, rise.times) is rise.severity
    assert after(rise.lasting_ms - 1, rise.times) is Severity.MEDIUM
    if rise.times > 1:
        assert after(rise.lasting_ms, rise.times * 0.99) is Severity.MEDIUM


def test_what_is_not_sound_neither_strengthens_nor_prolongs_drift() -> None:
    late = T0 + 48 * HOUR
    assert together(golden(), drift(at=late, statistic=1e300), provisional("hour", late, statistic=1e300)) is Severity.MEDIUM


def test_detectors_of_drift_that_agree_are_no_more_than_medium() -> None:
    assert together(golden(), golden("envelope", detector="envelope"), drift()) is Severity.MEDIUM


def test_probing_by_nobody_in_particular_is_medium_until_it_lasts() -> None:
    assert severity_of(sweep()) is Severity.MEDIUM
    assert together(sweep(at=T0 + HOUR - 1)) is Severity.MEDIUM
    assert together(sweep(at=T0 + HOUR)) is Severity.HIGH


def test_the_time_that_probing_by_a_caller_lasts_is_in_its_counts() -> None:
    assert together(probing(at=T0 + 48 * HOUR)) is Severity.MEDIUM


def test_the_highest_of_an_incident_counts() -> None:
    assert together(provisional(), drift()) is Severity.LOW
    assert together(provisional(), golden("hour"), drift()) is Severity.MEDIUM
    assert together(probing(), sweep(ladder="provisional")) is Severity.MEDIUM

"""Triage of detectors with a baseline: ladder, moving company, what it looks like, storms, and snapshots of an older layout."""

from __future__ import annotations

import base64
import zlib

import msgspec
import pytest

from alerts.casebook import Casebook
from alerts.finding import Finding
from alerts.incident import MAX_SIGNALS
from alerts.pattern import Pattern
from alerts.severity import Severity
from alerts.triage import INCIDENTS, Triage
from alerts.wording import message
from tests.helpers.signals import (
    HOUR,
    MINUTE,
    MODEL,
    T0,
    drift,
    golden,
    order,
    probing,
    provisional,
    searching,
    shifted,
    signals,
    sweep,
)
from tocsin.config import Privacy
from tocsin.signal import Kind, Signal
from tocsin.state import Section

DRIFT = (MODEL, Kind.DRIFT, "")


def triage() -> Triage:
    return Triage(Privacy())


def detectors(finding: Finding) -> set[str]:
    return {signal.detector for signal in finding.signals}


def test_a_provisional_finding_informs_and_says_how_to_arm_its_baseline() -> None:
    (finding,) = triage().apply(signals(provisional(statistic=1e300)))
    assert (finding.severity, finding.proposal) == (Severity.INFORMATIONAL, None)
    assert "the baseline is provisional until `tocsin baseline promote prod/fraud@7` arms it" in message(finding)


def test_an_armed_signal_of_the_same_incident_raises_it_and_is_said_at_once() -> None:
    fold = triage()
    (informed,) = fold.apply(signals(provisional()))
    (raised,) = fold.apply(signals(golden(at=T0 + MINUTE), now=T0 + MINUTE))
    assert raised.incident == informed.incident
    assert (raised.activity, raised.because, raised.severity) == ("update", "severity rose from informational", Severity.MEDIUM)
    assert raised.lead.ladder == "armed"
    assert "provisional" not in message(raised)


@pytest.mark.parametrize("frozen_first", [True, False])
def test_frozen_and_moving_detectors_of_one_model_are_one_incident_of_the_higher_severity(frozen_first: bool) -> None:
    pair = (golden(), drift("adwin", T0 + 1_000))
    fold = triage()
    found = [f for s in (pair if frozen_first else pair[::-1]) for f in fold.apply(signals(s, now=s.ts))]
    (closed,) = fold.apply(signals(now=T0 + 3 * HOUR))
    assert len({f.incident for f in (*found, closed)}) == 1
    assert closed.severity is Severity.MEDIUM
    assert detectors(closed) == {"feature_drift", "adwin"}
    assert closed.lead.detector == "feature_drift"


def test_moving_detectors_date_and_prolong_only_what_nothing_sound_supports() -> None:
    fold = triage()
    fold.apply(signals(drift(onset_ts=T0 - 9 * HOUR)))
    assert fold.cases.open[DRIFT].start == T0 - 9 * HOUR
    (raised,) = fold.apply(signals(golden(at=T0 + MINUTE), now=T0 + MINUTE))
    assert raised.start == T0 - 4 * MINUTE
    late = golden("hour", T0 + 2 * MINUTE, onset_ts=T0 - 3 * HOUR)
    fold.apply(signals(drift(at=T0 + HOUR, onset_ts=T0 - 9 * HOUR), late, now=T0 + HOUR))
    fold.apply(signals(drift(at=T0 + 2 * HOUR), now=T0 + 2 * HOUR))
    (closed,) = fold.apply(signals(now=T0 + 3 * HOUR))
    assert (closed.activity, closed.start, closed.fired) == ("close", T0 - 4 * MINUTE, 5)


def test_drift_that_lasts_becomes_urgent_by_ledger_time_and_signals_alone() -> None:
    fold = triage()
    found = [f for ten in range(40) for f in fold.apply(signals(*lasting(ten, 1e12), now=T0 + ten * 10 * MINUTE))]
    rises = [(f.time - T0, f.because) for f in found if f.because.startswith("severity rose")]
    assert rises == [(6 * HOUR, "severity rose from medium")]
    assert found[-1].severity is Severity.HIGH


def lasting(ten: int, statistic: float) -> tuple[Signal, ...]:
    return (golden(at=T0 + ten * 10 * MINUTE, statistic=statistic),)


def test_when_a_change_proves_to_be_one_of_unit_it_is_said_at_once_and_once() -> None:
    fold = triage()
    (opened,) = fold.apply(signals(golden()))
    assert opened.pattern is Pattern.PLAIN
    (clear,) = fold.apply(signals(golden(at=T0 + 1, evidence=shifted(100.0)), now=T0 + 1))
    assert (clear.because, clear.pattern) == ("it now looks like a change of unit by a producer", Pattern.UNIT)
    assert "input amount" in message(clear)
    assert fold.apply(signals(golden(at=T0 + 2), golden(at=T0 + 3, evidence=shifted(100.0)), now=T0 + 3)) == []


def test_of_equally_severe_signals_the_one_that_explains_most_leads() -> None:
    (found,) = triage().apply(
        signals(golden(evidence=shifted(100.0)), golden("envelope", T0 + 9, detector="envelope"), golden("hour", T0 + 9))
    )
    assert (found.lead.watches, found.pattern) == ("amount", Pattern.UNIT)


def test_probing_by_nobody_in_particular_is_told_without_a_caller() -> None:
    (found,) = triage().apply(signals(sweep()))
    assert (found.actors, found.pattern, found.severity) == ((), Pattern.SPREAD, Severity.MEDIUM)


def test_a_storm_of_drift_is_one_incident_with_exact_counts() -> None:
    fold, found, fired = triage(), [], 0
    for minute in range(60):
        at = T0 + minute * MINUTE
        storm = [golden(f"input {i}", at + i) for i in range(40)] + [drift("adwin", at), drift("page_hinkley", at)]
        fired += len(storm)
        found += fold.apply(signals(*storm, now=at))
    found += fold.apply(signals(now=T0 + 9 * HOUR))
    assert len({finding.incident for finding in found}) == 1
    assert [finding.because for finding in found] == [
        "first seen",
        "more of the same 10 minutes after opening",
        "no new signal for 2 hours",
    ]
    assert (found[-1].fired, found[-1].suppressed_total) == (fired, fired - 1)
    assert sum(finding.suppressed for finding in found) == fired - 1


def test_a_detector_is_not_forgotten_however_many_quantities_another_one_names() -> None:
    fold = triage()
    many = [provisional(f"input {i}", T0 + i) for i in range(30)]
    fold.apply(signals(drift(), *many, golden("envelope", detector="envelope"), *many))
    incident = fold.cases.open[DRIFT]
    assert len(incident.signals) == MAX_SIGNALS
    assert {signal.detector for signal in incident.signals.values()} == {"adwin", "feature_drift", "envelope"}
    assert incident.severity is Severity.MEDIUM


def test_a_strong_signal_is_kept_when_many_weak_ones_came_first() -> None:
    fold = triage()
    weak = [provisional(f"input {i}", T0 + i) for i in range(30)]
    (found,) = fold.apply(signals(*weak, golden("amount", T0 + 99)))
    assert (found.severity, found.lead.watches) == (Severity.MEDIUM, "amount")


def test_a_promotion_passes_through_and_is_heard_once() -> None:
    fold = triage()
    fold.apply(signals(golden()))
    before = fold.dump()
    promote = order("promote", model=MODEL, baseline="3fa2", ladder="armed", author="ana")
    assert fold.apply(signals(orders=(promote,))) == []
    assert fold.dump()[INCIDENTS] == before[INCIDENTS]
    assert promote.uid in fold.heard


OLD = """
eNqNUj1s00AUduiA1JUOsJSuDEnufOezHYRidhiQEGt0v9RqYluOSRSxpEhIFVN+1gpZoEKbFFEJqfKYEclCHVm6MyAGFjYk7IT+pFHV3vD0vS
e977133zcYHGu3EwyBBFgSrAvdsHVTmcpimNj7QeiLsgrpC+GYc8nHLGGu9/wAImibjDAlDKKgZR1pWuHdTedN9wK4/yc+rSwVMqRtHuYcshbS
SJY5rddluJbjY20lMQ3MKOQMKGSZnAPAMYRQ6SdjR2ethV2/7a0FtBmNMhKX5TWROtrsDfYePn5UegoABp/+Ix2XsjB3zfjc+OEe5TwqWhaG+z
RwaxuyU1unzfWjW3debvx99ntr8bDU+WpNp6XOl60p+FbYTqtvkyc/X68m3eFw7Iqir4qRH7j8c6Necj0lQ+lxWWrBpXtab3PhG4dXrnF+RP+0
2j+8QF9BFQwrIE4Y0Q2GJKCUGwQhZkKMuUBsdkW7o/UXlohzb5jC1AUh2MiiDaiNgK5zYaPLvbEjQldF8XWccGPmhAMq2q5X5r6nXJEvnnvAIp
n+xAIWZIgjJKBEhCqoZvQ705bCh4bfyvywS0XLbfphZ9I/ERzBuaVGZ+STayo4eTVqSOrVqIpkmFZ/LD8I3n9fHk9rTCo/lGn112quwN2rJe72
LpUm1npx7x8GBUW7
"""
"""Section `incidents`, version 1, as Tocsin wrote it before detectors had baselines: `probing()` and `drift()` without
examples, zlib in base64."""


def old() -> Section:
    return Section(1, zlib.decompress(base64.b64decode(OLD)))


def test_incidents_of_version_1_are_taken_over_and_go_on() -> None:
    fold = triage()
    notes = fold.load({**fold.dump(), INCIDENTS: old()})
    assert notes == []
    prober, moving = fold.cases.open.values()
    assert (prober.uid, prober.action, prober.since, prober.fired) == ("410e04e642d25927f7f8b469", "throttle", T0, 1)
    assert (moving.uid, moving.action, moving.since, moving.fired) == ("7d72d66452d690a93022cd93", "", 0, 1)
    assert fold.apply(signals(probing(at=T0 + 1), now=T0 + 1)) == []
    (update, *_) = fold.apply(signals(now=T0 + MINUTE))
    assert (update.fired, update.proposal) == (2, None)
    assert update.proposal_id == "b625b3e0aac5633b7144cd3b"


def test_what_was_taken_over_is_written_in_the_new_layout() -> None:
    taken, again = Casebook(), Casebook()
    taken.load(old().data, old().version)
    again.load(taken.dump())
    assert again.dump() == taken.dump() != old().data


def test_incidents_of_a_version_to_come_are_dropped_and_said() -> None:
    fold = triage()
    sections = {**fold.dump(), INCIDENTS: msgspec.structs.replace(old(), version=3)}
    assert fold.load(sections) == ["incidents: v3 is not of this version; it is dropped"]


def test_probing_by_nobody_in_particular_is_over_only_after_two_quiet_hours() -> None:
    fold = triage()
    fold.apply(signals(sweep()))
    assert not [f for f in fold.apply(signals(now=T0 + 2 * HOUR - 1)) if f.activity == "close"]
    (closed,) = fold.apply(signals(now=T0 + 2 * HOUR))
    assert (closed.activity, closed.kind) == ("close", Kind.PROBING)


def test_who_asked_so_seldom_that_it_took_hours_is_not_gone_after_half_an_hour() -> None:
    fold = triage()
    fold.apply(signals(searching(onset_ts=T0 - 2 * HOUR)))
    told = fold.apply(signals(searching(at=T0 + 3 * HOUR), now=T0 + 3 * HOUR))
    assert "close" not in [finding.activity for finding in told]
    assert "close" not in [finding.activity for finding in fold.apply(signals(now=T0 + 7 * HOUR - 1))]
    assert [finding.activity for finding in fold.apply(signals(now=T0 + 7 * HOUR))][-1] == "close"

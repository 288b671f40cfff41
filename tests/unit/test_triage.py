"""Triage: what opens, speaks again, closes, merges, and what is only counted."""

from __future__ import annotations

from typing import Any

from alerts.casebook import CROWD, MAX_CLOSED, MAX_OPEN
from alerts.deadlines import QUIET_MS
from alerts.finding import Finding
from alerts.severity import Severity
from alerts.triage import Triage
from tests.helpers.signals import HOUR, MINUTE, MODEL, T0, caller, drift, fault, loss, order, probing, signals
from tocsin.config import Privacy
from tocsin.signal import Kind


def triage() -> Triage:
    return Triage(Privacy())


def strong(**changes: Any) -> dict[str, Any]:
    return {"count": 5_000, "evidence": {"times_usual": 2_480.0, "usual_per_min": 0.05}, **changes}


def said(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.activity, finding.because) for finding in findings]


def test_a_first_signal_opens_an_incident_and_more_of_the_same_is_counted() -> None:
    fold = triage()
    (opened,) = fold.apply(signals(probing()))
    assert (opened.activity, opened.status, opened.severity, opened.sequence) == ("create", "new", Severity.MEDIUM, 1)
    assert fold.apply(signals(probing(), probing(), now=T0 + 1_000)) == []
    (update,) = fold.apply(signals(now=T0 + MINUTE))
    assert (update.fired, update.suppressed, update.suppressed_total) == (3, 2, 2)


def test_models_kinds_and_callers_are_incidents_of_their_own() -> None:
    found = triage().apply(signals(probing("a"), probing("b"), probing("a", model="prod/other@1"), drift()))
    assert len({finding.incident for finding in found}) == len(found) == 4


def test_the_same_id_as_user_and_as_service_is_two_callers() -> None:
    found = triage().apply(signals(probing(caller("x", "user")), probing(caller("x", "service"))))
    assert len({finding.incident for finding in found}) == 2


def test_an_incident_speaks_again_at_its_milestones_only_if_something_new_arrived() -> None:
    fold = triage()
    fold.apply(signals(drift()))
    heard = {}
    for minute in range(1, 8 * 60):
        news = (drift(at=T0 + minute * MINUTE),) if minute in (5, 30, 31, 200) else ()
        for finding in fold.apply(signals(*news, now=T0 + minute * MINUTE)):
            heard[minute] = (finding.because, finding.suppressed)
    assert heard == {
        10: ("more of the same 10 minutes after opening", 1),
        60: ("more of the same 1 hour after opening", 2),
        31 + 120: ("no new signal for 2 hours", 0),
        200: ("first seen", 0),
        320: ("no new signal for 2 hours", 0),
    }


def test_a_rise_in_severity_speaks_at_once_and_it_never_falls() -> None:
    fold = triage()
    fold.apply(signals(probing()))
    (update,) = fold.apply(signals(probing(**strong()), now=T0 + 1_000))
    assert (update.activity, update.because, update.severity) == ("update", "severity rose from medium", Severity.HIGH)
    assert fold.apply(signals(probing(), now=T0 + 2_000)) == []
    assert fold.cases.open[MODEL, Kind.PROBING, f"{caller().hash:016x}"].severity is Severity.HIGH


def test_every_kind_closes_after_its_quiet_time_by_ledger_time() -> None:
    fold = triage()
    fold.apply(signals(probing(), drift(), drift("page_hinkley", kind=Kind.FAULT), losses=(loss(),)))
    for kind, quiet in QUIET_MS.items():
        assert not [f for f in fold.apply(signals(now=T0 + quiet - 1)) if f.activity == "close" and f.kind is kind]
        closed = [f for f in fold.apply(signals(now=T0 + quiet)) if f.kind is kind]
        assert [(f.activity, f.status) for f in closed] in ([("close", "resolved")], [])
    assert fold.cases.open == {}


def test_a_signal_after_the_quiet_time_is_a_new_incident() -> None:
    fold = triage()
    (first,) = fold.apply(signals(probing()))
    closed, opened = fold.apply(signals(probing(at=T0 + 2 * HOUR), now=T0 + 2 * HOUR))
    assert (closed.incident, closed.activity) == (first.incident, "close")
    assert opened.incident != first.incident


def test_a_clock_that_goes_back_changes_nothing() -> None:
    fold = triage()
    fold.apply(signals(probing(), now=T0 + MINUTE))
    before = fold.dump()
    assert fold.apply(signals(now=T0)) == []
    assert fold.dump() == before


def test_before_the_first_tick_the_signals_own_time_stands_in() -> None:
    fold = triage()
    (opened,) = fold.apply(signals(probing(), now=0))
    assert opened.time == T0
    assert fold.apply(signals(now=T0 + 1_000)) == []


def test_a_crowd_of_callers_is_one_incident_with_an_exact_number() -> None:
    fold = triage()
    many = [probing(f"acct-{i}", T0 + i, count=100 + i) for i in range(CROWD + 30)]
    found = fold.apply(signals(*many))
    assert len(found) == CROWD + 1
    crowd = found[-1]
    assert crowd.is_group
    assert (crowd.actors_total, crowd.severity, crowd.suppressed) == (30, Severity.HIGH, 29)
    assert [actor.count for actor in crowd.actors] == sorted((100 + i for i in range(CROWD, CROWD + 30)), reverse=True)[:10]


def test_callers_spread_over_hours_are_no_crowd() -> None:
    fold = triage()
    found = [f for i in range(40) for f in fold.apply(signals(probing(f"a{i}", T0 + i * MINUTE), now=T0 + i * MINUTE))]
    assert not any(finding.is_group for finding in found)


def test_a_caller_with_an_incident_of_its_own_stays_out_of_the_crowd() -> None:
    fold = triage()
    fold.apply(signals(*(probing(f"acct-{i}") for i in range(CROWD + 1))))
    fold.apply(signals(probing("acct-0"), now=T0 + 1_000))
    assert fold.cases.open[MODEL, Kind.PROBING, f"{caller('acct-0').hash:016x}"].fired == 2


def test_a_crowd_keeps_the_busiest_by_name_and_counts_the_others() -> None:
    fold = triage()
    fold.apply(signals(*(probing(f"acct-{i}", count=i + 1) for i in range(CROWD + 500))))
    crowd = fold.cases.open[MODEL, Kind.PROBING, "*"]
    assert len(crowd.callers) == 500
    assert [member.count for member in crowd.members()] == list(range(CROWD + 500, CROWD + 450, -1))


def test_a_strong_caller_hidden_in_a_flood_is_named_at_once_and_every_signal_is_counted() -> None:
    fold = triage()
    flood = [probing(f"decoy-{i % 300}", T0 + i) for i in range(3_000)]
    found = fold.apply(signals(*flood[:2_000]))
    found += (news := fold.apply(signals(*flood[2_000:], probing("prober", **strong()), now=T0 + 1_000)))
    assert [(f.because, f.severity, f.actors[0].name) for f in news] == [
        ("severity rose from high", Severity.CRITICAL, "prober")
    ]
    assert len(found) == CROWD + 2
    waiting = sum(incident.unsaid for incident in fold.cases.open.values())
    assert len(found) + sum(finding.suppressed for finding in found) + waiting == 3_001


def test_in_a_crowd_the_busiest_stay_even_when_the_others_come_later() -> None:
    fold = triage()
    fold.apply(signals(*(probing(f"acct-{i}", count=10_000 - i) for i in range(CROWD + 200))))
    assert [member.count for member in fold.cases.open[MODEL, Kind.PROBING, "*"].members()] == list(range(9_980, 9_930, -1))


def test_a_crowd_on_the_word_of_advisory_detectors_stays_low() -> None:
    crowd = triage().apply(signals(*(probing(f"acct-{i}", claim="advisory") for i in range(CROWD + 5))))[-1]
    assert (crowd.is_group, crowd.severity) == (True, Severity.LOW)


def test_moving_detectors_stay_low_however_many_agree() -> None:
    names = ("adwin", "page_hinkley", "half_space_trees")
    found = triage().apply(signals(*(drift(name, statistic=1e9) for name in names)))
    assert [finding.severity for finding in found] == [Severity.LOW]
    assert found[0].proposal is None


def test_an_advisory_detector_alone_is_low() -> None:
    (finding,) = triage().apply(signals(probing(claim="advisory", **strong())))
    assert finding.severity is Severity.LOW


def test_two_sound_detectors_that_agree_raise_the_severity() -> None:
    found = triage().apply(signals(probing(), probing(detector="envelope", reference="frozen", watches="features")))
    assert [finding.severity for finding in found] == [Severity.HIGH]


def test_losses_and_faults_are_blind_findings_told_once() -> None:
    fold = triage()
    found = fold.apply(signals(faults=(fault(),), losses=(loss(),)))
    assert [(f.kind, f.subject, f.severity) for f in found] == [
        (Kind.BLIND, MODEL, Severity.LOW),
        (Kind.BLIND, "ml.inference.v1", Severity.MEDIUM),
    ]
    assert fold.apply(signals(faults=(fault(),), losses=(loss(),), now=T0 + MINUTE)) == []


def test_an_analyst_closes_an_open_incident_with_a_verdict() -> None:
    fold = triage()
    (opened,) = fold.apply(signals(probing()))
    close = order("close", finding_uid=opened.incident, verdict="expected", author="ana", reason="load test")
    (closed,) = fold.apply(signals(orders=(close,), now=T0 + 1_000))
    assert (closed.activity, closed.verdict, closed.because) == ("close", "expected", "closed as expected by ana: load test")
    assert fold.apply(signals(orders=(close,), now=T0 + 2_000)) == []


def test_a_verdict_still_reaches_an_incident_that_has_closed_by_itself() -> None:
    fold = triage()
    (opened,) = fold.apply(signals(probing()))
    fold.apply(signals(now=T0 + 2 * HOUR))
    close = order("close", finding_uid=opened.incident, verdict="true-positive", author="ana")
    (late,) = fold.apply(signals(orders=(close,), now=T0 + 3 * HOUR))
    assert (late.incident, late.sequence, late.verdict) == (opened.incident, 3, "true-positive")


def test_an_order_about_an_unknown_finding_or_of_an_unknown_kind_changes_nothing() -> None:
    fold = triage()
    close = order("close", finding_uid="gone", verdict="expected", author="ana")
    assert fold.apply(signals(orders=(close, order("promote", baseline="x"), order("shiny", x=1)))) == []


def test_a_flood_of_incidents_closes_the_least_severe_and_says_so() -> None:
    fold = triage()
    models = [drift(model=f"prod/m{i}@1", at=T0 + i) for i in range(MAX_OPEN - 1)]
    fold.apply(signals(probing(), *models))
    found = fold.apply(signals(drift(model="prod/new@1", at=T0 + 5_000), now=T0 + 5_000))
    assert [f.activity for f in found] == ["close", "create"]
    assert found[0].kind is Kind.DRIFT
    assert len(fold.cases.open) == MAX_OPEN


def test_closed_incidents_are_bounded() -> None:
    fold = triage()
    fold.apply(signals(*(drift(model=f"prod/m{i}@1", at=T0 + i) for i in range(MAX_CLOSED + 50))))
    fold.apply(signals(now=T0 + 3 * HOUR))
    assert (len(fold.cases.open), len(fold.cases.closed)) == (0, MAX_CLOSED)


def test_a_caller_may_be_flagged_forever_without_the_state_growing() -> None:
    fold = triage()
    for i in range(50):
        fold.apply(signals(probing(at=T0 + i, watches=f"quantity {i}"), now=T0 + i))
    size = len(fold.dump()["incidents"].data)
    for i in range(50, 500):
        fold.apply(signals(probing(at=T0 + i, watches=f"quantity {i}"), now=T0 + i))
    assert len(fold.dump()["incidents"].data) <= size + 16


def test_a_snapshot_in_mid_stream_changes_nothing() -> None:
    records = [
        signals(probing(), drift(), losses=(loss(),)),
        signals(*(probing(f"acct-{i}") for i in range(CROWD + 5)), now=T0 + MINUTE),
        signals(
            probing(**strong()),
            now=T0 + 2 * MINUTE,
            orders=(order("silence", id="s", until=T0 + HOUR, reason="r", author="a"),),
        ),
        signals(now=T0 + 3 * HOUR),
    ]
    whole, cut = triage(), triage()
    for record in records:
        restored = triage()
        assert restored.load(cut.dump()) == []
        cut = restored
        assert cut.apply(record) == whole.apply(record)
        assert cut.dump() == whole.dump()


def test_a_section_of_another_version_starts_cold_and_the_others_load() -> None:
    fold = triage()
    fold.apply(signals(probing(), orders=(order("silence", id="s", until=T0 + HOUR, reason="r", author="a"),)))
    sections = fold.dump()
    newer = {**sections, "incidents": type(sections["incidents"])(99, b"?"), "shiny": sections["heard"]}
    restored = triage()
    assert restored.load(newer) == [
        "incidents: v99 is not of this version; it is dropped",
        "shiny: v1 is not of this version; it is dropped",
    ]
    assert restored.cases.open == {}
    assert list(restored.silences.active) == ["s"]

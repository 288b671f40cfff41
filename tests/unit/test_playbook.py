"""Playbook and proposals: what is suggested, to whom, for how long; and when nothing is."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.casebook import CROWD
from alerts.pattern import Pattern
from alerts.playbook import PLAYBOOK, Play, play_for
from alerts.proposal import propose, response_to
from alerts.severity import Severity
from alerts.triage import Triage
from tests.helpers.signals import (
    HOUR,
    MINUTE,
    T0,
    caller,
    drift,
    golden,
    order,
    probing,
    provisional,
    shifted,
    signals,
    sweep,
)
from tocsin.config import Privacy
from tocsin.signal import Kind, Signal


def triage() -> Triage:
    return Triage(Privacy())


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("severity", Severity)
def test_every_kind_pattern_and_severity_has_an_answer(kind: Kind, pattern: Pattern, severity: Severity) -> None:
    assert play_for(kind, pattern, severity) in PLAYBOOK


def test_every_row_of_the_playbook_is_the_answer_to_something() -> None:
    asked = {play_for(kind, pattern, severity) for kind in Kind for pattern in Pattern for severity in Severity}
    assert asked == set(PLAYBOOK)


@pytest.mark.parametrize("play", PLAYBOOK)
def test_only_probing_of_medium_and_above_is_answered_with_deeds_and_always_for_a_limited_time(play: Play) -> None:
    kind, pattern, at_least, action, ttl_s, advice = play
    acts = action != "annotate"
    assert not acts or (kind is Kind.PROBING and at_least >= Severity.MEDIUM)
    assert (action == "throttle_model") is (acts and pattern in (Pattern.SPREAD, Pattern.TOGETHER))
    assert (action == "newcomer_quota") is (acts and pattern is Pattern.NEWCOMERS)
    assert (ttl_s > 0) is acts
    assert advice.endswith(".")


def test_a_proposal_names_the_caller_the_finding_and_its_end() -> None:
    (finding,) = triage().apply(signals(probing()))
    proposal = finding.proposal
    assert proposal is not None
    assert (proposal.action, proposal.state, proposal.model) == ("throttle", "unsigned", "prod/fraud@7")
    assert proposal.finding_uid == finding.incident
    assert [target.caller for target in proposal.targets] == ["acct-8841"]
    assert (proposal.created, proposal.expires) == (T0, T0 + HOUR)
    assert proposal.ttl_s == 3_600
    assert proposal.reason.startswith("API key acct-8841 is probing prod/fraud@7")


def test_a_proposal_is_revised_only_when_the_callers_change() -> None:
    fold = triage()
    first = fold.apply(signals(*(probing(f"acct-{i}") for i in range(CROWD + 2))))[-1].proposal
    fold.apply(signals(probing("acct-21"), now=T0 + 1_000))
    (same,) = fold.apply(signals(now=T0 + MINUTE))
    assert first is not None
    assert (same.proposal, same.proposal_id) == (None, first.id)
    fold.apply(signals(probing("late"), now=T0 + 2 * MINUTE))
    (revised,) = fold.apply(signals(now=T0 + 10 * MINUTE))
    assert revised.proposal is not None
    assert revised.proposal.supersedes == first.id
    assert len(revised.proposal.targets) == 3


def test_nothing_is_proposed_about_callers_without_a_name() -> None:
    (finding,) = triage().apply(signals(probing(caller("unknown", "unknown"))))
    assert finding.proposal is None


@pytest.mark.parametrize("changes", [{"reference": "moving"}, {"claim": "advisory"}])
def test_nothing_is_proposed_on_the_word_of_a_moving_or_advisory_detector(changes: dict[str, Any]) -> None:
    (finding,) = triage().apply(signals(probing(count=10**6, share=1.0, **changes)))
    assert (finding.proposal, finding.severity) == (None, Severity.LOW)


def test_nothing_is_proposed_on_the_word_of_moving_detectors_however_severe_it_were() -> None:
    fold = triage()
    fold.apply(signals(probing(reference="moving")))
    (incident,) = fold.cases.open.values()
    incident.severity = Severity.CRITICAL
    assert response_to(incident) is None


def test_nothing_is_proposed_when_a_crowd_with_late_comers_closes() -> None:
    fold = triage()
    fold.apply(signals(*(probing(f"acct-{i}") for i in range(CROWD + 2))))
    fold.apply(signals(probing("late"), now=T0 + 2 * MINUTE))
    closed = fold.apply(signals(now=T0 + 3 * HOUR))
    assert all(finding.proposal is None for finding in closed)


def test_two_proposals_about_the_same_callers_have_ids_of_their_own() -> None:
    fold = triage()
    fold.apply(signals(probing()))
    (incident,) = fold.cases.open.values()
    response = response_to(incident)
    assert response is not None
    one = propose(incident, response, T0, "why", Privacy())
    incident.sequence += 1
    other = propose(incident, response, T0, "why", Privacy())
    assert one.id != other.id


def test_nothing_is_proposed_against_drift_and_when_an_incident_closes() -> None:
    fold = triage()
    (found,) = fold.apply(signals(drift(reference="frozen", claim="bound")))
    assert found.proposal is None
    (opened,) = fold.apply(signals(probing(), now=T0 + 1_000))
    close = order("close", finding_uid=opened.incident, verdict="false-positive", author="ana")
    (closed,) = fold.apply(signals(orders=(close,), now=T0 + 2_000))
    assert closed.proposal is None


def test_hidden_callers_are_hidden_in_proposals_too() -> None:
    (finding,) = triage().apply(signals(probing(caller("jane.doe@example.org", "user"))))
    assert finding.proposal is not None
    (target,) = finding.proposal.targets
    assert target.caller == f"hmac:{target.hash}"
    assert "jane" not in finding.proposal.reason


def test_probing_spread_over_many_accounts_proposes_a_measure_for_the_whole_model_and_blocks_nobody() -> None:
    (finding,) = triage().apply(signals(sweep()))
    proposal = finding.proposal
    assert proposal is not None
    assert (proposal.action, proposal.targets, proposal.model, proposal.ttl_s) == ("throttle_model", (), "prod/fraud@7", 3_600)
    assert finding.advice.startswith("Block nobody by name")
    assert "newcomers" in finding.advice


def test_a_measure_for_the_whole_model_is_proposed_once_and_again_only_when_something_changes() -> None:
    fold = triage()
    (opened,) = fold.apply(signals(sweep()))
    fold.apply(signals(sweep(T0 + 1_000), now=T0 + 1_000))
    fold.apply(signals(sweep(T0 + 2_000), now=T0 + 2_000))
    (again,) = fold.apply(signals(now=T0 + MINUTE))
    assert opened.proposal is not None
    assert (again.proposal, again.proposal_id) == (None, opened.proposal.id)


@pytest.mark.parametrize("who", [probing(), probing(caller("203.0.113.42", "ip"))])
def test_nobody_else_is_slowed_down_while_the_callers_who_probe_are_known(who: Signal) -> None:
    fold = triage()
    named, spread = fold.apply(signals(who, sweep()))
    assert (named.proposal is not None, spread.proposal) == (True, None)
    fold.apply(signals(sweep(T0 + 40 * MINUTE - 1), now=T0 + 29 * MINUTE))
    later = [f.proposal for f in fold.apply(signals(sweep(T0 + HOUR), now=T0 + 58 * MINUTE))]
    assert [proposal.action for proposal in later if proposal] == ["throttle_model"]


def test_a_caller_that_only_informs_does_not_spare_the_model() -> None:
    _, spread = triage().apply(signals(probing(claim="advisory"), sweep()))
    assert spread.proposal is not None


@pytest.mark.parametrize("changes", [{"ladder": "provisional"}, {"claim": "advisory"}])
def test_nothing_is_proposed_for_a_model_on_a_word_that_nobody_vouched_for(changes: dict[str, Any]) -> None:
    (finding,) = triage().apply(signals(sweep(**changes)))
    assert finding.proposal is None


def test_a_sale_is_a_finding_about_the_model_that_contains_nobody() -> None:
    fold = triage()
    found = fold.apply(signals(golden("amount"), golden("hour"), golden("envelope", detector="envelope"), drift()))
    for hour in range(1, 30):
        at = T0 + hour * HOUR
        found += fold.apply(signals(golden("amount", at, statistic=1e12), golden("hour", at), now=at))
    assert {finding.kind for finding in found} == {Kind.DRIFT}
    assert len({finding.incident for finding in found}) == 1
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert {finding.proposal for finding in found} == {None}
    assert "contain nobody" in found[0].advice


@pytest.mark.parametrize("kind", [Kind.DRIFT, Kind.FAULT, Kind.BLIND])
def test_the_playbook_contains_callers_for_nothing_but_probing(kind: Kind) -> None:
    assert {play.action for play in PLAYBOOK if play.kind is kind} == {"annotate"}


def test_a_change_of_unit_is_for_the_producer_and_a_slow_service_for_its_owner() -> None:
    (cents,) = triage().apply(signals(golden(evidence=shifted(100.0))))
    (slow,) = triage().apply(signals(golden("latency_ms", detector="latency_shift", kind=Kind.FAULT)))
    assert "produces this input" in cents.advice
    assert "owner of the service" in slow.advice


def test_a_provisional_finding_proposes_nothing_however_strong() -> None:
    (finding,) = triage().apply(signals(provisional(statistic=1e300)))
    assert (finding.severity, finding.proposal) == (Severity.INFORMATIONAL, None)


def test_when_suspicion_grows_the_throttle_is_proposed_anew_and_once() -> None:
    fold = Triage(Privacy())
    (first,) = fold.apply(signals(probing()))
    grown = fold.apply(signals(probing(at=T0 + MINUTE, count=5_000, evidence={"times_usual": 400.0}), now=T0 + MINUTE))
    again = fold.apply(signals(probing(at=T0 + 2 * MINUTE, count=6_000, evidence={"times_usual": 400.0}), now=T0 + 2 * MINUTE))
    proposals = [finding.proposal for finding in (first, *grown, *again) if finding.proposal]
    assert [proposal.severity_id for proposal in proposals] == [3, 4]
    assert proposals[1].supersedes == proposals[0].id

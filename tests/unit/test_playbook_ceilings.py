"""What detectors of query attacks may lead to: the innocent who look the same set the ceiling."""

from __future__ import annotations

import pytest

from alerts.formats.ocsf import render
from alerts.ladder import ORDER, Measure
from alerts.pattern import Pattern
from alerts.playbook import CEILINGS, play_for
from alerts.severity import Severity
from alerts.triage import Triage
from tests.helpers.signals import HOUR, MINUTE, T0, arriving, colluding, remembering, searching, signals
from tocsin.config import Privacy
from tocsin.signal import Kind


def triage() -> Triage:
    return Triage(Privacy())


@pytest.mark.parametrize(("pattern", "most"), CEILINGS.items())
@pytest.mark.parametrize("severity", Severity)
def test_what_the_innocent_do_too_is_never_answered_beyond_its_ceiling(
    pattern: Pattern, most: Measure, severity: Severity
) -> None:
    for kind in Kind:
        assert ORDER.index(play_for(kind, pattern, severity).action) <= ORDER.index(most)


def test_the_ladder_goes_from_doing_nothing_to_slowing_everybody_down() -> None:
    assert ORDER[:4] == ("annotate", "newcomer_quota", "throttle", "throttle_model")


def test_self_similarity_alone_is_throttled_at_most_and_another_signal_of_the_same_caller_lifts_that() -> None:
    assert CEILINGS[Pattern.VARIATIONS] == "throttle"
    assert Pattern.SEARCH not in CEILINGS
    fold = triage()
    (slow,) = fold.apply(signals(searching("self-similarity")))
    (found,) = fold.apply(signals(searching("label flip", at=T0 + 1_000), now=T0 + 1_000))
    assert (slow.pattern, found.pattern) == (Pattern.VARIATIONS, Pattern.SEARCH)
    fold.apply(signals(searching("self-similarity", at=T0 + 2_000), now=T0 + 2_000))
    (later,) = fold.apply(signals(now=T0 + MINUTE))
    assert later.pattern is Pattern.SEARCH
    assert slow.proposal is not None
    assert slow.proposal.action == "throttle"
    assert "a sensor" in slow.advice


def test_a_shared_template_is_a_finding_that_proposes_nothing_however_long_it_lasts() -> None:
    fold = triage()
    found = fold.apply(signals(colluding("shared template")))
    for hour in range(1, 30):
        at = T0 + hour * HOUR
        found += fold.apply(signals(colluding("shared template", at, statistic=1e12), now=at))
    assert {finding.proposal for finding in found} == {None}
    assert max(finding.severity for finding in found) is Severity.MEDIUM
    assert "contain nobody" in found[0].advice


def test_many_callers_together_are_answered_for_the_whole_model_and_a_template_beside_them_hides_nothing() -> None:
    fold = triage()
    (template,) = fold.apply(signals(colluding("shared template")))
    (crowd,) = fold.apply(signals(colluding("crowded cells", T0 + 1_000), now=T0 + 1_000))
    assert (template.proposal, crowd.pattern) == (None, Pattern.TOGETHER)
    assert crowd.proposal is not None
    assert (crowd.proposal.action, crowd.proposal.targets) == ("throttle_model", ())


def test_a_cohort_of_newcomers_is_a_ticket_and_a_quota_never_a_block() -> None:
    fold = triage()
    (opened,) = fold.apply(signals(arriving()))
    later = fold.apply(signals(arriving(T0 + 2 * HOUR - 1), now=T0 + 2 * HOUR - 1))
    proposals = [finding.proposal for finding in (opened, *later) if finding.proposal]
    assert [(one.action, one.targets, one.ttl_s) for one in proposals] == [("newcomer_quota", (), 24 * 3_600)]
    assert opened.advice.startswith("Open a ticket")
    assert "block nobody" in opened.advice


def test_a_test_of_training_rows_alone_is_low_and_proposes_nothing() -> None:
    (finding,) = triage().apply(signals(remembering(count=10**6, share=1.0, statistic=1e300)))
    assert (finding.severity, finding.proposal, finding.pattern) == (Severity.LOW, None, Pattern.MEMBERS)
    assert (render(finding)["confidence"], render(finding)["is_alert"]) == ("Low", False)


def test_a_test_of_training_rows_counts_together_with_another_finding_on_the_same_caller() -> None:
    fold = triage()
    fold.apply(signals(remembering()))
    (both,) = fold.apply(signals(searching(at=T0 + 1_000), now=T0 + 1_000))
    (other,) = fold.apply(signals(searching(who="somebody else", at=T0 + 2_000), now=T0 + 2_000))
    assert (both.severity, other.severity) == (Severity.HIGH, Severity.MEDIUM)
    assert both.proposal is not None
    assert both.proposal.action == "throttle"

"""Findings: what they say, read aloud; how callers are shown; how hostile text is made safe."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.casebook import CROWD
from alerts.escape import printable, safe
from alerts.finding import MAX_ACTORS, Finding
from alerts.formats import ocsf
from alerts.history import describe, one_line
from alerts.odds import false_alerts
from alerts.privacy import MAX_ID, show
from alerts.story import title, what_happened
from alerts.triage import Triage
from alerts.wording import SCIENCE, message, proposed
from tests.helpers.findings import HOSTILE, all_findings
from tests.helpers.signals import (
    HOUR,
    MINUTE,
    T0,
    caller,
    drift,
    fault,
    golden,
    loss,
    order,
    probing,
    provisional,
    signals,
    silence,
    sweep,
)
from tocsin.config import Privacy
from tocsin.signal import Kind


def first(*fired: Any, **rest: Any) -> Finding:
    return Triage(Privacy()).apply(signals(*fired, **rest))[0]


def test_probing_is_told_in_one_plain_sentence() -> None:
    finding = first(probing("acct-8841", count=1_240, evidence={"usual_per_min": 0.05, "times_usual": 4_960.0}))
    assert what_happened(finding) == (
        "API key acct-8841 is probing prod/fraud@7: 1,240 requests in 5 minutes, where 3 an hour would be usual."
    )
    assert title(finding) == "Probing of prod/fraud@7 by acct-8841"


def test_probing_without_a_usual_rate_is_told_by_what_is_known() -> None:
    finding = first(probing())
    assert what_happened(finding) == "API key acct-8841 is probing prod/fraud@7: 412 requests in 5 minutes."


def test_a_crowd_is_told_as_one_event() -> None:
    crowd = Triage(Privacy()).apply(signals(*(probing(f"acct-{i:02}", count=100 + i) for i in range(CROWD + 7))))[-1]
    assert what_happened(crowd) == (
        "Besides the callers reported one by one, 7 more are probing prod/fraud@7 at the same time since "
        "07:08 UTC on 23 November, the busiest being acct-26 with 126 requests, 3 % of the model's traffic."
    )
    assert title(crowd) == "Probing of prod/fraud@7 by many callers"


def test_drift_and_trouble_say_what_changed_and_since_when() -> None:
    assert what_happened(first(drift())) == (
        "The confidence of prod/fraud@7 changed at about 07:08 UTC on 23 November, from 0.91 to 0.72 on average."
    )
    strange = drift("half_space_trees", watches="features", evidence={"share_high": 0.124, "share_usual": 0.01})
    assert what_happened(first(strange)) == (
        "The mix of inputs of prod/fraud@7 changed at about 07:08 UTC on 23 November: 12 % of the requests look strange, "
        "where 1 % would be usual."
    )
    up = drift("page_hinkley", watches="error rate", evidence={"mean_before": 0.002, "direction": "up"})
    assert what_happened(first(up)) == (
        "The error rate of prod/fraud@7 changed at about 07:08 UTC on 23 November, up from 0.2 % on average."
    )
    slow = drift("page_hinkley", kind=Kind.FAULT, watches="latency_ms", evidence={"mean_before": 12.25, "mean_after": 1_250.4})
    assert what_happened(first(slow)) == (
        "The latency of prod/fraud@7 changed at about 07:08 UTC on 23 November, from 12.2 ms to 1,250 ms on average."
    )


def test_blind_spots_say_what_nobody_saw() -> None:
    assert what_happened(first(losses=(loss(),))) == (
        "Tocsin never saw 1,204 records of topic ml.inference.v1, partition 3: Kafka had deleted them before they were read."
    )
    assert what_happened(first(faults=(fault(),))) == (
        "Detector adwin no longer watches prod/fraud@7: it failed and is switched off there, while the others go on."
    )


def test_the_end_is_told_as_the_end() -> None:
    fold = Triage(Privacy())
    fold.apply(signals(probing()))
    (closed,) = fold.apply(signals(now=T0 + 2 * HOUR))
    assert what_happened(closed) == (
        "Closed (no new signal for 30 minutes): API key acct-8841 was probing prod/fraud@7: 412 requests in 5 minutes."
    )


@pytest.mark.parametrize("finding", all_findings(), ids=lambda finding: f"{finding.kind}-{finding.activity}-{finding.uid[:4]}")
def test_every_message_is_the_odds_the_analysts_sentence_and_then_the_data_scientists(finding: Finding) -> None:
    analyst, _, scientist = message(finding).partition(SCIENCE)
    assert analyst.startswith(f"{false_alerts(finding.lead)} {what_happened(finding)}")
    assert analyst.startswith("Expected false alerts")
    assert analyst.endswith(".")
    assert scientist.endswith(".")
    assert "  " not in message(finding)
    assert "None" not in message(finding)
    assert finding.subject in analyst


def test_the_data_scientists_sentence_names_detector_claim_and_numbers() -> None:
    _, _, scientist = message(first(probing(evidence={"usual_per_min": 0.05}))).partition(SCIENCE)
    assert scientist == (
        "probe_rate v1 on caller rate reached 12,400 against 5,000 over 412 events, onset 2026-11-23T07:08:20Z, "
        "reference: own past (usual_per_min: 0.05)."
    )


def test_of_a_detector_with_a_baseline_it_names_direction_baseline_and_ladder_and_lists_what_it_does_not_know() -> None:
    _, _, scientist = message(first(golden(evidence={"baseline": "3fa2", "direction": "up", "odd": 7, "word": "x"}))).partition(
        SCIENCE
    )
    assert scientist == (
        "feature_drift v1 on amount, up, reached 25,000,000 against 21,000,000 over 412 events, onset 2026-11-23T07:08:20Z, "
        "reference: frozen, baseline 3fa2, armed (odd: 7, word: x)."
    )


def test_a_detector_that_agrees_is_named_with_its_quantity() -> None:
    told = message(first(golden(), drift("adwin"), provisional("hour")))
    assert told.endswith("; adwin on confidence, feature_drift on hour (provisional) fired as well.")


def test_what_is_proposed_is_said_with_its_limits() -> None:
    finding = first(probing())
    assert finding.proposal is not None
    assert proposed(finding) == f"Proposed, not yet approved: throttle acct-8841 for 1 hour (proposal {finding.proposal.id})."
    assert proposed(first(drift())) == ""
    spread = first(sweep())
    assert spread.proposal is not None
    assert proposed(spread) == (
        "Proposed, not yet approved: slow the whole of prod/fraud@7 down, or its newcomers, for 1 hour "
        f"(proposal {spread.proposal.id})."
    )


def test_an_earlier_proposal_is_said_to_stand_and_then_to_have_expired() -> None:
    fold = Triage(Privacy())
    (opened,) = fold.apply(signals(probing()))
    fold.apply(signals(probing(), now=T0 + 1_000))
    (early,) = fold.apply(signals(now=T0 + MINUTE))
    fold.apply(signals(probing(), now=T0 + 11 * MINUTE))
    fold.apply(signals(probing(), now=T0 + 35 * MINUTE))
    (late,) = fold.apply(signals(now=T0 + HOUR))
    assert proposed(early) == f"Proposal {opened.proposal_id} stands until 08:13 UTC on 23 November."
    assert proposed(late) == f"Proposal {opened.proposal_id} expired at 08:13 UTC on 23 November."


def test_callers_are_shown_as_privacy_says() -> None:
    jane = caller("jane@example.org", "user")
    assert show(jane, Privacy()) == f"hmac:{jane.hash:016x}"
    assert show(jane, Privacy(user="clear")) == "jane@example.org"
    assert show(caller("x", "a kind from the future"), Privacy()).startswith("hmac:")
    assert len(show(caller("x" * 10_000), Privacy())) == MAX_ID


def test_a_finding_names_ten_callers_and_says_how_many_there_are() -> None:
    crowd = Triage(Privacy()).apply(signals(*(probing(f"acct-{i}") for i in range(CROWD + 40))))[-1]
    assert (len(crowd.actors), crowd.actors_total) == (MAX_ACTORS, 40)


def test_hostile_text_is_written_out_and_plain_text_is_left_alone() -> None:
    assert printable('acct-8841 ü 漢字 | = \\ "') == 'acct-8841 ü 漢字 | = \\ "'
    assert printable(HOSTILE) == r"acct\u202e8841\u001b]0;pwn\u0007\u000a\u200b\u009b\U000e0041"
    assert safe({"k\n": ["\u2028", {"x": 1.5}]}) == {r"k\u000a": [r"\u2028", {"x": 1.5}]}


def test_a_finding_read_back_is_one_line_for_a_list() -> None:
    fold = Triage(Privacy())
    (opened,) = fold.apply(signals(probing()))
    assert one_line(safe(ocsf.render(opened))) == (
        f"2026-11-23 07:13:20 UTC  MEDIUM         new          {opened.incident}  "
        "API key acct-8841 is probing prod/fraud@7: 412 requests in 5 minutes."
    )


def test_a_finding_read_back_tells_all_that_is_known() -> None:
    (finding,) = Triage(Privacy()).apply(signals(probing(evidence={"usual_per_min": 0.05}), orders=(silence(),)))
    told = dict(describe(safe(ocsf.render(finding))))
    assert told["Model"] == "prod/fraud@7"
    assert told["Callers"] == "acct-8841 (api_key_hash, 412 events, 3 % of the traffic)"
    assert told["ATLAS"] == "AML.T0040 AI Model Inference API Access; AML.T0024.002 Extract AI Model"
    assert told["Detector"] == "probe_rate v1"
    assert told["False alerts"] == false_alerts(finding.lead)
    assert told["Evidence"] == "statistic 12,400, threshold 5,000, usual_per_min 0.05"
    assert told["Silence"] == "s1 by ana until 2026-11-24 07:13:20 UTC: load test"
    assert told["Examples"].startswith("kafka:ml.inference.v1:3:41:0")
    assert list(told)[:3] == ["False alerts", "What", "Advice"]
    assert told["What"] == what_happened(finding)


def test_a_finding_read_back_names_its_baseline_and_the_ladder() -> None:
    told = dict(describe(safe(ocsf.render(first(provisional())))))
    assert told["Baseline"] == "3fa2c1d4e5f6 — provisional"


def test_a_verdict_is_read_back() -> None:
    fold = Triage(Privacy())
    (opened,) = fold.apply(signals(probing()))
    close = order("close", finding_uid=opened.incident, verdict="false-positive", author="ana")
    (closed,) = fold.apply(signals(orders=(close,), now=T0 + 1_000))
    told = dict(describe(ocsf.render(closed)))
    assert told["Verdict"] == "false-positive"
    assert told["Status"] == "Resolved — closed as false-positive by ana"


@pytest.mark.parametrize("damaged", [{}, {"message": 7, "evidences": "x", "finding_info": []}, {"evidences": [None]}])
def test_a_finding_of_another_version_is_read_back_as_far_as_it_goes(damaged: dict[str, Any]) -> None:
    assert one_line(damaged).startswith("?")
    assert isinstance(describe(damaged), list)

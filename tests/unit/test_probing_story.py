"""Probing stories: what the detectors of query attacks found, told in one plain sentence, and what can be expected of them."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.casebook import CROWD
from alerts.finding import Finding
from alerts.odds import false_alerts
from alerts.story import what_happened
from alerts.triage import Triage
from alerts.wording import message, proposed
from tests.helpers.signals import HOUR, T0, arriving, colluding, golden, remembering, searching, signals, sweep
from tocsin.config import Privacy
from tocsin.signal import Signal

KEY = "API key acct-8841"
LEARNED = {"interval_low": 0.49312, "interval_high": 0.5078, "bits_learned": 6.13}
STRANGE = {"golden_share_outside": 0.0156, "recent_share_outside": 0.31}
TRAINED = (
    f"{KEY} is asking M about rows that it was trained on: 60 requests in 5 minutes, 31 % of them rows of its training "
    "data where 2 % would be usual."
)
CROWDED = (
    "61 callers together ask M nearly the same unusual questions since about T, 64 requests in all; no single one of them "
    "asks much, so it may be one attacker with many accounts."
)
UNSURE = (
    "Many callers together ask M nearly the same questions where it is least sure since about T, 64 requests in all; no "
    "single one of them asks much, so it may be one attacker with many accounts."
)
TEMPLATE = (
    "61 callers ask M one and the same thing since about T: it looks like a shared template, such as a link or a form that "
    "went round, and need not be an attack."
)
COHORT = (
    "730 of 1,200 new accounts of M ask a little of everything since about T, where customers keep to their habits: it may be "
    "one client that copies the model under many names{}."
)
QUOTA = "; hardly any customer would notice a quota of 16 requests in 2.5 hours for newcomers"
SWEPT = (
    f"{KEY} is searching for where M changes its answer, asking near it far more often than anybody used to: 90 requests in 5 "
    "minutes, and whoever asks can know by now that it lies between 0.4931 and 0.5078 (6.1 bits learned)."
)
MOVED = (
    "Somebody is probing where M flips its decision since about T; the questions near it come from 200 callers, and whoever "
    "asks can know by now that it lies between 0.4931 and 0.5078, with amount between 101.5 and 103 (6.1 bits learned)."
)
OUTSIDE = (
    "The strangeness of inputs of M changed at about T: 31 % of the requests lie outside of what it was vouched for, where "
    "1.6 % would be usual{}."
)
APART = (
    "Of the inputs of M, amount and country no longer go together as they used to, since about T; none of them has changed as "
    "much by itself."
)
BOUNDARY = (
    "Somebody is probing where M flips its decision since about T; the questions near it come from {}, and whoever asks can "
    "know by now that it lies between 0.4931 and 0.5078 (6.1 bits learned)."
)
TOLD = [
    (
        searching("label flip"),
        f"{KEY} is searching for where M changes its answer, going back and forth across it: 14 requests in 5 minutes.",
    ),
    (
        searching("margin"),
        f"{KEY} is searching for where M changes its answer, asking where it is least sure: 14 requests in 5 minutes.",
    ),
    (searching("envelope"), f"{KEY} is trying M with inputs such as nobody sent before: 14 requests in 5 minutes."),
    (searching(evidence={}), f"{KEY} is searching for where M changes its answer: 14 requests in 5 minutes."),
    (
        searching("self-similarity"),
        f"{KEY} is asking M one question again and again with small changes: 14 requests in 5 minutes.",
    ),
    (
        remembering(count=60),
        TRAINED,
    ),
    (remembering(count=60, evidence={}), f"{KEY} is asking M about rows that it was trained on: 60 requests in 5 minutes."),
    (
        colluding("crowded cells"),
        CROWDED,
    ),
    (
        colluding("low margin", evidence={"signal": "low margin"}),
        UNSURE,
    ),
    (
        colluding("shared template"),
        TEMPLATE,
    ),
    (
        arriving(),
        COHORT.format(QUOTA),
    ),
    (
        arriving(evidence={"newcomers": 1_200, "even_newcomers": 730}),
        COHORT.format(""),
    ),
    (
        sweep(evidence=LEARNED | {"distinct_callers": 200, "feature": "amount", "feature_low": 101.5, "feature_high": 103.0}),
        MOVED,
    ),
    (
        searching("sweep", detector="boundary_probe", count=90, evidence=LEARNED | {"signal": "sweep", "distinct_callers": 1}),
        SWEPT,
    ),
    (
        golden("envelope", detector="envelope", evidence=STRANGE | {"offending_features": "amount 0.93, =country 0.4"}),
        OUTSIDE.format(", most of them for their amount and country"),
    ),
    (
        golden("envelope", detector="envelope", evidence=STRANGE | {"offending_features": "none alone"}),
        OUTSIDE.format(""),
    ),
    (
        sweep(evidence=LEARNED | {"distinct_callers": 200}),
        BOUNDARY.format("200 callers"),
    ),
    (
        sweep(evidence=LEARNED | {"distinct_callers": 1}),
        BOUNDARY.format("one caller"),
    ),
    (
        golden("amount & =country"),
        APART,
    ),
]


def first(*fired: Signal, **rest: Any) -> Finding:
    return Triage(Privacy()).apply(signals(*fired, **rest))[0]


@pytest.mark.parametrize(("signal", "sentence"), TOLD)
def test_every_signal_tells_what_happened_to_whom(signal: Signal, sentence: str) -> None:
    told = what_happened(first(signal))
    assert told.replace("prod/fraud@7", "M").replace("07:08 UTC on 23 November", "T") == sentence


@pytest.mark.parametrize("signal", [signal for signal, _ in TOLD])
def test_the_end_is_told_as_the_end(signal: Signal) -> None:
    fold = Triage(Privacy())
    fold.apply(signals(signal))
    told = what_happened(fold.apply(signals(now=T0 + 3 * HOUR))[-1])
    assert told.startswith("Closed (no new signal for ")
    assert " is searching" not in told
    assert " ask " not in told


def test_a_crowd_of_searchers_is_told_as_one_event() -> None:
    crowd = Triage(Privacy()).apply(signals(*(searching(who=f"acct-{i}") for i in range(CROWD + 3))))[-1]
    assert what_happened(crowd).startswith("Besides the callers reported one by one, 3 more are probing prod/fraud@7")


def test_an_input_that_changed_by_itself_is_told_before_what_it_does_together_with_others() -> None:
    found = first(golden("amount & balance"), golden("amount"))
    assert found.lead.watches == "amount"
    assert what_happened(found) == (
        "The input amount and input amount & balance of prod/fraud@7 changed at about 07:08 UTC on 23 November: the median of "
        "input amount went from 42 to 58.8."
    )


@pytest.mark.parametrize("signal", [searching(claim="calibrated"), remembering()])
def test_all_callers_of_a_model_share_one_number_of_false_alerts(signal: Signal) -> None:
    whose = f"Expected false alerts of {signal.detector} on prod/fraud@7, all callers of this model together: about 1 in "
    assert false_alerts(signal).startswith(whose)
    assert message(first(signal)).startswith(whose)


@pytest.mark.parametrize("signal", [colluding(), arriving()])
def test_what_names_nobody_tells_its_number_for_the_model(signal: Signal) -> None:
    assert message(first(signal)).startswith(f"Expected false alerts of {signal.detector} on prod/fraud@7: ")


def test_a_quota_for_newcomers_is_proposed_in_words() -> None:
    finding = first(arriving())
    assert finding.proposal is not None
    assert proposed(finding) == (
        f"Proposed, not yet approved: a quota for newcomers of prod/fraud@7 for 1 day (proposal {finding.proposal.id})."
    )

"""Stories: what detectors with a baseline found, told in one plain sentence; and how often such a finding is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.finding import Finding
from alerts.odds import false_alerts
from alerts.story import what_happened
from alerts.triage import Triage
from alerts.wording import SCIENCE, message
from alerts.words import a_month, lasting, listed, number
from tests.helpers.signals import HOUR, MINUTE, T0, drift, golden, loss, order, probing, provisional, shifted, signals, sweep
from tocsin.config import Privacy
from tocsin.signal import Kind, Signal


def first(*fired: Signal, **rest: Any) -> Finding:
    return Triage(Privacy()).apply(signals(*fired, **rest))[0]


UNIT = (
    "Nearly every value of input amount of M moved at once, for all callers alike, at about T, {} 100 times or more: this "
    "looks like a fault of a producer, such as a change of unit."
)
GAP = (
    "Input amount of M is missing in 45 % of the requests since about T, where 0.1 % would be usual: this looks like a fault "
    "of a producer."
)
PUSH = (
    "The input amount of M has moved slowly since about T: it differs from the frozen baseline, but so gradually that "
    "detectors which learn along never noticed."
)
OUTSIDE = (
    "The strangeness of inputs of M changed at about T: 31 % of the requests lie outside of what it was vouched for, where "
    "1.6 % would be usual."
)
PROBED = (
    "Somebody is probing where M flips its decision since about T{}; no caller stands out, so it may be many accounts together."
)
TOLD = [
    (golden(), "The input amount of M changed at about T: its median went from 42 to 58.8."),
    (
        golden(evidence=shifted(1.0, recent_p95=350.0)),
        "The input amount of M changed at about T: its highest twentieth went from 180 to 350.",
    ),
    (golden(evidence={}), "The input amount of M changed at about T."),
    (golden(evidence=shifted(100.0)), UNIT.format("up")),
    (golden(evidence=shifted(0.01)), UNIT.format("down")),
    (
        golden("missing amount", evidence={"golden_share": 0.001, "recent_share": 0.45}),
        GAP,
    ),
    (
        golden("=country", evidence={"golden_share": 0.03, "recent_share": 0.12, "gained": "XX"}),
        "The input country of M changed at about T: XX in 12 % of the requests, where 3 % would be usual.",
    ),
    (
        golden("envelope", detector="envelope", evidence={"golden_share_outside": 0.0156, "recent_share_outside": 0.31}),
        OUTSIDE,
    ),
    (
        golden("label", detector="confidence_shift", evidence={"golden_share": 0.03, "recent_share": 0.5, "gained": "no"}),
        "The mix of answers of M changed at about T: no in 50 % of the requests, where 3 % would be usual.",
    ),
    (
        golden("latency_ms", detector="latency_shift", kind=Kind.FAULT, evidence=shifted(3.0)),
        "The latency of M changed at about T: its median went from 42 ms to 126 ms.",
    ),
    (
        golden(detector="disagreement", evidence=shifted(100.0, frozen_detector="feature_drift", hours=26.5)),
        PUSH,
    ),
    (sweep(), PROBED.format(": 61 % of its doubtful answers lie as near to it as 25 % used to")),
    (sweep(evidence={}), PROBED.format("")),
]


@pytest.mark.parametrize(("signal", "sentence"), TOLD)
def test_detectors_with_a_baseline_tell_what_happened_to_whom(signal: Signal, sentence: str) -> None:
    told = what_happened(first(signal))
    assert told.replace("prod/fraud@7", "M").replace("07:08 UTC on 23 November", "T") == sentence


def test_of_several_quantities_the_one_that_the_numbers_are_about_is_named() -> None:
    found = first(golden("hour", evidence={}), golden("amount", T0 + 1))
    assert what_happened(found) == (
        "The input amount and input hour of prod/fraud@7 changed at about 07:08 UTC on 23 November: the median of input amount "
        "went from 42 to 58.8."
    )


def test_many_quantities_are_named_up_to_three() -> None:
    found = first(*(golden(f"f{i}", T0 + i, evidence={}) for i in range(8)))
    assert what_happened(found) == (
        "The input f7, input f0, input f1 and 5 more of prod/fraud@7 changed at about 07:08 UTC on 23 November."
    )


def test_what_is_expected_can_be_made_the_new_normal_and_the_message_says_how() -> None:
    fold = Triage(Privacy())
    (opened,) = fold.apply(signals(golden()))
    close = order("close", finding_uid=opened.incident, verdict="expected", author="ana", reason="sale")
    (closed,) = fold.apply(signals(orders=(close,), now=T0 + 1_000))
    analyst = message(closed).partition(SCIENCE)[0]
    assert f"`tocsin baseline accept {opened.incident}`" in analyst
    assert "baseline accept" not in message(opened)


@pytest.mark.parametrize("verdict", ["false-positive", "true-positive"])
def test_another_verdict_on_drift_and_an_expected_prober_change_no_baseline(verdict: str) -> None:
    fold = Triage(Privacy())
    for signal, word in ((golden(), verdict), (probing(), "expected")):
        opened = fold.apply(signals(signal))[-1]
        close = order("close", finding_uid=opened.incident, verdict=word, author="ana")
        (closed,) = fold.apply(signals(orders=(close,), now=T0 + 1_000))
        assert "baseline accept" not in message(closed)


@pytest.mark.parametrize(
    ("claim", "rate", "words"),
    [
        ("bound", 0.25, "probe_rate: at most 1 in 4 months if nothing is wrong (a proved bound)."),
        ("calibrated", 2.0, "probe_rate: about 2 a month if nothing is wrong (measured on simulated traffic)."),
        ("advisory", None, "probe_rate: not known, for nobody has measured them (advisory)."),
    ],
)
def test_a_claim_says_how_well_false_alerts_are_known(claim: str, rate: float | None, words: str) -> None:
    assert false_alerts(probing(claim=claim, false_alerts_per_month=rate)) == f"Expected false alerts of {words}"


def test_of_a_detector_with_a_baseline_the_ladder_decides_what_can_be_expected() -> None:
    whose = "Expected false alerts of feature_drift on prod/fraud@7: "
    assert false_alerts(golden(claim="calibrated")) == (
        f"{whose}about 1 in 8 months if nothing is wrong (measured on its golden traffic)."
    )
    assert false_alerts(provisional()) == (
        f"{whose}about 1 in 8 months if nothing is wrong, but this only informs: the baseline is provisional until "
        "`tocsin baseline promote prod/fraud@7` arms it."
    )
    no_gate = false_alerts(provisional(claim="advisory", false_alerts_per_month=None))
    assert no_gate.startswith(f"{whose}not known, so this only informs: the baseline is provisional and has not passed the")
    assert "`tocsin baseline promote prod/fraud@7`" in no_gate
    moving = false_alerts(drift())
    assert moving == (
        "Expected false alerts of adwin on prod/fraud@7: not known, for what it compares with moves along with the traffic "
        "(advisory)."
    )


def test_facts_expect_no_false_alerts_at_all() -> None:
    assert message(first(losses=(loss(),))).startswith("Expected false alerts: none, for this is a fact and not a statistic.")


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 seconds"),
        (1_000, "1 second"),
        (59_400, "59 seconds"),
        (MINUTE, "1 minute"),
        (5_400_000, "1.5 hours"),
        (48 * HOUR, "2 days"),
    ],
)
def test_spans_are_told_in_their_natural_unit(ms: int, words: str) -> None:
    assert lasting(ms) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(3.0, "3"), (1_240, "1,240"), (0.123456, "0.123"), (12_400.7, "12,401"), (1e300, "1e+300"), (-2.5, "-2.5")],
)
def test_numbers_are_told_with_the_digits_that_matter(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("rate", "words"),
    [(1.0, "1 a month"), (2.5, "2.5 a month"), (0.5, "1 in 2 months"), (0.3, "1 in 3.3 months"), (0.06, "1 in 17 months")],
)
def test_how_often_is_told_in_months(rate: float, words: str) -> None:
    assert a_month(rate) == words


def test_a_list_names_a_few_and_counts_the_rest() -> None:
    assert [listed(list("abcde")[:n]) for n in (1, 2, 3, 5)] == ["a", "a and b", "a, b and c", "a, b, c and 2 more"]

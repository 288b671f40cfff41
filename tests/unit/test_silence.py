"""Silences: whom they cover, what they change, how they end."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.casebook import CROWD
from alerts.silences import MAX_SILENCES, Silences
from alerts.triage import Triage
from tests.helpers.signals import HOUR, MINUTE, T0, caller, drift, order, probing, signals, silence
from tocsin.config import Privacy
from tocsin.control import Silence


def triage() -> Triage:
    return Triage(Privacy())


@pytest.mark.parametrize(
    ("body", "covers"),
    [
        ({}, True),
        ({"model": "prod/fraud"}, True),
        ({"model": "prod/fraud@7"}, True),
        ({"model": "prod/other"}, False),
        ({"kind": "probing"}, True),
        ({"kind": "drift"}, False),
        ({"caller": "acct-8841"}, True),
        ({"caller": f"hmac:{caller().hash:016x}"}, True),
        ({"caller": "acct-1"}, False),
        ({"model": "prod/fraud", "kind": "probing", "caller": "acct-8841"}, True),
    ],
)
def test_a_silence_covers_what_it_names(body: dict[str, Any], covers: bool) -> None:
    (finding,) = triage().apply(signals(probing(), orders=(silence(**body),)))
    assert (finding.status == "suppressed") is covers
    assert (finding.proposal is None) is covers


def test_a_silenced_finding_still_flows_and_names_the_silence() -> None:
    (finding,) = triage().apply(signals(probing(), orders=(silence(),)))
    assert finding.silence is not None
    assert (finding.silence.id, finding.silence.author, finding.silence.reason) == ("s1", "ana", "load test")


def test_a_silence_for_one_caller_does_not_cover_a_crowd_it_is_in() -> None:
    fold = triage()
    fold.apply(signals(*(probing(f"acct-{i}") for i in range(CROWD))))
    (crowd,) = fold.apply(signals(probing("me"), probing("other"), orders=(silence(caller="me"),), now=T0 + 1_000))
    assert crowd.is_group
    assert crowd.status == "new"


def test_a_silence_ends_by_itself_and_the_next_signal_says_so() -> None:
    fold = triage()
    fold.apply(signals(probing(), orders=(silence(until=T0 + 5 * MINUTE),)))
    (update,) = fold.apply(signals(probing(), now=T0 + 5 * MINUTE))
    assert (update.because, update.status) == ("its silence ended", "in progress")
    assert update.proposal is not None


def test_a_silence_ends_by_itself_when_nothing_else_happens() -> None:
    fold = triage()
    fold.apply(signals(orders=(silence(until=T0 + 5 * MINUTE),)))
    (finding,) = fold.apply(signals(probing(), now=T0 + 5 * MINUTE))
    assert finding.status == "new"


def test_a_silence_can_be_removed_and_a_repeated_order_does_not_bring_it_back() -> None:
    fold = triage()
    add = silence()
    fold.apply(signals(orders=(add,)))
    fold.apply(signals(orders=(order("remove_silence", id="s1", author="ben"), add), now=T0 + 1_000))
    (finding,) = fold.apply(signals(probing(), now=T0 + 2_000))
    assert finding.status == "new"


def test_a_silence_begun_over_an_open_incident_is_said_by_the_next_signal() -> None:
    fold = triage()
    fold.apply(signals(drift()))
    (update,) = fold.apply(signals(drift(), orders=(silence(),), now=T0 + 1_000))
    assert (update.because, update.status) == ("silenced", "suppressed")


def test_a_silence_that_has_ended_before_it_arrives_is_none() -> None:
    fold = triage()
    fold.apply(signals(orders=(silence(until=T0 - 1),)))
    assert fold.silences.active == {}


def test_silences_are_bounded_and_the_one_that_ends_first_goes() -> None:
    silences = Silences()
    for i in range(MAX_SILENCES + 1):
        silences.add(Silence(id=f"s{i}", until=T0 + HOUR + i, reason="r", author="a"), T0)
    assert len(silences.active) == MAX_SILENCES
    assert "s0" not in silences.active

"""Roles: every finding has one who is accountable, and a severe one that nobody takes on goes on to others."""

from __future__ import annotations

import pytest

from alerts.finding import Finding
from alerts.formats import ecs, ocsf
from alerts.pattern import Pattern
from alerts.roles import ESCALATIONS, Owner, owners_of
from alerts.triage import Triage
from tests.helpers.signals import MINUTE, T0, probing, signals
from tocsin.codec import json_bytes
from tocsin.config import Privacy
from tocsin.control import Acknowledge, SetModel
from tocsin.inventory import Model, name_of
from tocsin.reading import Order
from tocsin.signal import Kind

MODEL = Model(name_of(probing().model), owners={"soc-analyst": "the night shift"}, on_call="ana")
FIVE, FIFTEEN, THIRTY = (after for after, _ in ESCALATIONS)


def order(kind: str, body: object, at: int) -> Order:
    return Order(f"order-{kind}-{at}", at, kind, json_bytes(body))


def severe() -> tuple[Triage, Finding]:
    """Returns a triage with one incident of high severity, opened at T0."""
    fold = Triage(Privacy(), [MODEL])
    *_, finding = fold.apply(signals(probing(count=5_000, evidence={"times_usual": 400.0})))
    assert finding.severity.name == "HIGH"
    return fold, finding


def escalated(findings: list[Finding]) -> list[str]:
    return [finding.because for finding in findings if "escalated" in finding.because]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("pattern", Pattern)
def test_every_incident_has_one_who_is_accountable_and_at_least_one_responsible(kind: Kind, pattern: Pattern) -> None:
    owners = owners_of(kind, pattern, None)
    assert owners.accountable.role
    assert owners.responsible


def test_the_inventory_says_who_that_is_and_both_formats_tell() -> None:
    _, finding = severe()
    assert finding.owners.accountable == Owner("soc-analyst", "the night shift")
    assert finding.owners.on_call == "ana"
    told = ocsf.render(finding)["unmapped"]["tocsin"]
    assert (told["accountable"]["who"], told["responsible"], told["on_call"]) == (
        "the night shift",
        ({"role": "security-engineer", "who": ""},),
        "ana",
    )
    assert ecs.render(finding)["labels"]["accountable"] == "the night shift"


def test_a_change_of_the_inventory_counts_at_once() -> None:
    fold, _ = severe()
    changed = SetModel(Model(MODEL.name, owners={"soc-analyst": "the day shift"}), "ana")
    fold.apply(signals(orders=(order("inventory", changed, T0 + 1),), now=T0 + 1))
    *_, later = fold.apply(signals(now=T0 + FIVE))
    assert later.owners.accountable.who == "the day shift"


def test_a_severe_incident_that_nobody_takes_on_goes_on_after_five_fifteen_and_thirty_minutes() -> None:
    fold, _ = severe()
    said = [escalated(fold.apply(signals(now=T0 + at))) for at in (FIVE - 1, FIVE, FIFTEEN - 1, FIFTEEN, 29 * MINUTE)]
    assert [len(one) for one in said] == [0, 1, 0, 1, 0]
    assert "not acknowledged for 5 minutes: escalated to whoever is accountable" in said[1]
    fold.apply(signals(probing(at=T0 + 29 * MINUTE), now=T0 + 29 * MINUTE))
    assert escalated(fold.apply(signals(now=T0 + THIRTY))) == [
        "not acknowledged for 30 minutes: escalated to everyone with a role"
    ]


def test_whoever_takes_it_on_ends_that_and_every_finding_says_who() -> None:
    fold, opened = severe()
    given = order("acknowledge", Acknowledge(opened.incident, "ben"), T0 + 1)
    (taken,) = fold.apply(signals(orders=(given,), now=T0 + 1))
    assert (taken.acknowledged, taken.because) == ("ben", "acknowledged by ben")
    assert escalated([f for at in (FIVE, FIFTEEN, THIRTY) for f in fold.apply(signals(now=T0 + at))]) == []


def test_a_restart_between_severity_and_escalation_changes_nothing() -> None:
    fold, _ = severe()
    restored = Triage(Privacy(), [MODEL])
    assert restored.load(fold.dump()) == []
    for at in (MINUTE, FIVE, FIFTEEN):
        assert restored.apply(signals(now=T0 + at)) == fold.apply(signals(now=T0 + at))
    assert restored.dump() == fold.dump()

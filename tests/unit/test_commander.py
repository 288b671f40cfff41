"""Commander: who may order what, for how long, and what is refused."""

from __future__ import annotations

import msgspec
import pytest

from alerts.commander import Commander
from alerts.containment import Cancelled, Decision, Notice, Outcome
from alerts.openc2 import Order
from alerts.proposal import Proposal
from alerts.signing import Keyring, digest
from alerts.statement import Statement, proposal_of
from tests.helpers.people import NOW, decided, proposed, ring, said, signed, trusted
from tocsin.codec import json_bytes
from tocsin.config import Command
from tocsin.control import SetModel
from tocsin.inventory import Automatic, Model, Version

MINUTE = 60_000


def commander(tier: int = 2, automatic: Automatic = "none", keys: Keyring | None = None, **parts: object) -> Commander:
    model = Model("prod/fraud", tier, "public", "fraud-eu", "enforce", automatic, **parts)  # type: ignore[arg-type]
    return Commander([model], keys or ring(), Command())


class Told:
    """A commander and what it has been told so far."""

    def __init__(self, fold: Commander) -> None:
        self.fold = fold
        self.count = 0

    def __call__(self, what: Proposal | Statement | bytes | None, now: int = NOW) -> list[Outcome]:
        """Returns what the next decision leads to."""
        self.count += 1
        return self.fold.apply(decided(what, self.count, now))


def orders(outcomes: list[Outcome]) -> list[Order]:
    return [one for one in outcomes if isinstance(one, Order)]


def texts(outcomes: list[Outcome]) -> str:
    return " ".join(one.text for one in outcomes if isinstance(one, Notice))


def test_without_a_policy_nothing_is_ordered_alone() -> None:
    assert Told(commander())(proposed()) == []


def test_policy_may_slow_a_caller_down_for_ten_minutes_and_it_ends_by_itself() -> None:
    tell = Told(commander(automatic="callers"))
    [order] = orders(tell(proposed()))
    assert (order.measure, order.ttl_s, order.authority.by, order.seq, order.mode) == ("throttle", 600, "policy", 1, "enforce")
    assert tell(None, NOW + 600_000 - 1) == []
    [ended] = tell(None, NOW + 600_000)
    assert isinstance(ended, Cancelled)
    assert (ended.command, ended.seq, ended.person) == (order.id, 2, "")


def test_one_person_extends_it_and_the_second_approval_changes_nothing() -> None:
    tell, proposal = Told(commander(automatic="callers")), proposed()
    [alone] = orders(tell(proposal))
    [longer] = orders(tell(said("ana", "approve", proposal)))
    assert (longer.ttl_s, longer.authority.by, longer.authority.people) == (3_600, "people", ("ana",))
    assert longer.id != alone.id
    assert orders(tell(said("ben", "approve", proposal))) == []


@pytest.mark.parametrize(("tier", "wanted"), [(0, 2), (1, 1), (3, 1)])
def test_stopping_a_model_takes_two_people_where_revenue_depends_on_it(tier: int, wanted: int) -> None:
    tell, proposal = Told(commander(tier)), proposed(action="disable_endpoint")
    given = [bool(orders(tell(proposal)))]
    given += [bool(orders(tell(said(person, "approve", proposal)))) for person in ("ana", "ben")]
    assert given.index(True) == wanted
    assert sum(given) == 1


def test_the_same_person_twice_is_one_person() -> None:
    tell, proposal = Told(commander(0)), proposed(action="disable_endpoint")
    tell(proposal)
    assert orders(tell(said("ana", "approve", proposal))) == []
    assert "2 people needed, 1 so far" in texts(tell(said("ana", "approve", proposal, reason="really")))


def test_an_approval_used_before_is_refused() -> None:
    tell, proposal = Told(commander(0)), proposed(action="disable_endpoint")
    tell(proposal)
    tell(said("ana", "approve", proposal))
    assert "used before" in texts(tell(said("ana", "approve", proposal)))


def test_who_proposes_cannot_approve() -> None:
    tell = Told(commander(1))
    own = said("ana", "propose", subject="prod/fraud@7", measure="disable_endpoint", ttl_s=900, reason="it answers nonsense")
    tell(own)
    proposal = proposal_of(own)
    assert "cannot approve it" in texts(tell(said("ana", "approve", proposal)))
    [order] = orders(tell(said("ben", "approve", proposal)))
    assert order.measure == "disable_endpoint"


def test_an_approval_of_something_else_is_refused() -> None:
    tell, proposal = Told(commander(1)), proposed(action="disable_endpoint")
    tell(proposal)
    edited = msgspec.structs.replace(proposal, ttl_s=60)
    other = said("ana", "approve", proposal, digest=digest(msgspec.to_builtins(edited)))
    assert "not what is proposed" in texts(tell(other))


def test_two_approvals_must_both_be_fresh_when_the_second_comes() -> None:
    tell, proposal = Told(commander(0)), proposed(action="disable_endpoint")
    tell(proposal)
    tell(said("ana", "approve", proposal))
    later = NOW + 16 * MINUTE
    assert orders(tell(said("ben", "approve", proposal, later), later)) == []


def test_an_approval_by_a_key_that_is_revoked_meanwhile_no_longer_counts() -> None:
    keys = Keyring([trusted("ana", revoked=NOW + MINUTE), trusted("ben")])
    tell, proposal = Told(commander(0, keys=keys)), proposed(action="disable_endpoint")
    tell(proposal)
    tell(said("ana", "approve", proposal))
    assert orders(tell(said("ben", "approve", proposal, NOW + MINUTE), NOW + MINUTE)) == []


def test_a_late_statement_a_future_one_and_somebody_elses_are_refused() -> None:
    tell, proposal = Told(commander(1)), proposed(action="disable_endpoint")
    tell(proposal)
    assert "expired" in texts(tell(said("ana", "approve", proposal), NOW + 15 * MINUTE))
    assert "in the future" in texts(tell(said("ana", "approve", proposal, NOW + 60 * MINUTE), NOW + 20 * MINUTE))
    now = NOW + 20 * MINUTE
    assert "own word" in texts(tell(signed(said("ana", "approve", proposal, now), by="ben"), now))
    day = said("ana", "approve", proposal, now, expires=now + 24 * 60 * MINUTE)
    assert "within 15 minutes" in texts(tell(day, now))


def test_nothing_is_ordered_after_the_proposal_has_expired() -> None:
    tell, proposal = Told(commander(1)), proposed(action="disable_endpoint")
    tell(proposal)
    now = proposal.expires
    assert "no such proposal" in texts(tell(said("ana", "approve", proposal, now), now))


def test_a_rejected_proposal_cannot_be_approved_nor_brought_back() -> None:
    tell, proposal = Told(commander(1)), proposed(action="disable_endpoint")
    tell(proposal)
    assert "ana rejected it" in texts(tell(said("ana", "reject", proposal)))
    tell(proposal)
    assert "no such proposal" in texts(tell(said("ben", "approve", proposal)))


def test_a_replaced_proposal_is_void() -> None:
    tell, first = Told(commander(1)), proposed(1, "disable_endpoint")
    tell(first)
    second = proposed(2, "disable_endpoint", supersedes=first.id)
    tell(second)
    assert "no such proposal" in texts(tell(said("ana", "approve", first)))
    assert orders(tell(said("ana", "approve", second)))


def test_one_person_may_break_the_glass_once_a_day_with_a_reason_and_loudly() -> None:
    tell, first, second = Told(commander(0)), proposed(1, "disable_endpoint"), proposed(2, "disable_endpoint")
    tell(first)
    tell(second)
    assert "needs a reason" in texts(tell(said("ana", "approve", first, break_glass=True, reason="quick")))
    reason = "it approves every loan since noon"
    outcomes = tell(said("ana", "approve", first, break_glass=True, reason=reason))
    [order] = orders(outcomes)
    assert order.authority.break_glass
    assert any(isinstance(one, Notice) and one.loud and reason in one.text for one in outcomes)
    assert "last 24 hours" in texts(tell(said("ben", "approve", second, break_glass=True, reason=reason)))


VERSIONS = (
    Version("5", "last-known-good", schema="a", validated=True, released=1),
    Version("6", "last-known-good", schema="a", validated=True, released=2),
    Version("7", "live", schema="a", validated=True, released=3),
)


def test_a_rollback_takes_two_people_one_of_them_an_ml_engineer() -> None:
    tell, proposal = Told(commander(3, version=VERSIONS)), proposed(action="roll_back")
    tell(proposal)
    assert orders(tell(said("ana", "approve", proposal)) + tell(said("cleo", "approve", proposal))) == []
    [order] = orders(tell(said("ben", "approve", proposal)))
    assert order.to_version == "6"


@pytest.mark.parametrize(
    ("versions", "why"),
    [
        ((), "not in the inventory"),
        (VERSIONS[2:], "no version of prod/fraud is called last-known-good"),
        ((msgspec.structs.replace(VERSIONS[0], state="tainted"), VERSIONS[2]), "no version of prod/fraud is called"),
        ((msgspec.structs.replace(VERSIONS[0], validated=False), VERSIONS[2]), "validated and takes the inputs"),
        ((msgspec.structs.replace(VERSIONS[0], schema="b"), VERSIONS[2]), "validated and takes the inputs"),
    ],
)
def test_a_rollback_to_nothing_good_is_refused_with_the_reason(versions: tuple[Version, ...], why: str) -> None:
    tell, proposal = Told(commander(3, version=versions)), proposed(action="roll_back")
    tell(proposal)
    tell(said("ana", "approve", proposal))
    outcomes = tell(said("ben", "approve", proposal))
    assert orders(outcomes) == []
    assert why in texts(outcomes)


def test_the_brake_stops_policy_at_once_and_people_never() -> None:
    tell, proposal = Told(commander(automatic="callers")), proposed()
    assert "brake on" in texts(tell(said("ana", "brake_on")))
    assert "has the brake on" in texts(tell(proposal))
    assert orders(tell(said("ben", "approve", proposal)))
    tell(said("ana", "brake_off"))
    assert orders(tell(proposed(2)))


def test_the_fourth_automatic_order_on_a_model_within_an_hour_waits_for_people() -> None:
    tell = Told(commander(automatic="callers"))
    step = 10 * MINUTE
    given = [tell(proposed(number, now=NOW + number * step), NOW + number * step) for number in range(4)]
    assert [len(orders(one)) for one in given] == [1, 1, 1, 0]
    assert "it waits for people" in texts(given[3])
    later = NOW + 62 * MINUTE
    assert orders(tell(proposed(9, now=later), later))


def test_what_would_touch_much_of_the_traffic_waits_for_people() -> None:
    assert "10%" in texts(Told(commander(automatic="callers"))(proposed(share=0.2)))


def test_a_limit_that_changed_twice_in_five_minutes_stays() -> None:
    tell = Told(commander(automatic="callers"))
    given = [len(orders(tell(proposed(number, now=NOW + number), NOW + number))) for number in range(3)]
    assert given == [1, 1, 0]


def test_a_person_releases_what_is_in_force() -> None:
    tell = Told(commander(automatic="callers"))
    [order] = orders(tell(proposed()))
    [ended] = tell(said("ana", "release", subject=order.id))
    assert isinstance(ended, Cancelled)
    assert ended.person == "ana"
    assert "no such command" in texts(tell(said("ana", "release", subject=order.id, reason="again")))


def test_a_model_that_is_only_observed_is_so_in_every_order() -> None:
    model = Model("prod/fraud", mode="observe", automatic="callers")
    [order] = orders(Told(Commander([model], ring(), Command()))(proposed()))
    assert order.mode == "observe"


def test_a_model_nobody_listed_is_neither_ordered_alone_nor_enforced() -> None:
    tell, proposal = Told(Commander([], ring(), Command())), proposed()
    assert tell(proposal) == []
    [order] = orders(tell(said("ana", "approve", proposal)))
    assert order.mode == "observe"


def test_an_order_to_the_inventory_counts_from_its_place_on_and_is_told_loudly() -> None:
    tell = Told(commander(0))
    body = SetModel(Model("prod/fraud", 3, mode="observe", automatic="callers"), "ana", "moved to the lab")
    order = Decision("control-1", NOW, "control", json_bytes({"kind": "inventory", "body": body}))
    [notice] = tell.fold.apply(order)
    assert isinstance(notice, Notice)
    assert notice.loud
    assert "tier 0 → 3" in notice.text
    [given] = orders(tell(proposed()))
    assert (given.mode, given.authority.by) == ("observe", "policy")


def test_an_order_of_another_kind_is_for_others_and_a_broken_one_is_said() -> None:
    fold = commander()
    assert fold.apply(Decision("control-1", NOW, "control", b'{"kind":"silence","body":{}}')) == []
    assert "refused a control" in texts(fold.apply(Decision("control-2", NOW, "control", b'{"kind":"inventory","body":{}}')))
    assert "refused a control" in texts(fold.apply(Decision("control-3", NOW, "control", b"x")))


def test_a_decision_counts_once() -> None:
    fold = commander(automatic="callers")
    decision = decided(proposed(), 1)
    assert len(fold.apply(decision)) == 1
    assert fold.apply(decision) == []


def test_a_restored_commander_goes_on_alike() -> None:
    fold, proposal = commander(0, "callers"), proposed(2, "disable_endpoint")
    tell = Told(fold)
    tell(proposed())
    tell(proposal)
    tell(said("ana", "approve", proposal))
    restored = commander(0, "callers")
    restored.load(fold.dump())
    assert restored.dump() == fold.dump()
    last = decided(said("ben", "approve", proposal), 99)
    assert restored.apply(last) == fold.apply(last) != []

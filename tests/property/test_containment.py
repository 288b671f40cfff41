"""The life of approvals and commands under an attacker who owns the wire, the clock and the power switch.

They may deliver anything ever signed again, late, twice or in another order, change it, sign with keys nobody trusts, set the
clock back, and crash the commander anywhere; a second commander hears the same decisions. What is asserted is kept by a book
of its own, that knows only who signed what and when it was first delivered.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.commander import Commander
from alerts.containment import Decision, Outcome
from alerts.ladder import LADDER, Measure
from alerts.openc2 import Order
from alerts.proposal import Proposal
from alerts.signing import Keyring, canonical, digest, sign
from alerts.statement import MOST_MS, Statement
from tests.helpers.people import NOW, ROLES, decided, private, proposed, said, signed, trusted
from tocsin.config import Command
from tocsin.inventory import Model, Version
from tocsin.trust import Purpose

STEPS: Final = int(os.environ.get("TOCSIN_STEPS", "10000"))
PER_RUN: Final = 100
MEASURES: Final[tuple[Measure, ...]] = ("throttle", "throttle_model", "disable_endpoint", "roll_back")
PEOPLE: Final = (*ROLES, "mallory")
VERSIONS: Final = (Version("6", "last-known-good", validated=True), Version("7", "live", validated=True))
REVOKED_MS: Final = 20 * 60_000

picks = st.integers(0, 1 << 30)


class Attacked(RuleBasedStateMachine):
    """One fleet of one model, and everybody who ever signed something."""

    @initialize(tier=st.integers(0, 3), automatic=st.sampled_from(["none", "callers", "model"]))
    def begin(self, tier: int, automatic: Any) -> None:
        """Starts cold; dan's key is revoked after twenty minutes, mallory's is on no list."""
        self.tier, self.automatic = tier, automatic
        self.now = NOW
        self.count = 0
        self.proposals: list[Proposal] = []
        self.mail: list[tuple[Statement, bytes]] = []
        self.heard: list[Decision] = []
        self.delivered: dict[bytes, int] = {}
        self.braked = False
        self.orders: list[tuple[Order, int]] = []
        self.first, self.second = self.cold(), self.cold()
        self.decide(None)  # ledger time begins: from here on it cannot be set back

    def cold(self) -> Commander:
        model = Model("prod/fraud", self.tier, mode="enforce", automatic=self.automatic, version=VERSIONS)
        revoked: dict[str, Any] = {"dan": {"revoked": NOW + REVOKED_MS}}
        keys = Keyring([trusted(name, **revoked.get(name, {})) for name in ROLES])
        return Commander([model], keys, Command())

    def tell(self, decision: Decision) -> None:
        """Tells both commanders, who must agree, and books every order."""
        outcomes = self.first.apply(decision)
        assert self.second.apply(decision) == outcomes
        self.heard.append(decision)
        self.book(outcomes)

    def book(self, outcomes: list[Outcome]) -> None:
        for one in outcomes:
            if isinstance(one, Order):
                self.check(one)
                self.orders.append((one, self.first.memory.now))

    def brake_booked(self, data: bytes) -> None:
        """Books what a person said of the brake, the first time it comes, if it comes in time."""
        for statement, known in self.mail:
            if known == data and statement.kind.startswith("brake") and self.delivered[data] < statement.expires:
                self.braked = statement.kind == "brake_on"

    def decide(self, what: Proposal | bytes | None) -> None:
        self.count += 1
        if isinstance(what, bytes) and what not in self.delivered:
            self.delivered[what] = max(self.now, self.first.memory.now)
            self.brake_booked(what)
        self.tell(decided(what, self.count, self.now))

    @rule(measures=st.lists(st.sampled_from(MEASURES), min_size=1, max_size=3), supersede=st.booleans())
    def proposals_come(self, measures: list[Measure], supersede: bool) -> None:
        for measure in measures:
            before = self.proposals[-1].id if supersede and self.proposals else ""
            self.proposals.append(proposed(len(self.proposals), measure, self.now, supersedes=before))
            self.decide(self.proposals[-1])

    @precondition(lambda self: self.proposals)
    @rule(
        people=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=2),
        kind=st.sampled_from(["approve", "approve", "approve", "reject"]),
        pick=st.integers(0, 2),
        misled=st.sampled_from([False, False, True]),
        at_once=st.booleans(),
    )
    def people_speak(self, people: list[str], kind: Any, pick: int, misled: bool, at_once: bool) -> None:
        """They sign what they were shown, and somebody may have shown them something else under the same id."""
        proposal = self.proposals[-1 - pick % len(self.proposals)]
        shown = msgspec.structs.replace(proposal, ttl_s=60) if misled else proposal
        for person in people:
            self.send(said(person, kind, shown, self.now, reason=str(len(self.mail))), at_once=at_once)

    @rule(on=st.booleans(), at_once=st.booleans())
    def the_brake(self, on: bool, at_once: bool) -> None:
        kind: Any = "brake_on" if on else "brake_off"
        self.send(said("ana", kind, now=self.now, reason=str(len(self.mail))), at_once=at_once)

    def send(self, statement: Statement, *, at_once: bool) -> None:
        self.mail.append((statement, signed(statement)))
        if at_once:
            self.decide(self.mail[-1][1])

    @precondition(lambda self: self.mail)
    @rule(pick=picks)
    def delivered_now_or_again(self, pick: int) -> None:
        self.decide(self.mail[pick % len(self.mail)][1])

    @precondition(lambda self: self.mail and self.proposals)
    @rule(pick=picks, what=st.sampled_from(["digest", "subject", "person", "expires", "nonce"]), resign=st.booleans())
    def changed(self, pick: int, what: str, resign: bool) -> None:
        statement, data = self.mail[pick % len(self.mail)]
        other = self.proposals[pick % len(self.proposals)]
        values = {
            "digest": digest(msgspec.to_builtins(other)),
            "subject": other.id,
            "person": "ben",
            "expires": self.now + MOST_MS,
            "nonce": f"{pick:032x}",
        }
        edited = msgspec.structs.replace(statement, **{what: values[what]})
        if resign:
            self.decide(sign(msgspec.to_builtins(edited), Purpose.STATEMENT, private("mallory")))
        else:
            record = json.loads(data)
            record["payload"] = msgspec.to_builtins(edited)
            if canonical(record) != data:
                self.decide(canonical(record))

    @precondition(lambda self: self.heard)
    @rule(pick=picks)
    def a_decision_again(self, pick: int) -> None:
        self.tell(self.heard[pick % len(self.heard)])

    @precondition(lambda self: self.proposals)
    @rule(pick=picks)
    def a_proposal_again(self, pick: int) -> None:
        self.decide(self.proposals[pick % len(self.proposals)])

    @rule(ms=st.sampled_from([1_000, 60_000, 200_000, 500_000, 500_000, 3_600_000]))
    def time_goes_by(self, ms: int) -> None:
        self.now += ms
        self.decide(None)

    @precondition(lambda self: self.mail)
    @rule(ms=st.sampled_from([1_000, 900_000, 86_400_000]), pick=picks)
    def the_clock_is_set_back(self, ms: int, pick: int) -> None:
        """And something is delivered as if it came then."""
        true, self.now = self.now, self.now - ms
        self.decide(self.mail[pick % len(self.mail)][1])
        self.now = true

    @precondition(lambda self: self.proposals)
    @rule(people=st.permutations(PEOPLE), apart_ms=st.sampled_from([1_000, 899_000, 901_000, 1_300_000]))
    def one_after_the_other(self, people: list[str], apart_ms: int) -> None:
        for person in people[:2]:
            self.people_speak([person], "approve", 0, misled=False, at_once=True)
            self.time_goes_by(apart_ms)

    @rule(which=st.booleans())
    def a_crash(self, which: bool) -> None:
        survivor = self.cold()
        survivor.load((self.first if which else self.second).dump())
        if which:
            self.first = survivor
        else:
            self.second = survivor

    def check(self, order: Order) -> None:
        """An order has the authority it claims, by what was really signed and delivered in time."""
        now, rung = self.first.memory.now, LADDER[order.measure]
        assert order.proposal in self.proposals
        assert order.until > now
        assert now < order.proposal.expires
        if order.authority.by == "policy":
            assert self.automatic in rung.allowed_by
            assert not self.braked
            assert order.ttl_s <= rung.alone_s
            return
        assert order.ttl_s <= rung.most_s
        found = set()
        for statement, data in self.mail:
            came = self.delivered.get(data)
            genuine = statement.kind == "approve" and statement.person in ROLES and came is not None
            if not genuine or statement.digest != digest(msgspec.to_builtins(order.proposal)):
                continue
            is_trusted = statement.person != "dan" or now < NOW + REVOKED_MS
            if came < statement.expires and now < statement.expires and is_trusted:  # type: ignore[operator]
                found.add(statement.person)
        assert set(order.authority.people) <= found
        assert len(order.authority.people) >= rung.humans[self.tier]
        assert rung.role is None or any(rung.role in ROLES[person] for person in order.authority.people)

    @invariant()
    def one_id_per_thing_and_seq_rises(self) -> None:
        seen: dict[tuple[str, str, str], str] = {}
        seqs: dict[str, int] = {}
        for order, _ in self.orders if hasattr(self, "orders") else []:
            key = (order.proposal.id, order.authority.by, order.target)
            assert key not in seen, "one thing was ordered twice"
            seen[key] = order.id
            assert order.seq > seqs.get(order.target, 0)
            seqs[order.target] = order.seq
        assert len(set(seen.values())) == len(seen)

    @invariant()
    def the_brake_is_as_it_was_last_said_to_be(self) -> None:
        if hasattr(self, "first"):
            assert bool(self.first.memory.brake) == self.braked

    @invariant()
    def no_more_than_three_automatic_orders_an_hour(self) -> None:
        times = [ts for order, ts in getattr(self, "orders", []) if order.authority.by == "policy"]
        assert all(sum(ts - 3_600_000 < other <= ts for other in times) <= 3 for ts in times)


TestAttacked = Attacked.TestCase
TestAttacked.settings = settings(
    max_examples=STEPS // PER_RUN,
    stateful_step_count=PER_RUN,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_the_machine_reaches_orders_by_people_and_by_policy() -> None:
    """A proof about orders that are never given would be empty."""
    machine = Attacked()
    machine.begin(0, "callers")
    machine.proposals_come(["throttle", "disable_endpoint"], supersede=False)
    machine.people_speak(["ana", "ben"], "approve", 0, misled=False, at_once=True)
    assert [order.authority.by for order, _ in machine.orders] == ["policy", "people"]
    with pytest.raises(AssertionError):
        machine.check(msgspec.structs.replace(machine.orders[1][0], proposal=machine.proposals[0]))

"""Commander: proposals and people's statements in, orders to actuators out. One fold for the whole fleet, in one order.

What can never happen, whoever replays, reorders, edits, repeats or delays what comes in:
1. An order without authority: either the model's policy allows the measure for minutes and the hour's budget is not spent, or
   enough different people, none of them the one who proposed it, signed the very proposal that is carried out.
2. A statement that counts twice, or late: its nonce is remembered until it expires, and ledger time only grows.
3. Two ids for one thing: an order's id is derived from proposal, measure, authority and target, so an order that is given
   again after a crash is the same order.
4. A measure that nobody ends: every order holds for a time, and enforcement is told when it is over.
5. An order while the brake is on, but by people.
What was refused is said, with the reason and the person: a refusal nobody sees is an attack nobody sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from alerts.budget import MOST_CHANGES, SETTLE_MS, Budget, Spent
from alerts.containment import DAY_MS, TRIAGE, Cancelled, Decision, Memory, Notice, Outcome, Pending, Standing
from alerts.ladder import LADDER
from alerts.openc2 import Authority, Order, target_id, targets_of
from alerts.proposal import Proposal
from alerts.signing import Keyring, digest, key_id
from alerts.statement import LEAST_REASON, Statement, opened, proposal_of
from tocsin.config import Command
from tocsin.control import SetModel, control_body
from tocsin.errors import RejectError, SignatureError
from tocsin.ids import uid
from tocsin.inventory import Model, entry_of, last_known_good, name_of
from tocsin.trust import Purpose, Role, TrustedKey

MAX_PENDING: Final = 10_000


class _Control(msgspec.Struct):
    kind: str
    body: msgspec.Raw


class Commander:
    """See the module.

    Args:
        models: the inventory.
        keys: people's keys.
        limits: what policy may do alone.

    Attributes:
        memory: its state.
    """

    def __init__(self, models: Iterable[Model], keys: Keyring, limits: Command) -> None:
        self.models = {model.name: model for model in models}
        self.keys = keys
        self.budget = Budget(limits)
        self.memory = Memory()

    def apply(self, decision: Decision) -> list[Outcome]:
        """Returns what one decision leads to: what time ended first, then what it says itself."""
        memory = self.memory
        memory.now = max(memory.now, decision.ts)
        outcomes = self._pass_time()
        if decision.kind == "tick" or decision.uid in memory.heard:
            return outcomes
        memory.heard[decision.uid] = memory.now
        try:
            if decision.kind == "proposal":
                proposal = msgspec.json.decode(decision.body, type=Proposal)
                return outcomes + self._propose(proposal, TRIAGE)
            if decision.kind == "control":
                return outcomes + self._take_inventory(decision.body)
            return outcomes + self._obey(*opened(decision.body, self.keys, memory.now))
        except (SignatureError, RejectError, msgspec.DecodeError) as error:
            return [*outcomes, self._notice(decision.uid, f"refused a {decision.kind}: {error}")]

    def dump(self) -> bytes:
        """Returns the state."""
        self.memory.spent = self.budget.spent
        return msgspec.msgpack.encode(self.memory)

    def load(self, data: bytes) -> None:
        """Replaces the state by one that `dump` returned."""
        self.memory = msgspec.msgpack.decode(data, type=Memory)
        self.budget.spent = self.memory.spent

    def _pass_time(self) -> list[Outcome]:
        """Ends what is over, and forgets what can no longer matter."""
        memory, now = self.memory, self.memory.now
        memory.nonces = {nonce: expires for nonce, expires in memory.nonces.items() if expires > now}
        memory.heard = {known: ts for known, ts in memory.heard.items() if ts > now - DAY_MS}
        memory.pending = {name: one for name, one in memory.pending.items() if one.expires > now}
        memory.closed = {name: expires for name, expires in memory.closed.items() if expires > now}
        ended: list[Outcome] = []
        for target, standing in memory.standing.items():
            if standing.command and standing.until <= now:
                ended.append(self._end(target, standing, ""))
        return ended

    def _take_inventory(self, data: bytes) -> list[Outcome]:
        """Takes what a control order says of a model; other orders are for others."""
        order = msgspec.json.decode(data, type=_Control)
        if order.kind != "inventory":
            return []
        body = control_body(order.kind, bytes(order.body))
        assert isinstance(body, SetModel)  # noqa: S101 - the table of controls says so
        before, after = self.model_of(body.model.name), body.model
        self.memory.models[after.name] = after
        changed = [
            f"{name} {getattr(before, name)} → {getattr(after, name)}"
            for name in ("tier", "mode", "automatic")
            if getattr(before, name) != getattr(after, name)
        ]
        told = f"{body.author} changed the inventory: {', '.join(changed) or 'nothing that orders depend on'}; {body.reason}"
        return [self._notice(after.name, told, loud=bool(changed))]

    def _propose(self, proposal: Proposal, proposer: str) -> list[Outcome]:
        """Takes a proposal, and carries it out at once if policy may. One that was decided, or is over, cannot come back."""
        memory = self.memory
        expires = min(proposal.expires, proposal.created + DAY_MS)
        known = proposal.id in memory.pending or proposal.id in memory.closed
        if known or expires <= memory.now or LADDER[proposal.action].level == 0:
            return []
        if len(memory.pending) >= MAX_PENDING:
            return [self._notice(proposal.id, f"refused a proposal: {MAX_PENDING} are waiting already", loud=True)]
        self._close(proposal.supersedes)
        pending = Pending(proposal, digest(msgspec.to_builtins(proposal)), proposer, expires)
        memory.pending[proposal.id] = pending
        return self._alone(pending) if proposer == TRIAGE else []

    def _close(self, proposal_id: str) -> None:
        if proposal_id in self.memory.pending:
            self.memory.closed[proposal_id] = self.memory.pending.pop(proposal_id).expires

    def _alone(self, pending: Pending) -> list[Outcome]:
        """Carries a proposal out without a person, for minutes, if everything allows it."""
        proposal, model = pending.proposal, self.model_of(pending.proposal.model)
        rung = LADDER[proposal.action]
        if not rung.alone_s or model.automatic not in rung.allowed_by:
            return []
        if self.memory.brake:
            return [self._notice(proposal.id, f"not ordered: {self.memory.brake} has the brake on")]
        wanted = Spent(self.memory.now, model.name, len(proposal.targets), proposal.share)
        if why := self.budget.refuses(wanted):
            return [self._notice(proposal.id, f"not ordered: {why}; it waits for people", loud=True)]
        if self._is_settling(pending):
            return [self._notice(proposal.id, "not ordered: it changed twice within five minutes; it waits for people")]
        self.budget.spend(wanted)
        return self._carry_out(pending, min(proposal.ttl_s, rung.alone_s), Authority("policy", (), proposal.reason))

    def _obey(self, statement: Statement, key: TrustedKey) -> list[Outcome]:
        """Does what a person says."""
        memory = self.memory
        if statement.nonce in memory.nonces:
            return [self._notice(statement.subject, f"refused {statement.person}'s {statement.kind}: it was used before")]
        memory.nonces[statement.nonce] = statement.expires
        match statement.kind:
            case "brake_on" | "brake_off":
                memory.brake = statement.person if statement.kind == "brake_on" else ""
                word = "on: nothing new is ordered by policy" if memory.brake else "off"
                return [self._notice("brake", f"{statement.person} has put the brake {word}; {statement.reason}", loud=True)]
            case "propose":
                if LADDER[statement.measure].subject == "caller":
                    return [self._refusal(statement, "callers are proposed by findings; a person may propose for a model")]
                return self._propose(proposal_of(statement), statement.person)
            case "release":
                return self._release(statement)
        pending = memory.pending.get(statement.subject)
        if pending is None:
            return [self._refusal(statement, "no such proposal is waiting; it expired, was replaced, or was decided")]
        if statement.digest != pending.digest:
            return [self._refusal(statement, "what was signed is not what is proposed")]
        if statement.kind == "reject":
            self._close(statement.subject)
            return [self._notice(statement.subject, f"{statement.person} rejected it: {statement.reason or 'no reason given'}")]
        return self._approve(pending, statement, key)

    def _approve(self, pending: Pending, statement: Statement, key: TrustedKey) -> list[Outcome]:
        proposal = pending.proposal
        if statement.person == pending.proposer:
            return [self._refusal(statement, "who proposes a measure cannot approve it")]
        pending.approvals[statement.person] = key_id(key), statement.expires
        notices: list[Outcome] = []
        rung, model = LADDER[proposal.action], self.model_of(proposal.model)
        fresh = self._fresh(pending)
        people = tuple(sorted(fresh))
        enough = len(people) >= rung.humans[model.tier] and (
            rung.role is None or any(rung.role in fresh[one] for one in people)
        )
        if not enough and statement.break_glass:
            if why := self._may_not_break(statement):
                return [self._refusal(statement, why)]
            self.memory.glass_ms = self.memory.now
            text = f"{statement.person} broke the glass for {proposal.action} of {proposal.model}: {statement.reason}"
            notices.append(self._notice(proposal.id, text, loud=True))
        elif not enough:
            wanted = f"{rung.humans[model.tier]} people" + (f", one a {rung.role}" if rung.role else "")
            return [self._notice(proposal.id, f"{statement.person} approved it; {wanted} needed, {len(people)} so far")]
        authority = Authority("people", people, statement.reason, statement.break_glass and not enough)
        return notices + self._carry_out(pending, min(proposal.ttl_s, rung.most_s), authority)

    def _fresh(self, pending: Pending) -> dict[str, tuple[Role, ...]]:
        """Returns person → roles of the approvals that count now: not void, and by keys that are still trusted."""
        now, found = self.memory.now, {}
        for person, (name, expires) in pending.approvals.items():
            key = self.keys.valid(name, Purpose.STATEMENT, now)
            if key is not None and expires > now:
                found[person] = key.roles
        return found

    def _may_not_break(self, statement: Statement) -> str:
        if len(statement.reason.strip()) < LEAST_REASON:
            return f"breaking the glass needs a reason of {LEAST_REASON} characters"
        return "the glass was broken within the last 24 hours" if self.memory.now < self.memory.glass_ms + DAY_MS else ""

    def _carry_out(self, pending: Pending, ttl_s: int, authority: Authority) -> list[Outcome]:
        """Returns the orders of a proposal, one per target; they are given once per authority."""
        proposal, model, now = pending.proposal, self.model_of(pending.proposal.model), self.memory.now
        if authority.by in pending.done:
            return []
        to_version = ""
        if proposal.action == "roll_back":
            version, why = last_known_good(model, proposal.model.partition("@")[2])
            if version is None:
                return [self._notice(proposal.id, f"not ordered: {why}", loud=True)]
            to_version = version.version
        pending.done.append(authority.by)
        orders: list[Outcome] = []
        for to in targets_of(proposal):
            target = target_id(proposal.action, proposal.model, to)
            standing = self.memory.standing.setdefault(target, Standing())
            name = uid("command", proposal.id, LADDER[proposal.action].level, authority.by, target)
            standing.seq += 1
            standing.command, standing.model, standing.until = name, proposal.model, now + ttl_s * 1_000
            standing.changes = [ts for ts in standing.changes if ts > now - SETTLE_MS] + [now]
            args = (name, proposal, proposal.action, to, target, standing.seq, now, ttl_s, model.mode, authority)
            orders.append(Order(*args, model.endpoint, to_version))
        return orders

    def _is_settling(self, pending: Pending) -> bool:
        proposal = pending.proposal
        targets = [target_id(proposal.action, proposal.model, to) for to in targets_of(proposal)]
        known = [self.memory.standing[target] for target in targets if target in self.memory.standing]
        return any(sum(ts > self.memory.now - SETTLE_MS for ts in one.changes) >= MOST_CHANGES for one in known)

    def _release(self, statement: Statement) -> list[Outcome]:
        for target, standing in self.memory.standing.items():
            if standing.command == statement.subject:
                return [self._end(target, standing, statement.person)]
        return [self._refusal(statement, "no such command is in force")]

    def _end(self, target: str, standing: Standing, person: str) -> Cancelled:
        standing.seq += 1
        ended = Cancelled(target, standing.command, standing.seq, standing.model, person)
        standing.command, standing.until = "", 0
        return ended

    def model_of(self, model: str) -> Model:
        """Returns what the inventory says of a model; one that nobody listed is observed, and ordered on by people only."""
        return entry_of(model, self.memory.models, self.models) or Model(name_of(model))

    def _refusal(self, statement: Statement, why: str) -> Notice:
        return self._notice(statement.subject, f"refused {statement.person}'s {statement.kind}: {why}")

    def _notice(self, subject: str, text: str, *, loud: bool = False) -> Notice:
        return Notice(uid("notice", subject, self.memory.now, text), self.memory.now, subject, text, loud)

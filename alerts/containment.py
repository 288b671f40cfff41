"""Containment: what the commander is told, what it says, and what it remembers."""

from __future__ import annotations

from typing import Final

import msgspec

from alerts.budget import Spent
from alerts.openc2 import Order
from alerts.proposal import Proposal
from tocsin.inventory import Model

DAY_MS: Final = 86_400_000
TRIAGE: Final = "triage"
"""Who proposes what no person does."""


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """One record of `tocsin.decisions.v1`.

    Attributes:
        uid: derived from where it came from; it counts once.
        ts: append time there, Unix milliseconds.
        kind: `proposal`, `statement`, `control` or `tick`.
        body: the record's value.
    """

    uid: str
    ts: int
    kind: str
    body: bytes


class Cancelled(msgspec.Struct, frozen=True):
    """An order that ends, by itself or by a person's word.

    Attributes:
        target: as enforcement is keyed.
        command: id of the order.
        seq: of the cancel, rising per target.
        model: `namespace/name@version`.
        person: who ended it, "" when its time was over.
    """

    target: str
    command: str
    seq: int
    model: str
    person: str


class Notice(msgspec.Struct, frozen=True):
    """Something people must know: a refusal, a budget that is spent, a broken glass.

    Attributes:
        uid: derived.
        ts: ledger time.
        subject: proposal, command or model it is about.
        text: one sentence.
        loud: whether somebody must be woken.
    """

    uid: str
    ts: int
    subject: str
    text: str
    loud: bool = False


Outcome = Order | Cancelled | Notice


class Pending(msgspec.Struct, array_like=True):
    """A proposal that may still be carried out.

    Attributes:
        proposal: it.
        digest: of it.
        proposer: a person, or TRIAGE.
        expires: ledger time, Unix milliseconds.
        approvals: person → (id of their key, when the approval is void).
        done: authorities that have carried it out: `policy`, `people`.
    """

    proposal: Proposal
    digest: str
    proposer: str
    expires: int
    approvals: dict[str, tuple[str, int]] = {}
    done: list[str] = []


class Standing(msgspec.Struct, array_like=True):
    """What holds for one target.

    Attributes:
        seq: of the last order or cancel.
        command: id of the order in force, "" for none.
        model: `namespace/name@version`.
        until: when it ends, Unix milliseconds.
        changes: when it changed lately.
    """

    seq: int = 0
    command: str = ""
    model: str = ""
    until: int = 0
    changes: list[int] = []


class Memory(msgspec.Struct, array_like=True):
    """All that the commander remembers: its state.

    Attributes:
        now: ledger time, Unix milliseconds; only grows.
        brake: who has put it on, "" when it is off.
        glass_ms: when it was last broken.
        heard: uid of a decision → when; each counts once.
        nonces: of statements → when they are void.
        pending: proposals that wait or were carried out, by id.
        closed: id of a proposal that was rejected or replaced → when it would have expired: it cannot come back.
        standing: what holds, by target.
        spent: automatic orders of the last hour.
        models: what control orders said of models, instead of the configuration.
    """

    now: int = 0
    brake: str = ""
    glass_ms: int = -DAY_MS
    heard: dict[str, int] = {}
    nonces: dict[str, int] = {}
    pending: dict[str, Pending] = {}
    closed: dict[str, int] = {}
    standing: dict[str, Standing] = {}
    spent: list[Spent] = []
    models: dict[str, Model] = {}

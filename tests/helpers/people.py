"""People: keys and signed statements for tests of containment. Keys come from the names, so nothing here is random."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alerts.containment import Decision
from alerts.proposal import Proposal, Target
from alerts.signing import Keyring, digest, sign
from alerts.statement import MOST_MS, Kind, Statement
from tocsin.codec import json_bytes
from tocsin.trust import Purpose, Role, TrustedKey

NOW = 1_800_000_000_000
ROLES: dict[str, tuple[Role, ...]] = {
    "ana": ("soc-analyst",),
    "ben": ("ml-engineer",),
    "cleo": ("data-scientist",),
    "dan": ("security-engineer",),
}


@cache
def private(name: str) -> Ed25519PrivateKey:
    """Returns the private key of a person of this name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def trusted(name: str, purpose: Purpose = Purpose.STATEMENT, **parts: Any) -> TrustedKey:
    """Returns what a list of trusted keys says of them."""
    public = private(name).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return TrustedKey(name, base64.b64encode(public).decode(), purpose.value, ROLES.get(name, ()), **parts)


def ring(*names: str) -> Keyring:
    """Returns a list of these people's keys; everybody's without names."""
    return Keyring([trusted(name) for name in names or ROLES])


def proposed(number: int = 1, action: str = "throttle", now: int = NOW, **parts: Any) -> Proposal:
    """Returns a proposal as triage makes them, about one caller."""
    target = Target("acct-1", "user", "00000000000000aa")
    proposal = Proposal(
        id=f"proposal-{number}",
        model="prod/fraud@7",
        finding_uid="finding-1",
        action="throttle",
        targets=(target,),
        ttl_s=3_600,
        reason="asks 40 times as often",
        created=now,
        expires=now + 3_600_000,
        share=0.01,
    )
    about = (target,) if action == "throttle" else ()
    return msgspec.structs.replace(proposal, **({"action": action, "targets": about} | parts))


def said(person: str, kind: Kind, proposal: Proposal | None = None, now: int = NOW, **parts: Any) -> Statement:
    """Returns what a person states, about a proposal."""
    subject = "" if proposal is None else proposal.id
    seen = "" if proposal is None else digest(msgspec.to_builtins(proposal))
    nonce = hashlib.sha256(f"{person}{kind}{subject}{now}{parts}".encode()).hexdigest()[:32]
    statement = Statement(kind, person, now, now + MOST_MS, nonce, subject, seen)
    return msgspec.structs.replace(statement, **parts)


def signed(statement: Statement, by: str = "") -> bytes:
    """Returns it signed, by its person unless another is named."""
    return sign(msgspec.to_builtins(statement), Purpose.STATEMENT, private(by or statement.person))


def decided(what: Proposal | Statement | bytes | None, at: int, now: int = NOW) -> Decision:
    """Returns a decision record: a proposal, a statement (signed by its person, or as given), or a tick."""
    match what:
        case None:
            return Decision(f"tick-{at}", now, "tick", b"")
        case Proposal():
            return Decision(f"decision-{at}", now, "proposal", json_bytes(what))
        case Statement():
            return Decision(f"decision-{at}", now, "statement", signed(what))
    return Decision(f"decision-{at}", now, "statement", what)

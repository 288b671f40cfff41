"""Roles: who answers for a finding. One literal table; exactly one role is accountable, at least one responsible.

Accountable decides and explains, responsible acts (RACI). Which person or team that is the inventory says; where it says
nothing the role alone stands there, so that nobody can think it is somebody else's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from alerts.pattern import Pattern
from tocsin.inventory import Model
from tocsin.signal import Kind
from tocsin.trust import Role

MINUTE_MS: Final = 60_000
ESCALATIONS: Final[tuple[tuple[int, str], ...]] = (
    (5 * MINUTE_MS, "whoever is accountable"),
    (15 * MINUTE_MS, "who is on call"),
    (30 * MINUTE_MS, "everyone with a role"),
)
"""(after opening, to whom): a finding of high severity that nobody acknowledged goes on to these."""


class Duty(NamedTuple):
    """One row of `DUTIES`.

    Attributes:
        kind: of the incident.
        pattern: what it looks like, None for whatever it looks like.
        accountable: one role.
        responsible: at least one.
    """

    kind: Kind
    pattern: Pattern | None
    accountable: Role
    responsible: tuple[Role, ...]


DUTIES: Final[tuple[Duty, ...]] = (
    Duty(Kind.PROBING, None, "soc-analyst", ("security-engineer",)),
    Duty(Kind.DRIFT, Pattern.PUSH, "data-scientist", ("soc-analyst", "ml-engineer")),
    Duty(Kind.DRIFT, Pattern.UNIT, "ml-engineer", ("ml-engineer",)),
    Duty(Kind.DRIFT, Pattern.GAP, "ml-engineer", ("ml-engineer",)),
    Duty(Kind.DRIFT, None, "data-scientist", ("ml-engineer",)),
    Duty(Kind.FAULT, None, "ml-engineer", ("ml-engineer",)),
    Duty(Kind.BLIND, None, "security-engineer", ("security-engineer",)),
)
"""The first that fits; every kind ends with a row for any pattern."""


class Owner(msgspec.Struct, frozen=True):
    """A role in one finding.

    Attributes:
        role: which.
        who: the person or team that the inventory names, "" when it names nobody.
    """

    role: Role
    who: str


class Owners(msgspec.Struct, frozen=True):
    """Who answers for a finding.

    Attributes:
        accountable: the one.
        responsible: at least one.
        on_call: who is called first, "" when nobody is named.
    """

    accountable: Owner
    responsible: tuple[Owner, ...]
    on_call: str


def owners_of(kind: Kind, pattern: Pattern, model: Model | None) -> Owners:
    """Returns who answers for an incident.

    Args:
        kind: of it.
        pattern: what it looks like.
        model: what the inventory says of its model, None when it is not listed.
    """
    duty = next(duty for duty in DUTIES if duty.kind is kind and duty.pattern in (None, pattern))
    named = {} if model is None else model.owners
    owner = {role: Owner(role, named.get(role, "")) for role in (duty.accountable, *duty.responsible)}
    return Owners(
        owner[duty.accountable], tuple(owner[role] for role in duty.responsible), "" if model is None else model.on_call
    )

"""Statement: what a person says about containment, signed with their own key. The only way in which people give orders."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from alerts.ladder import Measure
from alerts.proposal import Proposal
from alerts.signing import Keyring
from tocsin.errors import SignatureError
from tocsin.ids import uid
from tocsin.trust import Purpose, TrustedKey

MOST_MS: Final = 15 * 60_000
"""A statement is good for so long: who approved something an hour ago did not approve what is true now."""
AHEAD_MS: Final = 60_000
"""Clocks of people's machines may be so far ahead of the ledger's."""
LEAST_REASON: Final = 20
"""Characters of a reason to break the glass."""

Kind = Literal["propose", "approve", "reject", "release", "brake_on", "brake_off"]

Time = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A person's word.

    Attributes:
        kind: what they do.
        person: who; must own the key.
        created: by their clock, Unix milliseconds.
        expires: when it is void, at most 15 minutes later.
        nonce: 32 hex digits, new for every statement.
        subject: id of the proposal or command it is about; the model for `propose`; "" for the brake.
        digest: of the proposal as they saw it.
        measure: for `propose`.
        ttl_s: for `propose`: how long it should hold.
        reason: why, in their words.
        break_glass: whether one person takes it upon them to approve what needs more.
    """

    kind: Kind
    person: str
    created: Time
    expires: Time
    nonce: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    subject: Annotated[str, msgspec.Meta(max_length=300)] = ""
    digest: Annotated[str, msgspec.Meta(max_length=64)] = ""
    measure: Measure = "annotate"
    ttl_s: Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400)] = 0
    reason: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    break_glass: bool = False


def opened(data: bytes, keys: Keyring, now: int) -> tuple[Statement, TrustedKey]:
    """Returns what a signed record states, and the key of the person who states it.

    Args:
        data: the record's value.
        keys: those trusted.
        now: ledger time, Unix milliseconds.

    Raises:
        SignatureError: it is forged, malformed, late, early, good for too long, or speaks for somebody else.
    """
    payload, key = keys.open(data, Purpose.STATEMENT, now)
    try:
        statement = msgspec.convert(payload, Statement, strict=True)
    except msgspec.ValidationError as error:
        raise SignatureError(f"statement by {key.owner}: {error}") from error
    if statement.person != key.owner:
        raise SignatureError(f"statement: a person's own word expected; {key.owner} signed for {statement.person}")
    if not statement.created < statement.expires <= statement.created + MOST_MS:
        raise SignatureError(f"statement by {key.owner}: it must expire within 15 minutes of being made")
    if statement.created > now + AHEAD_MS:
        raise SignatureError(f"statement by {key.owner}: it was made {statement.created - now} ms in the future")
    if statement.expires <= now:
        raise SignatureError(f"statement by {key.owner}: it expired {now - statement.expires} ms ago")
    return statement, key


def proposal_of(statement: Statement) -> Proposal:
    """Returns what a person proposes; whoever reads their statement comes to the same proposal, and the same digest."""
    return Proposal(
        id=uid("proposal", statement.nonce, statement.person),
        model=statement.subject,
        finding_uid="",
        action=statement.measure,
        targets=(),
        ttl_s=statement.ttl_s,
        reason=statement.reason,
        created=statement.created,
        expires=statement.expires,
        severity_id=5,
    )

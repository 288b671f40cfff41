"""Trust: whose signatures count here, and for what."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

Role = Literal["soc-analyst", "data-scientist", "ml-engineer", "security-engineer"]


class Purpose(StrEnum):
    """What a key may be used for, and what its signatures begin with."""

    STATEMENT = "tocsin.statement.v1"
    """A person's word: propose, approve, reject, brake, release."""
    COMMAND = "tocsin.command.v1"
    """An order to an actuator."""


class TrustedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public key and what its signatures are worth here, `[[key]]`.

    Attributes:
        owner: the person, or `command` for the command stage.
        public: 32 bytes, base64.
        purpose: what it may sign.
        roles: the person's.
        not_before: Unix milliseconds.
        not_after: Unix milliseconds; 0 for no end.
        revoked: Unix milliseconds from which nothing it signed is believed any more, whenever it signed it; 0 for never.
    """

    owner: str
    public: str
    purpose: Literal["tocsin.statement.v1", "tocsin.command.v1"] = "tocsin.statement.v1"
    roles: tuple[Role, ...] = ()
    not_before: int = 0
    not_after: int = 0
    revoked: int = 0

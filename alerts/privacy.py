"""Privacy: how a caller is shown to people and to other systems, by kind of id, as `[privacy]` says."""

from __future__ import annotations

from ipaddress import ip_address

from tocsin.config import Privacy
from tocsin.event import Caller

MAX_ID = 200
"""Characters of an id that findings show."""


def is_clear(caller: Caller, privacy: Privacy) -> bool:
    """Returns whether the id may be shown as received; a kind of id nobody has decided about may not."""
    return getattr(privacy, caller.id_kind, "hmac") == "clear"


def show(caller: Caller, privacy: Privacy) -> str:
    """Returns the caller's id, or `hmac:` and the keyed hash in hex where ids of its kind are hidden."""
    return caller.id[:MAX_ID] if is_clear(caller, privacy) else f"hmac:{caller.hash:016x}"


def address(caller: Caller, privacy: Privacy) -> str:
    """Returns the caller's IP address in its usual form, or "" when it is hidden, scoped or none at all.

    A SIEM that is told `ip` refuses the whole record if it is none, and what a producer calls an IP need not be one.
    """
    if caller.id_kind != "ip" or not is_clear(caller, privacy) or "%" in caller.id:
        return ""
    try:
        return str(ip_address(caller.id))
    except ValueError:
        return ""

"""Silences: findings that somebody has already understood. They keep flowing, marked, and propose nothing."""

from __future__ import annotations

import msgspec

from alerts.incident import Incident, hex_of
from tocsin.codec import pack
from tocsin.control import Silence
from tocsin.event import Caller

MAX_SILENCES = 1_000


class Silences:
    """The silences in force.

    Attributes:
        active: id → silence.
    """

    def __init__(self) -> None:
        """Starts with none."""
        self.active: dict[str, Silence] = {}

    def add(self, silence: Silence, now: int) -> None:
        """Puts one in force, in place of any of the same id; the one that ends first makes room when there are too many."""
        if silence.until <= now:
            return
        self.active[silence.id] = silence
        if len(self.active) > MAX_SILENCES:
            del self.active[min(self.active, key=lambda key: (self.active[key].until, key))]

    def remove(self, silence_id: str) -> None:
        """Ends one early; an id that is not in force is none of our worries."""
        self.active.pop(silence_id, None)

    def expire(self, now: int) -> None:
        """Ends those whose time has come."""
        self.active = {key: silence for key, silence in self.active.items() if silence.until > now}

    def over(self, incident: Incident) -> Silence | None:
        """Returns the silence this incident is under, the first by id, or None."""
        return next((self.active[key] for key in sorted(self.active) if matches(self.active[key], incident)), None)

    def dump(self) -> bytes:
        """Returns the silences in force as bytes."""
        return pack(self.active)

    def load(self, data: bytes) -> None:
        """Replaces them by those in a dump of the same version."""
        self.active = msgspec.msgpack.decode(data, type=dict[str, Silence])


def matches(silence: Silence, incident: Incident) -> bool:
    """Returns whether the silence covers the incident: one that names a caller never covers a group with others in it."""
    name = incident.model.rpartition("@")[0]
    return (
        silence.model in ("*", name, incident.model)
        and silence.kind in ("*", incident.kind)
        and (silence.caller == "*" or _is_only(silence.caller, incident))
    )


def _is_only(caller_id: str, incident: Incident) -> bool:
    callers = [member.caller for member in incident.top.values()]
    return len(incident.callers) == len(callers) > 0 and all(_answers_to(caller_id, caller) for caller in callers)


def _answers_to(wanted: str, caller: Caller) -> bool:
    """Returns whether a name given by an analyst is this caller's id, or the keyed hash that findings show in its place."""
    return wanted in (caller.id, f"hmac:{hex_of(caller)}")

"""Silences: findings that somebody has already understood. They keep flowing, marked, and propose nothing."""

from __future__ import annotations

from alerts.incident import Incident
from tocsin.control import Silence

MAX_SILENCES = 1_000


class Silences:
    """The silences in force.

    Attributes:
        active: id → silence.
    """

    def __init__(self, active: dict[str, Silence] | None = None) -> None:
        """Starts with those given, or none."""
        self.active: dict[str, Silence] = active or {}

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
    return len(incident.callers) == len(callers) > 0 and all(_answers_to(caller_id, c.id, c.hash) for c in callers)


def _answers_to(wanted: str, caller_id: str, hash64: int) -> bool:
    """Returns whether a name given by an analyst is this caller's id, or the keyed hash that findings show in its place."""
    return wanted in (caller_id, f"hmac:{hash64:016x}")

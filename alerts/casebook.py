"""Casebook: which incidents are open, which closed lately, and to which of them a signal belongs. Bounded."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

import msgspec

from alerts.incident import GROUP, NOBODY, Incident, hex_of
from alerts.severity import Severity, is_sound
from tocsin.codec import pack
from tocsin.ids import uid
from tocsin.signal import Signal

CROWD: Final = 20
"""So many callers may have incidents of their own for one model and kind that opened within `CROWD_MS`."""
CROWD_MS: Final = 600_000
MAX_OPEN: Final = 2_000
MAX_CLOSED: Final = 500

VERSION: Final = 2
"""Of the layout of a dump."""

Key = tuple[str, str, str]
"""(subject, kind, actor)."""


class _Dump(msgspec.Struct, array_like=True):
    open: list[Incident]
    closed: list[Incident]


class Casebook:
    """The incidents.

    Attributes:
        open: key → incident, in order of opening; at most `MAX_OPEN`.
        closed: uid → incident, the last `MAX_CLOSED`, so that an analyst's word still finds them.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self.open: dict[Key, Incident] = {}
        self.closed: dict[str, Incident] = {}

    def key_of(self, signal: Signal, now: int) -> Key:
        """Returns the key of the incident a signal belongs to, open or not.

        A caller with an incident of its own keeps it; another one joins the group when there is one or when the crowd of
        callers has grown too large for the people who read about them.
        """
        subject = signal.model or signal.watches
        if signal.caller is None:
            return subject, signal.kind, NOBODY
        own, group = (subject, signal.kind, hex_of(signal.caller)), (subject, signal.kind, GROUP)
        if own in self.open:
            return own
        return group if group in self.open or self._is_crowded(own, now) else own

    def _is_crowded(self, key: Key, now: int) -> bool:
        recent = (
            incident for other, incident in self.open.items() if other[:2] == key[:2] and incident.opened > now - CROWD_MS
        )
        return sum(1 for _ in recent) >= CROWD

    def begin(self, key: Key, signal: Signal, now: int) -> Incident:
        """Returns a new open incident, which has not yet taken the signal that opens it."""
        self.open[key] = Incident(
            uid=uid("incident", *key, signal.uid),
            subject=key[0],
            model=signal.model,
            kind=signal.kind,
            actor=key[2],
            opened=now,
            last=now,
            start=signal.onset_ts,
            end=signal.ts,
        )
        return self.open[key]

    def end(self, key: Key) -> Incident:
        """Returns the incident, closed."""
        incident = self.open.pop(key)
        self.closed[incident.uid] = incident
        if len(self.closed) > MAX_CLOSED:
            del self.closed[next(iter(self.closed))]
        return incident

    def surplus(self, keep: Container[Key]) -> Key | None:
        """Returns which incident must close before another may open: the least severe, of those the longest quiet.

        Args:
            keep: those that may not be chosen.
        """
        if len(self.open) < MAX_OPEN:
            return None
        idle = (key for key in self.open if key not in keep)
        return min(idle, key=lambda key: (self.open[key].severity, self.open[key].last, key), default=None)

    def names_callers(self, incident: Incident) -> bool:
        """Returns whether other open incidents, of callers and worth waking somebody, are of the same model and kind."""
        same = (case for key, case in self.open.items() if key[:2] == (incident.subject, incident.kind) and case.top)
        return any(case.severity >= Severity.MEDIUM and case.uid != incident.uid for case in same)

    def key_for(self, incident_uid: str) -> Key | None:
        """Returns the key of the open incident of that uid, or None."""
        return next((key for key, incident in self.open.items() if incident.uid == incident_uid), None)

    def dump(self) -> bytes:
        """Returns all incidents as bytes."""
        return pack(_Dump(list(self.open.values()), list(self.closed.values())))

    def load(self, data: bytes, version: int = VERSION) -> None:
        """Replaces all incidents by those in a dump of this version or of 1, which knew no action, date or pattern."""
        dump = msgspec.msgpack.decode(data, type=_Dump)
        if version == 1:
            for incident in (*dump.open, *dump.closed):
                incident.action = "throttle" if incident.proposal else ""
                incident.since = min((signal.ts for signal in incident.signals.values() if is_sound(signal)), default=0)
        for incident in (*dump.open, *dump.closed):
            if incident.proposal and not incident.answered and incident.action.startswith("throttle"):
                incident.answered = int(incident.severity)  # nobody is asked again after an upgrade
        self.open = {(incident.subject, incident.kind, incident.actor): incident for incident in dump.open}
        self.closed = {incident.uid: incident for incident in dump.closed}

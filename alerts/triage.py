"""Triage: signals in, findings and proposals out. One fold for the whole fleet, driven by ledger time alone.

1. One incident is open per (subject, kind, actor). A signal either makes a finding by itself — it opened the incident, raised
   its severity, or its silence began or ended — or it is suppressed and counted. So for every incident and at any moment:
   findings made by signals + suppressed signals = signals fired.
2. What was suppressed is reported by the next finding: at 1 min, 10 min, 1 h and 6 h after opening if anything new arrived,
   and when the incident closes, after its kind's quiet time or by an analyst's order.
3. More than `CROWD` callers who open incidents of one model and kind within `CROWD_MS` are one event for the people who read
   about it: the later ones join a single incident with a group of actors, so a flood cannot bury the SOC.
4. Everything is bounded: too many open incidents close the least severe and longest quiet one, and say so.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Final

import msgspec

from alerts.blindness import signal_of_fault, signal_of_loss
from alerts.finding import Activity, Finding, finding_of
from alerts.incident import GROUP, NOBODY, Incident
from alerts.proposal import propose, targets_of
from alerts.silences import Silences
from alerts.wording import because_after, because_quiet, what_happened
from tocsin.codec import pack
from tocsin.config import Privacy
from tocsin.control import CloseFinding, RemoveSilence, Silence, control_body
from tocsin.errors import RejectError
from tocsin.ids import uid
from tocsin.reading import Order
from tocsin.signal import Kind, Signal, Signals
from tocsin.state import Section, Sections

INCIDENTS, SILENCES, SEEN = "incidents", "silences", "seen"
VERSIONS: Final = {INCIDENTS: 1, SILENCES: 1, SEEN: 1}
"""Sections of the state and the version of each one's layout."""

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS

UPDATES_MS: Final = (MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS)
"""After opening: when an incident with news speaks again."""

QUIET_MS: Final[dict[Kind, int]] = {
    Kind.PROBING: 2 * HOUR_MS,
    Kind.DRIFT: 2 * HOUR_MS,
    Kind.FAULT: 30 * MINUTE_MS,
    Kind.BLIND: HOUR_MS,
}
"""Without a signal for so long, an incident is over. A caller that keeps its pace is signalled again only when its calls have
grown tenfold, so half an hour of silence would not mean that it has stopped."""

CROWD: Final = 20
CROWD_MS: Final = 10 * MINUTE_MS
MAX_OPEN: Final = 2_000
MAX_CLOSED: Final = 500
MAX_SEEN: Final = 4_096

Key = tuple[str, str, str]
"""(subject, kind, actor)."""


class _Incidents(msgspec.Struct, array_like=True):
    now: int
    open: list[Incident]
    closed: list[Incident]


class Triage:
    """All incidents of the fleet.

    Attributes:
        privacy: how callers are shown.
        now: ledger time, Unix milliseconds.
        open: (subject, kind, actor) → incident, in order of opening.
        closed: uid → incident, the last `MAX_CLOSED`, so that an analyst's word still finds them.
        silences: in force.
        seen: uids of the last orders, faults and losses: each counts once.
    """

    def __init__(self, privacy: Privacy) -> None:
        """Starts with nothing open."""
        self.privacy = privacy
        self.now = 0
        self.open: dict[Key, Incident] = {}
        self.closed: dict[str, Incident] = {}
        self.silences = Silences()
        self.seen: dict[str, None] = {}

    def apply(self, record: Signals) -> list[Finding]:
        """Returns the findings one record leads to, in order: what time did first, then orders, then signals."""
        signals = [*self._blindness(record), *record.signals]
        self._advance(record.clock.now_ms, signals)
        findings = list(self._pass_time())
        for order in record.orders:
            if self._is_new(order.uid):
                findings += self._obey(order)
        due: dict[Key, tuple[Activity, str]] = {}
        for signal in signals:
            findings += self._take(signal, due)
        return findings + [self._say(self.open[key], *reason) for key, reason in due.items()]

    def _blindness(self, record: Signals) -> list[Signal]:
        faults = [signal_of_fault(fault) for fault in record.faults if self._is_new(fault.uid)]
        return faults + [signal_of_loss(loss) for loss in record.losses if self._is_new(loss.uid)]

    def _is_new(self, event_uid: str) -> bool:
        if event_uid in self.seen:
            return False
        self.seen[event_uid] = None
        if len(self.seen) > MAX_SEEN:
            del self.seen[next(iter(self.seen))]
        return True

    def _advance(self, clock_ms: int, signals: Iterable[Signal]) -> None:
        """Moves ledger time on; before the first tick the signals' own times stand in for it."""
        self.now = max(self.now, clock_ms)
        if self.now == 0:
            self.now = max((signal.ts for signal in signals), default=0)

    def _pass_time(self) -> Iterator[Finding]:
        self.silences.expire(self.now)
        for key, incident in list(self.open.items()):
            quiet = QUIET_MS[incident.kind]
            if self.now - incident.last >= quiet:
                yield self._close(key, because_quiet(quiet))
                continue
            passed = sum(self.now - incident.opened >= after for after in UPDATES_MS)
            if passed > incident.milestones:
                incident.milestones = passed
                if incident.unsaid:
                    yield self._say(incident, "update", because_after(UPDATES_MS[passed - 1]))

    def _obey(self, order: Order) -> list[Finding]:
        """Returns what an order leads to; one that intake let through and we cannot read changes nothing."""
        try:
            body = control_body(order.kind, order.body)
        except RejectError:
            return []
        if isinstance(body, Silence):
            self.silences.add(body, self.now)
        elif isinstance(body, RemoveSilence):
            self.silences.remove(body.id)
        else:
            return self._judge(body)
        return []

    def _judge(self, order: CloseFinding) -> list[Finding]:
        because = f"closed as {order.verdict} by {order.author}" + (f": {order.reason}" if order.reason else "")
        for key, incident in list(self.open.items()):
            if incident.uid == order.finding_uid:
                incident.verdict = order.verdict
                return [self._close(key, because)]
        late = self.closed.get(order.finding_uid)
        if late is None or late.verdict == order.verdict:
            return []
        late.verdict = order.verdict
        return [self._say(late, "close", because)]

    def _take(self, signal: Signal, due: dict[Key, tuple[Activity, str]]) -> list[Finding]:
        """Adds one signal to its incident, and the incident to those that are `due` to speak when the signal is news.

        Returns:
            The finding of an incident that had to be closed to make room.
        """
        key = self._key(signal)
        made_room: list[Finding] = []
        if key not in self.open:
            made_room = self._make_room(due)
            self.open[key] = self._incident(key, signal)
        incident = self.open[key]
        news = self._add(incident, signal)
        if news and key not in due:
            due[key] = ("create" if incident.sequence == 0 else "update", news)
        else:
            incident.quiet += 1
            incident.unsaid += 1
        return made_room

    def _incident(self, key: Key, signal: Signal) -> Incident:
        return Incident(
            uid=uid("incident", *key, signal.uid),
            subject=key[0],
            model=signal.model,
            kind=signal.kind,
            actor=key[2],
            opened=self.now,
            last=self.now,
            start=signal.onset_ts,
            end=signal.ts,
        )

    def _add(self, incident: Incident, signal: Signal) -> str:
        """Returns why this signal is worth a finding by itself, or "" when it is more of the same."""
        severity, silence = incident.severity, incident.silence
        incident.take(signal, self.now)
        incident.silence = self._silence_over(incident)
        if incident.fired == 1:
            return "first seen"
        if incident.severity > severity:
            return f"severity rose from {severity.name.lower()}"
        if incident.silence != silence:
            return "silenced" if incident.silence else "its silence ended"
        return ""

    def _silence_over(self, incident: Incident) -> str:
        silence = self.silences.over(incident)
        return silence.id if silence else ""

    def _key(self, signal: Signal) -> Key:
        subject = signal.model or signal.watches
        if signal.caller is None:
            return subject, signal.kind, NOBODY
        key, group = (subject, signal.kind, f"{signal.caller.hash:016x}"), (subject, signal.kind, GROUP)
        return group if key not in self.open and (group in self.open or self._is_crowded(key)) else key

    def _is_crowded(self, key: Key) -> bool:
        since = self.now - CROWD_MS
        alike = (incident for (*rest, actor), incident in self.open.items() if rest == list(key[:2]) and actor != NOBODY)
        return sum(incident.opened > since for incident in alike) >= CROWD

    def _make_room(self, due: Container[Key]) -> list[Finding]:
        """Returns the finding of the least severe and longest quiet incident, closed because too many are open."""
        idle = [key for key in self.open if key not in due] if len(self.open) >= MAX_OPEN else []
        if not idle:
            return []
        least = min(idle, key=lambda key: (self.open[key].severity, self.open[key].last, key))
        return [self._close(least, f"closed to make room: more than {MAX_OPEN:,} incidents are open")]

    def _close(self, key: Key, because: str) -> Finding:
        incident = self.open.pop(key)
        self.closed[incident.uid] = incident
        if len(self.closed) > MAX_CLOSED:
            del self.closed[next(iter(self.closed))]
        return self._say(incident, "close", because)

    def _say(self, incident: Incident, activity: Activity, because: str) -> Finding:
        """Returns the next finding about an incident, with a proposal if the callers to contain have changed."""
        incident.sequence += 1
        incident.silence = self._silence_over(incident)
        silence = self.silences.active.get(incident.silence)
        finding = finding_of(incident, activity, because, self.now, silence, self.privacy)
        incident.unsaid = 0
        targets = targets_of(incident) if activity != "close" else ()
        if not targets or targets == incident.targets:
            return finding
        proposal = propose(incident, targets, self.now, what_happened(finding), self.privacy)
        incident.proposal, incident.targets = proposal.id, targets
        return msgspec.structs.replace(finding, proposal=proposal, proposal_id=proposal.id)

    def dump(self) -> Sections:
        """Returns the whole state, one section per concern: equal state is equal bytes."""
        incidents = _Incidents(self.now, list(self.open.values()), list(self.closed.values()))
        state = {INCIDENTS: incidents, SILENCES: self.silences.active, SEEN: list(self.seen)}
        return {name: Section(VERSIONS[name], pack(value)) for name, value in state.items()}

    def load(self, sections: Sections) -> list[str]:
        """Replaces the state; returns a line for every section that was dropped or starts cold."""
        fit = {name: section.data for name, section in sections.items() if VERSIONS.get(name) == section.version}
        decode = msgspec.msgpack.decode
        incidents = decode(fit[INCIDENTS], type=_Incidents) if INCIDENTS in fit else _Incidents(0, [], [])
        self.now = incidents.now
        self.open = {(incident.subject, incident.kind, incident.actor): incident for incident in incidents.open}
        self.closed = {incident.uid: incident for incident in incidents.closed}
        self.silences = Silences(decode(fit[SILENCES], type=dict[str, Silence]) if SILENCES in fit else {})
        self.seen = dict.fromkeys(decode(fit[SEEN], type=list[str]) if SEEN in fit else [])
        dropped = [
            f"{name}: v{VERSIONS.get(name, 'none')} expected, v{sections[name].version} found; dropped"
            for name in sections
            if name not in fit
        ]
        return dropped + [f"{name}: missing; it starts cold" for name in VERSIONS if name not in sections]

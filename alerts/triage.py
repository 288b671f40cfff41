"""Triage: signals in, findings and proposals out. One fold for the whole fleet, driven by ledger time alone.

1. One incident is open per (subject, kind, actor). A signal either makes a finding by itself — it opened the incident, raised
   its severity, showed what it looks like, or its silence began or ended — or it is suppressed and counted. So for every
   incident and at any moment:
   findings made by signals + suppressed signals = signals fired.
2. What was suppressed is reported by the next finding: at 1 min, 10 min, 1 h and 6 h after opening if anything new arrived,
   and when the incident closes, after its kind's quiet time or by an analyst's order.
3. Many callers who open incidents of one model and kind at once are one event for the people who read about it: the later
   ones join a single incident with a group of actors, so a flood cannot bury the SOC (`casebook.py`).
4. Everything is bounded: too many open incidents close the least severe and longest quiet one, and say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from alerts import casebook
from alerts.blindness import signal_of_fault, signal_of_loss
from alerts.casebook import MAX_OPEN, Casebook, Key
from alerts.deadlines import NEVER_MS, UPDATES_MS, goes_on, next_deadline, quiet_ms
from alerts.finding import Activity, Finding, finding_of
from alerts.incident import NOBODY, Incident
from alerts.pattern import Pattern
from alerts.proposal import propose, response_to
from alerts.roles import ESCALATIONS
from alerts.silences import Silences
from alerts.story import what_happened
from alerts.wording import (
    because_acknowledged_by,
    because_after,
    because_closed_by,
    because_crowded_out,
    because_escalated,
    because_looks_like,
    because_quiet,
)
from tocsin.codec import pack
from tocsin.config import Privacy
from tocsin.control import Acknowledge, CloseFinding, Promote, RemoveSilence, SetModel, Silence, control_body
from tocsin.errors import RejectError
from tocsin.inventory import Model, entry_of
from tocsin.reading import Order
from tocsin.signal import Signal, Signals
from tocsin.state import Section, Sections

INCIDENTS, SILENCES, HEARD, INVENTORY = "incidents", "silences", "heard", "inventory"
VERSIONS: Final = {INCIDENTS: casebook.VERSION, SILENCES: 1, HEARD: 1, INVENTORY: 1}
"""Sections of the state and the version of each one's layout."""
READABLE: Final = {INCIDENTS: (1, casebook.VERSION), SILENCES: (1,), HEARD: (1,), INVENTORY: (1,)}
"""Versions that can be loaded."""

MAX_HEARD: Final = 4_096


class Triage:
    """All incidents of the fleet.

    Attributes:
        privacy: how callers are shown.
        now: ledger time, Unix milliseconds.
        cases: the incidents.
        silences: in force.
        models: what control orders said of models, instead of the configuration.
        heard: uids of the last orders, faults and losses: each counts once.
    """

    def __init__(self, privacy: Privacy, models: Iterable[Model] = ()) -> None:
        """Starts with nothing open, and the inventory of the configuration."""
        self.privacy = privacy
        self._configured = {model.name: model for model in models}
        self.models: dict[str, Model] = {}
        self.now = 0
        self.cases = Casebook()
        self.silences = Silences()
        self.heard: dict[str, None] = {}
        # A lower bound of when time alone next changes anything: derived, so it is no part of the state.
        self._wake = 0

    def apply(self, record: Signals) -> list[Finding]:
        """Returns the findings one record leads to, in order: what time did first, then orders, then signals."""
        signals = [*self._blindness(record), *record.signals]
        self._advance(record.clock.now_ms, signals)
        findings = list(self._pass_time()) if self.now >= self._wake else []
        for order in record.orders:
            if self._is_news(order.uid):
                findings += self._obey(order)
        due: dict[Key, tuple[Activity, str]] = {}
        for signal in signals:
            findings += self._take(signal, due)
        return findings + [self._say(self.cases.open[key], *reason) for key, reason in due.items()]

    def _blindness(self, record: Signals) -> list[Signal]:
        faults = [signal_of_fault(fault) for fault in record.faults if self._is_news(fault.uid)]
        return faults + [signal_of_loss(loss) for loss in record.losses if self._is_news(loss.uid)]

    def _is_news(self, event_uid: str) -> bool:
        if event_uid in self.heard:
            return False
        self.heard[event_uid] = None
        if len(self.heard) > MAX_HEARD:
            del self.heard[next(iter(self.heard))]
        return True

    def _advance(self, clock_ms: int, signals: Iterable[Signal]) -> None:
        """Moves ledger time on; before the first tick the signals' own times stand in for it."""
        self.now = max(self.now, clock_ms)
        if self.now == 0:
            self.now = max((signal.ts for signal in signals), default=0)

    def _pass_time(self) -> Iterator[Finding]:
        """Yields what is said because time went by, and sets when that may next be the case."""
        self.silences.expire(self.now)
        self._wake = min((silence.until for silence in self.silences.active.values()), default=NEVER_MS)
        for key, incident in list(self.cases.open.items()):
            over = incident.last + quiet_ms(incident)
            if self.now >= over:
                yield self._close(key, because_quiet(quiet_ms(incident)))
                continue
            yield from self._escalate(incident)
            passed = sum(self.now - incident.opened >= after for after in UPDATES_MS)
            if passed > incident.milestones:
                incident.milestones = passed
                if incident.unsaid:
                    yield self._say(incident, "update", because_after(UPDATES_MS[passed - 1]))
            self._wake = min(self._wake, next_deadline(incident))

    def _escalate(self, incident: Incident) -> Iterator[Finding]:
        """Yields that nobody has taken a severe incident on, once per step that is due."""
        due = sum(self.now - incident.opened >= after for after, _ in ESCALATIONS)
        if due > incident.escalated and goes_on(incident):
            incident.escalated = due
            yield self._say(incident, "update", because_escalated(*ESCALATIONS[due - 1]))

    def _obey(self, order: Order) -> list[Finding]:
        """Returns what an order leads to; one that intake let through and we cannot read changes nothing."""
        try:
            body = control_body(order.kind, order.body)
        except RejectError:
            return []
        if isinstance(body, Silence):
            self.silences.add(body, self.now)
            self._wake = min(self._wake, body.until)
        elif isinstance(body, RemoveSilence):
            self.silences.remove(body.id)
        elif isinstance(body, SetModel):
            self.models[body.model.name] = body.model
        elif isinstance(body, Acknowledge):
            return self._acknowledge(body)
        elif isinstance(body, Promote):
            pass  # Sense and judge obey it; an incident goes on as the signals under the new baseline say.
        else:
            return self._judge(body)
        return []

    def _acknowledge(self, order: Acknowledge) -> list[Finding]:
        """Returns the finding that says who has taken an open incident on; the first one counts."""
        key = self.cases.key_for(order.finding_uid)
        if key is None or self.cases.open[key].acknowledged:
            return []
        self.cases.open[key].acknowledged = order.author
        return [self._say(self.cases.open[key], "update", because_acknowledged_by(order))]

    def _judge(self, order: CloseFinding) -> list[Finding]:
        """Returns the finding that closes an incident by an analyst's word, or adds that word to a closed one."""
        because = because_closed_by(order)
        key = self.cases.key_for(order.finding_uid)
        if key is not None:
            self.cases.open[key].verdict = order.verdict
            return [self._close(key, because)]
        late = self.cases.closed.get(order.finding_uid)
        if late is None or late.verdict == order.verdict:
            return []
        late.verdict = order.verdict
        return [self._say(late, "close", because)]

    def _take(self, signal: Signal, due: dict[Key, tuple[Activity, str]]) -> list[Finding]:
        """Adds one signal to its incident, and the incident to those that are `due` to speak when the signal is news.

        Returns:
            The finding of an incident that had to be closed to make room.
        """
        made_room: list[Finding] = []
        key = self.cases.key_of(signal, self.now)
        if key not in self.cases.open:
            surplus = self.cases.surplus(keep=due)
            if surplus is not None:
                made_room.append(self._close(surplus, because_crowded_out(MAX_OPEN)))
            self.cases.begin(key, signal, self.now)
        incident = self.cases.open[key]
        news = self._add(incident, signal)
        self._wake = min(self._wake, next_deadline(incident))
        if news and key not in due:
            due[key] = ("create" if incident.sequence == 0 else "update", news)
        else:
            incident.quiet += 1
            incident.unsaid += 1
        return made_room

    def _add(self, incident: Incident, signal: Signal) -> str:
        """Returns why this signal is worth a finding by itself, or "" when it is more of the same."""
        severity, silence = incident.severity, incident.silence
        incident.take(signal, self.now)
        incident.silence = self._silence_over(incident)
        pattern = self._new_pattern(incident)
        if incident.fired == 1:
            return "first seen"
        if incident.severity > severity:
            return f"severity rose from {severity.name.lower()}"
        if pattern is not Pattern.PLAIN:
            return because_looks_like(pattern)
        if incident.silence != silence:
            return "silenced" if incident.silence else "its silence ended"
        return ""

    def _new_pattern(self, incident: Incident) -> Pattern:
        """Returns what the incident looks like for the first time, `PLAIN` when that is nothing or was said before."""
        pattern = incident.pattern()
        if pattern is Pattern.PLAIN or pattern in incident.patterns:
            return Pattern.PLAIN
        incident.patterns += (pattern,)
        return pattern

    def _silence_over(self, incident: Incident) -> str:
        silence = self.silences.over(incident)
        return silence.id if silence else ""

    def _close(self, key: Key, because: str) -> Finding:
        return self._say(self.cases.end(key), "close", because)

    def _say(self, incident: Incident, activity: Activity, because: str) -> Finding:
        """Returns the next finding about an incident, with a proposal if whom to contain, or how much, has changed."""
        incident.sequence += 1
        incident.silence = self._silence_over(incident)
        silence = self.silences.active.get(incident.silence)
        model = entry_of(incident.model, self.models, self._configured)
        finding = finding_of(incident, activity, because, self.now, silence, self.privacy, model)
        incident.unsaid = 0
        known = incident.actor == NOBODY and self.cases.names_callers(incident)
        response = response_to(incident, callers_are_known=known) if activity != "close" else None
        if response is None or response == (incident.action, incident.targets, incident.answered):
            return finding
        proposal = propose(incident, response, self.now, what_happened(finding), self.privacy)
        incident.proposal, incident.expires = proposal.id, proposal.expires
        incident.action, incident.targets, incident.answered = response
        return msgspec.structs.replace(finding, proposal=proposal, proposal_id=proposal.id, proposal_expires=proposal.expires)

    def dump(self) -> Sections:
        """Returns the whole state, one section per concern: equal state is equal bytes."""
        heard, inventory = pack((self.now, list(self.heard))), pack(self.models)
        data = {INCIDENTS: self.cases.dump(), SILENCES: self.silences.dump(), HEARD: heard, INVENTORY: inventory}
        return {name: Section(VERSIONS[name], data[name]) for name in VERSIONS}

    def load(self, sections: Sections) -> list[str]:
        """Replaces the state; returns a line for every section that is dropped or starts cold."""
        self.now, self.cases, self.silences, self.heard, self._wake = 0, Casebook(), Silences(), {}, 0
        self.models = {}
        fit = {name: section.data for name, section in sections.items() if section.version in READABLE.get(name, ())}
        if INCIDENTS in fit:
            self.cases.load(fit[INCIDENTS], sections[INCIDENTS].version)
        if SILENCES in fit:
            self.silences.load(fit[SILENCES])
        if HEARD in fit:
            self.now, heard = msgspec.msgpack.decode(fit[HEARD], type=tuple[int, list[str]])
            self.heard = dict.fromkeys(heard)
        if INVENTORY in fit:
            self.models = msgspec.msgpack.decode(fit[INVENTORY], type=dict[str, Model])
        dropped = sorted(sections.keys() - fit.keys())
        return [f"{name}: v{sections[name].version} is not of this version; it is dropped" for name in dropped] + [
            f"{name}: missing; it starts cold" for name in VERSIONS if name not in sections
        ]

"""Incident: what belongs together. One is open per (subject, kind, actors), and it counts everything it swallows."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from alerts.pattern import Pattern, explains, fired, pattern_of
from alerts.severity import Severity, is_sound, severity_of, severity_together, strength
from tocsin.event import Caller
from tocsin.signal import Kind, Signal

GROUP = "*"
"""The actor of an incident that many callers share."""
NOBODY = ""
"""The actor of an incident that is about the model or about ourselves."""

MAX_TOP = 50
"""Callers kept by name in a group; the others are counted."""
MAX_COUNTED = 10_000
"""Callers a group can tell apart; beyond that the number shown is a lower bound."""
MAX_SIGNALS = 8
"""Detectors and quantities kept per incident, the latest signal of each; every detector keeps at least one."""
MAX_EXAMPLES = 5


def hex_of(caller: Caller) -> str:
    """Returns the caller's keyed hash as 16 hex digits."""
    return f"{caller.hash:016x}"


class Member(msgspec.Struct, array_like=True):
    """One caller's part in an incident.

    Attributes:
        caller: who.
        count: events by the caller since onset, the most that any signal said.
        share: of the model's traffic, in [0, 1], or None.
    """

    caller: Caller
    count: int
    share: float | None


class Incident(msgspec.Struct, array_like=True):
    """One open or recently closed incident. Mutable: it is triage's state.

    Attributes:
        uid: derived from its subject, kind, actor and the signal that opened it.
        subject: the model, or the topic or detector when no model is concerned.
        model: `namespace/name@version`, "" when none is concerned.
        kind: what happened.
        actor: a caller's hash in hex, `GROUP` or `NOBODY`.
        opened: ledger time, Unix milliseconds.
        last: ledger time of its latest signal; once there is a sound one, of the latest sound one.
        start: onset by the first signal, or by the first sound one as soon as there is one, event time: those that fire
            later estimate it worse.
        end: latest signal, event time.
        severity: it only rises.
        fired: signals that belong to it.
        quiet: of those, how many made no finding by themselves, over its life.
        unsaid: of those, how many no finding has reported yet.
        sequence: findings emitted about it.
        milestones: how many of the update times have passed.
        signals: `detector/quantity`, and which signal fired where a detector has several → the latest signal; of
            many callers the most severe, and of those the latest.
        top: caller hash in hex → its part; at most `MAX_TOP`.
        callers: hashes of all its callers; at most `MAX_COUNTED`.
        examples: rows to look at.
        silence: id of the silence it is under, or "".
        proposal: id of the latest proposal, or "".
        expires: until when that proposal stands, ledger time, Unix milliseconds.
        targets: the callers that proposal names, as hashes in hex, ascending; none when it is about the whole model.
        verdict: an analyst's last word, or "".
        since: when its first sound signal crossed, event time; 0 before.
        action: what that proposal proposes, or "".
        patterns: what it was ever said to look like.
        acknowledged: who has taken it on, "" for nobody.
        escalated: how many steps of `alerts.roles.ESCALATIONS` it has gone.
        answered: its severity when that proposal was made, where how hard to throttle follows it; 0 elsewhere.
    """

    uid: str
    subject: str
    model: str
    kind: Kind
    actor: str
    opened: int
    last: int
    start: int
    end: int
    severity: Severity = Severity.INFORMATIONAL
    fired: int = 0
    quiet: int = 0
    unsaid: int = 0
    sequence: int = 0
    milestones: int = 0
    signals: dict[str, Signal] = {}
    top: dict[str, Member] = {}
    callers: set[int] = set()
    examples: tuple[str, ...] = ()
    silence: str = ""
    proposal: str = ""
    expires: int = 0
    targets: tuple[str, ...] = ()
    verdict: str = ""
    since: int = 0
    action: str = ""
    patterns: tuple[Pattern, ...] = ()
    acknowledged: str = ""
    escalated: int = 0
    answered: int = 0

    def take(self, signal: Signal, now: int) -> None:
        """Adds one signal: counts, time span, callers, severity."""
        self.fired += 1
        self._date(signal, now)
        self._keep(signal)
        if signal.caller is not None:
            self._count(signal.caller, signal)
        self._remember(signal)
        self.severity = max(self.severity, self._severity())

    def _date(self, signal: Signal, now: int) -> None:
        """Notes when; what is not sound dates nothing and keeps nothing open once something sound is there."""
        sound = is_sound(signal)
        self.end = max(self.end, signal.ts)
        if sound or not self.since:
            self.last = now
        if sound and not self.since:
            self.since, self.start = signal.ts, signal.onset_ts

    def _keep(self, signal: Signal) -> None:
        """Keeps the signal in its slot; when there are too many, the weakest of a detector with several makes room.

        Of many callers' signals the most severe is kept, not the latest: in a crowd nobody may hide behind those who follow.
        """
        slot = "/".join(filter(None, (signal.detector, signal.watches, fired(signal))))
        known = self.signals.get(slot)
        if self.actor != GROUP or known is None or severity_of(signal) >= severity_of(known):
            self.signals[slot] = signal
        if len(self.signals) <= MAX_SIGNALS:
            return
        names = [one.detector for one in self.signals.values()]
        several = {slot: one for slot, one in self.signals.items() if names.count(one.detector) > 1} or self.signals
        del self.signals[min(several, key=lambda slot: (severity_of(several[slot]), strength(several[slot]), slot))]

    def _severity(self) -> Severity:
        return severity_together(self.signals.values(), is_crowd=self.actor == GROUP, since=self.since)

    def _count(self, caller: Caller, signal: Signal) -> None:
        if len(self.callers) < MAX_COUNTED:
            self.callers.add(caller.hash)
        key = hex_of(caller)
        known = self.top.get(key)
        if known is not None:
            known.count, known.share = max(known.count, signal.count), signal.share
            return
        if len(self.top) == MAX_TOP:
            least = min(self.top, key=lambda name: (self.top[name].count, name))
            if self.top[least].count >= signal.count:
                return
            del self.top[least]
        self.top[key] = Member(caller, signal.count, signal.share)

    def _remember(self, signal: Signal) -> None:
        seen = dict.fromkeys((*self.examples, str(signal.at), *(str(example) for example in signal.examples)))
        self.examples = tuple(seen)[:MAX_EXAMPLES]

    def members(self) -> list[Member]:
        """Returns its callers known by name, most events first."""
        return sorted(self.top.values(), key=lambda member: (-member.count, hex_of(member.caller)))

    def lead(self) -> Signal:
        """Returns the signal that says most: the most severe, of those the one that explains most, then the latest."""
        return max(self.signals.values(), key=lambda signal: (severity_of(signal), explains(signal), signal.ts, signal.uid))

    def pattern(self) -> Pattern:
        """Returns what it looks like now."""
        return pattern_of(self.lead())

    def has_sound_support(self) -> bool:
        """Returns whether any detector supports it on whose word something may be proposed."""
        return any(is_sound(signal) for signal in self.signals.values())

    def analytics(self) -> Iterator[Signal]:
        """Yields the latest signal of each detector and quantity, the leading one first."""
        lead = self.lead()
        yield lead
        yield from (signal for _, signal in sorted(self.signals.items()) if signal.uid != lead.uid)

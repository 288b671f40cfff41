"""Incident: what belongs together. One is open per (subject, kind, actors), and it counts everything it swallows."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from alerts.severity import Severity, severity_of, severity_together
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
"""Detectors and quantities kept per incident, the latest signal of each."""
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
        last: ledger time of its latest signal.
        start: earliest onset, event time.
        end: latest signal, event time.
        severity: it only rises.
        fired: signals that belong to it.
        quiet: of those, how many made no finding by themselves, over its life.
        unsaid: of those, how many no finding has reported yet.
        sequence: findings emitted about it.
        milestones: how many of the update times have passed.
        signals: `detector/quantity` → the latest signal.
        top: caller hash in hex → its part; at most `MAX_TOP`.
        callers: hashes of all its callers; at most `MAX_COUNTED`.
        examples: rows to look at.
        silence: id of the silence it is under, or "".
        proposal: id of the latest proposal, or "".
        expires: until when that proposal stands, ledger time, Unix milliseconds.
        targets: the callers that proposal names, as hashes in hex, ascending.
        verdict: an analyst's last word, or "".
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

    def take(self, signal: Signal, now: int) -> None:
        """Adds one signal: counts, time span, callers, severity."""
        self.fired += 1
        self.last = now
        self.start = min(self.start, signal.onset_ts)
        self.end = max(self.end, signal.ts)
        slot = f"{signal.detector}/{signal.watches}"
        if slot in self.signals or len(self.signals) < MAX_SIGNALS:
            self.signals[slot] = signal
        if signal.caller is not None:
            self._count(signal.caller, signal)
        self._remember(signal)
        self.severity = max(self.severity, severity_together(self.signals.values(), is_crowd=self.actor == GROUP))

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
        """Returns the signal that says most: the most severe, then the latest."""
        return max(self.signals.values(), key=lambda signal: (severity_of(signal), signal.ts, signal.uid))

    def is_only_moving(self) -> bool:
        """Returns whether nothing but detectors whose reference moves support it."""
        return all(signal.reference == "moving" for signal in self.signals.values())

    def analytics(self) -> Iterator[Signal]:
        """Yields the latest signal of each detector and quantity, the leading one first."""
        lead = self.lead()
        yield lead
        yield from (signal for _, signal in sorted(self.signals.items()) if signal.uid != lead.uid)

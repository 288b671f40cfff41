"""Finding: one thing said about one incident, complete; every format is a rendering of this value.

The uid is derived from the incident and the finding's number in it, and everything else from triage's state at that point
of the ledger: a repeated finding has the same uid and the same bytes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from alerts.incident import GROUP, MAX_EXAMPLES, Incident, hex_of
from alerts.pattern import Pattern
from alerts.playbook import play_for
from alerts.privacy import address, show
from alerts.proposal import Proposal
from alerts.roles import Owners, owners_of
from alerts.severity import Severity
from tocsin.config import Privacy
from tocsin.control import Silence
from tocsin.ids import uid
from tocsin.inventory import Model
from tocsin.signal import Kind, Signal

Activity = Literal["create", "update", "close"]
Status = Literal["new", "in progress", "suppressed", "resolved"]

MAX_ACTORS = 10
"""Callers a finding names; it says how many more there are."""


class Actor(msgspec.Struct, frozen=True):
    """One caller as a finding shows it.

    Attributes:
        name: its id, or `hmac:` and the keyed hash.
        id_kind: which identity that is.
        address: the caller's IP address, "" when it is hidden or is none.
        hash: the keyed hash in hex.
        count: events since onset.
        share: of the model's traffic since onset, in [0, 1]; None when unknown.
    """

    name: str
    id_kind: str
    address: str
    hash: str
    count: int
    share: float | None


class Finding(msgspec.Struct, frozen=True):
    """Everything a format needs.

    Attributes:
        uid: of this record: equal uid, equal bytes.
        incident: uid of the incident, the same in all its findings.
        sequence: this finding's number in its incident, from 1.
        activity: opened, changed or closed.
        because: why it is said now, for people: `first seen`, `severity rose`, `10 min after opening`, `quiet for 30 min`, …
        status: where the incident stands.
        severity: of the incident; it never falls.
        kind: what happened.
        subject: the model, or the topic or detector when no model is concerned.
        model: `namespace/name@version`, or "".
        actors: the callers with most events, at most `MAX_ACTORS`.
        actors_total: distinct callers, exact up to `alerts.incident.MAX_COUNTED`.
        is_group: whether many callers were merged into one incident.
        signals: the latest of each detector and quantity, the leading one first, at least one.
        time: ledger time of this finding, Unix milliseconds.
        opened: ledger time of the first one.
        start: onset by the first signal that counts, event time.
        end: latest signal, event time.
        fired: signals so far.
        suppressed: signals since the previous finding that made none by themselves.
        suppressed_total: the same since opening.
        examples: coordinates of rows to look at, the one that made the leading signal cross first.
        silence: the silence it is under, or None.
        verdict: an analyst's last word, or "".
        proposal: what is proposed now, or None.
        proposal_id: the latest proposal, this one or an earlier one, or "".
        proposal_expires: until when that stands, ledger time.
        advice: what a person should do.
        pattern: what it looks like.
        owners: who answers for it.
        acknowledged: who has taken it on, "" for nobody.
    """

    uid: str
    incident: str
    sequence: int
    activity: Activity
    because: str
    status: Status
    severity: Severity
    kind: Kind
    subject: str
    model: str
    actors: tuple[Actor, ...]
    actors_total: int
    is_group: bool
    signals: tuple[Signal, ...]
    time: int
    opened: int
    start: int
    end: int
    fired: int
    suppressed: int
    suppressed_total: int
    examples: tuple[str, ...]
    silence: Silence | None
    verdict: str
    proposal: Proposal | None
    proposal_id: str
    proposal_expires: int
    advice: str
    pattern: Pattern
    owners: Owners
    acknowledged: str = ""

    @property
    def lead(self) -> Signal:
        """Returns the signal that says most."""
        return self.signals[0]


def finding_of(
    incident: Incident,
    activity: Activity,
    because: str,
    now: int,
    silence: Silence | None,
    privacy: Privacy,
    model: Model | None = None,
) -> Finding:
    """Returns what is to be said about an incident now, without a proposal; `incident.sequence` is this finding's number.

    Args:
        incident: which.
        activity: opened, changed or closed.
        because: why it is said now.
        now: ledger time, Unix milliseconds.
        silence: it is under, or None.
        privacy: how callers are shown.
        model: what the inventory says of its model, None when it is not listed.
    """
    members, pattern = incident.members()[:MAX_ACTORS], incident.pattern()
    return Finding(
        uid=uid("finding", incident.uid, incident.sequence),
        incident=incident.uid,
        sequence=incident.sequence,
        activity=activity,
        because=because,
        status=_status(activity, silence),
        severity=incident.severity,
        kind=incident.kind,
        subject=incident.subject,
        model=incident.model,
        actors=tuple(
            Actor(
                show(m.caller, privacy),
                m.caller.id_kind,
                address(m.caller, privacy),
                hex_of(m.caller),
                m.count,
                m.share,
            )
            for m in members
        ),
        actors_total=len(incident.callers),
        is_group=incident.actor == GROUP,
        signals=tuple(incident.analytics()),
        time=now,
        opened=incident.opened,
        start=incident.start,
        end=incident.end,
        fired=incident.fired,
        suppressed=incident.unsaid,
        suppressed_total=incident.quiet,
        examples=_examples(incident),
        silence=silence,
        verdict=incident.verdict,
        proposal=None,
        proposal_id=incident.proposal,
        proposal_expires=incident.expires,
        advice=play_for(incident.kind, pattern, incident.severity).advice,
        pattern=pattern,
        owners=owners_of(incident.kind, pattern, model),
        acknowledged=incident.acknowledged,
    )


def _examples(incident: Incident) -> tuple[str, ...]:
    return tuple(dict.fromkeys((str(incident.lead().at), *incident.examples)))[:MAX_EXAMPLES]


def _status(activity: Activity, silence: Silence | None) -> Status:
    if activity == "close":
        return "resolved"
    if silence is not None:
        return "suppressed"
    return "new" if activity == "create" else "in progress"

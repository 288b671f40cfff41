"""Proposal: containment that the playbook suggests. Unsigned, never executed here: detection does not command (DESIGN §7)."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from alerts.incident import Incident, hex_of
from alerts.ladder import Measure
from alerts.playbook import play_for
from alerts.privacy import show
from tocsin.config import Privacy
from tocsin.ids import uid

NAMELESS = "unknown"
"""The id kind of callers that a producer did not name: all of them together are one id, which nobody may throttle."""


class Target(msgspec.Struct, frozen=True):
    """Whom it is about.

    Attributes:
        caller: as `[privacy]` shows it.
        id_kind: which identity that is.
        hash: the keyed hash in hex, by which command finds the caller again.
    """

    caller: str
    id_kind: str
    hash: str


class Proposal(msgspec.Struct, frozen=True):
    """One suggestion; JSON on the proposals topic.

    Attributes:
        id: derived from incident, finding, action and callers.
        model: `namespace/name@version`.
        finding_uid: the incident it answers.
        action: what to do.
        targets: to whom; nobody when it is about the whole model.
        ttl_s: for how long, seconds; always given.
        reason: the finding's first sentence.
        created: ledger time, Unix milliseconds.
        expires: ledger time after which it must not be carried out, Unix milliseconds.
        supersedes: id of the proposal it replaces, or "".
        state: always `unsigned` here.
        severity_id: of the incident, OCSF: 3 medium, 4 high, 5 critical.
        share: of the model's traffic that the targets send, in [0, 1]; 1 when it is about the whole model.
    """

    id: str
    model: str
    finding_uid: str
    action: Measure
    targets: tuple[Target, ...]
    ttl_s: int
    reason: str
    created: int
    expires: int
    supersedes: str = ""
    state: str = "unsigned"
    severity_id: int = 3
    share: float = 1.0


class Response(NamedTuple):
    """What the playbook wants done about an incident.

    Attributes:
        action: what.
        targets: to which callers, as hashes in hex, ascending; none when it is about the whole model.
        severity_id: how hard, where that follows the suspicion; 0 elsewhere.
    """

    action: Measure
    targets: tuple[str, ...]
    severity_id: int = 0


def response_to(incident: Incident, *, callers_are_known: bool = False) -> Response | None:
    """Returns what to propose, or None for nothing.

    Nothing is proposed under a silence, after an analyst's verdict, unless a sound detector supports it, or against callers
    without a name.

    Args:
        incident: what to answer.
        callers_are_known: whether other incidents name callers who do the same to the same model: then it is for them to be
            contained, and no reason to slow everybody down.
    """
    play = play_for(incident.kind, incident.pattern(), incident.severity)
    if play.action == "annotate" or incident.silence or incident.verdict or not incident.has_sound_support():
        return None
    if play.action == "newcomer_quota":
        return Response(play.action, ())
    if play.action == "throttle_model":
        return None if callers_are_known else Response(play.action, (), int(incident.severity))
    targets = tuple(sorted(name for name, member in incident.top.items() if member.caller.id_kind != NAMELESS))
    return Response(play.action, targets, int(incident.severity)) if targets else None


def propose(incident: Incident, response: Response, now: int, reason: str, privacy: Privacy) -> Proposal:
    """Returns the proposal for an incident.

    Args:
        incident: what it answers; its `proposal` is the one replaced.
        response: from `response_to`.
        now: ledger time, Unix milliseconds.
        reason: one sentence.
        privacy: how callers are shown.
    """
    play = play_for(incident.kind, incident.pattern(), incident.severity)
    members = [incident.top[name] for name in response.targets]
    return Proposal(
        id=uid("proposal", incident.uid, incident.sequence, response.action, *response.targets),
        model=incident.model,
        finding_uid=incident.uid,
        action=response.action,
        targets=tuple(Target(show(m.caller, privacy), m.caller.id_kind, hex_of(m.caller)) for m in members),
        ttl_s=play.ttl_s,
        reason=reason,
        created=now,
        expires=now + play.ttl_s * 1_000,
        supersedes=incident.proposal,
        severity_id=int(incident.severity),
        share=round(min(sum(member.share or 0.0 for member in members), 1.0), 6) if members else 1.0,
    )

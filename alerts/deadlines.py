"""Deadlines: when time alone makes an incident speak again, go on to others, or end."""

from __future__ import annotations

from typing import Final

from alerts.incident import Incident
from alerts.roles import ESCALATIONS
from alerts.severity import Severity
from tocsin.signal import Kind

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS

UPDATES_MS: Final = (MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS)
"""After opening: when an incident with news speaks again."""

NEVER_MS: Final = 1 << 62

QUIET_MS: Final[dict[Kind, int]] = {
    Kind.PROBING: 30 * MINUTE_MS,
    Kind.DRIFT: 2 * HOUR_MS,
    Kind.FAULT: 30 * MINUTE_MS,
    Kind.BLIND: HOUR_MS,
}
"""Without a signal for so long, an incident is over. A caller that keeps its pace is signalled again every ten minutes."""
QUIET_OF_NOBODY_MS: Final = 2 * HOUR_MS
"""The same where no caller is known: evidence about a model as a whole needs longer to gather again."""


def next_deadline(incident: Incident) -> int:
    """Returns the ledger time at which time alone next changes something about an open incident, Unix milliseconds."""
    updates = UPDATES_MS[incident.milestones : incident.milestones + 1]
    escalation = [after for after, _ in ESCALATIONS[incident.escalated :][:1] if goes_on(incident)]
    return min(incident.last + quiet_ms(incident), *(incident.opened + after for after in (*updates, *escalation)), NEVER_MS)


def goes_on(incident: Incident) -> bool:
    """Returns whether an incident is severe, and nobody has taken it on, judged or silenced it: then it is escalated."""
    return incident.severity >= Severity.HIGH and not (incident.acknowledged or incident.verdict or incident.silence)


def quiet_ms(incident: Incident) -> int:
    """Returns how long nothing must be heard of an incident before it is over, milliseconds.

    Whoever asks so seldom that the evidence took hours to gather is not gone after half an hour: at least twice the time that
    it took to the first sound signal must pass, a day at most.
    """
    if incident.kind is not Kind.PROBING:
        return QUIET_MS[incident.kind]
    least = QUIET_MS[Kind.PROBING] if incident.callers else QUIET_OF_NOBODY_MS
    gathered = incident.since - incident.start if incident.since else 0
    return min(max(least, 2 * gathered), 24 * HOUR_MS)

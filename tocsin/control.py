"""Control: what an operator may tell the folds. Each order is JSON on `tocsin.control.v1`, `{"kind": …, "body": {…}}`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from tocsin.errors import RejectError
from tocsin.inventory import Model
from tocsin.reading import Ladder


class Silence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Findings that match keep flowing with status Suppressed, and propose nothing.

    Attributes:
        id: chosen by the operator or derived from the rest.
        model: `namespace/name`, or `*`.
        kind: a `tocsin.signal.Kind`, or `*`.
        caller: the caller's id as received, or `*`.
        until: Unix milliseconds; it ends by itself.
        reason: why, for the next shift.
        author: who.
    """

    id: str
    until: int
    reason: str
    author: str
    model: str = "*"
    kind: str = "*"
    caller: str = "*"


class RemoveSilence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ends a silence early."""

    id: str
    author: str


class CloseFinding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An analyst's last word on an incident; also feedback for thresholds.

    Attributes:
        finding_uid: OCSF `finding_info.uid`.
        verdict: what it turned out to be.
        author: who says so.
        reason: free text.
    """

    finding_uid: str
    verdict: Literal["false-positive", "expected", "true-positive"]
    author: str
    reason: str = ""


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody has taken an incident on: it is no longer escalated.

    Attributes:
        finding_uid: OCSF `finding_info.uid`.
        author: who.
    """

    finding_uid: str
    author: str


class Promote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Puts a baseline in force for one model version, from this place of the ledger on.

    Attributes:
        model: `namespace/name@version`.
        baseline: content hash, hex; the baseline itself is already in `tocsin.baselines.v1`. "" takes the present one away.
        ladder: `provisional` (findings inform), `armed`, or `learning` (with no baseline).
        author: who; `curator` when policy did it.
        reason: why.
    """

    model: str
    baseline: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]
    ladder: Ladder
    author: str
    reason: str = ""


class SetModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the inventory says of one model from now on, instead of what it said before.

    Attributes:
        model: the whole entry.
        author: who says so.
        reason: why.
    """

    model: Model
    author: str
    reason: str = ""


ControlBody = Silence | RemoveSilence | CloseFinding | Acknowledge | Promote | SetModel

CONTROLS: Final[dict[str, type[ControlBody]]] = {
    "silence": Silence,
    "remove_silence": RemoveSilence,
    "close": CloseFinding,
    "acknowledge": Acknowledge,
    "promote": Promote,
    "inventory": SetModel,
}
"""Every order there is: kind → its body."""


def control_body(kind: str, body: bytes) -> ControlBody:
    """Returns the order's typed body.

    Raises:
        RejectError: the kind is unknown, or the body is not that kind's.
    """
    if kind not in CONTROLS:
        raise RejectError("UNKNOWN_CONTROL", f"kind must be one of {', '.join(CONTROLS)}; got {kind[:40]!r}")
    try:
        return msgspec.json.decode(body, type=CONTROLS[kind])
    except msgspec.DecodeError as error:
        raise RejectError("TYPE", f"control {kind!r}: {error}") from error

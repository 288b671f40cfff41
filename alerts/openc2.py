"""OpenC2: orders to actuators as OpenC2 1.0 bodies (OASIS, 2019) with the `x-tocsin` profile.

One action, one target. What OpenC2 has no word for — which caller of which model, how much slower, by whose authority — stands
under the profile's own key, beside at least one of OpenC2's arguments, as the standard asks. Every order ends by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from alerts.ladder import LADDER, Measure
from alerts.proposal import Proposal, Target
from tocsin.inventory import Mode

PROFILE: Final = "x-tocsin"

REQUESTS_PER_MINUTE: Final = {3: 60, 4: 10, 5: 1}
"""OCSF severity id → what a throttled caller is left: the stronger the suspicion, the less."""
MODEL_SHARE: Final = {3: 0.8, 4: 0.5, 5: 0.25}
"""The same for a throttled model: share of its usual traffic."""
SETTINGS: Final[dict[Measure, dict[str, Any]]] = {
    "newcomer_quota": {"requests": 32, "per": "day", "accounts_younger_than_days": 7},
    "coarsen_model": {"round_decimals": 1, "top_k": 1},
    "jitter_model": {"jitter": "keyed", "round_decimals": 2},
}


class Authority(msgspec.Struct, frozen=True):
    """By whose word an order is given.

    Attributes:
        by: `policy` or `people`.
        people: who approved, in order of name.
        reason: why; a break-glass reason among them.
        break_glass: whether one person stood in for more.
    """

    by: str
    people: tuple[str, ...] = ()
    reason: str = ""
    break_glass: bool = False


class Order(msgspec.Struct, frozen=True):
    """What makes one order, before it is written as OpenC2.

    Attributes:
        id: of the command.
        proposal: what it carries out.
        measure: what to do.
        to: the caller, None for the whole model.
        target: whom it concerns, as enforcement is keyed.
        seq: rising per target.
        start: Unix milliseconds.
        ttl_s: how long it holds.
        mode: of the model.
        authority: by whose word.
        endpoint: of the model, for what stops it.
        to_version: for a rollback.
    """

    id: str
    proposal: Proposal
    measure: Measure
    to: Target | None
    target: str
    seq: int
    start: int
    ttl_s: int
    mode: Mode
    authority: Authority
    endpoint: str = ""
    to_version: str = ""

    @property
    def until(self) -> int:
        """Returns when it ends, Unix milliseconds."""
        return self.start + self.ttl_s * 1_000


def target_id(measure: Measure, model: str, to: Target | None) -> str:
    """Returns by what enforcement knows whom a measure concerns: two measures on one caller are two targets."""
    return f"{model}|{measure}|{'' if to is None else to.hash}"


def targets_of(proposal: Proposal) -> tuple[Target | None, ...]:
    """Returns whom a proposal concerns, one order each; None is the whole model."""
    return proposal.targets if LADDER[proposal.action].subject == "caller" else (None,)


def command_of(order: Order) -> dict[str, Any]:
    """Returns the OpenC2 body of an order, unsigned."""
    rung = LADDER[order.measure]
    return {
        "action": rung.openc2,
        "target": {f"{PROFILE}:{rung.subject}": _target(order)},
        "args": {
            "start_time": order.start,
            "duration": order.ttl_s * 1_000,
            "response_requested": "complete",
            PROFILE: {
                "measure": order.measure,
                "level": rung.level,
                "settings": settings_of(order),
                "mode": order.mode,
                "seq": order.seq,
                "expires": order.until,
                "idempotency_key": f"{order.target}|{order.seq}",
                "proposal": order.proposal.id,
                "finding_uid": order.proposal.finding_uid,
                "authority": msgspec.to_builtins(order.authority),
                "reversal": {"action": "cancel", "target": {"command": order.id}},
            },
        },
        "actuator": {PROFILE: {"kind": rung.subject, "asset_id": order.endpoint or order.proposal.model}},
        "command_id": order.id,
    }


def cancel_of(command_id: str, target: str, seq: int, now: int, person: str, mode: Mode) -> dict[str, Any]:
    """Returns the OpenC2 body that ends a command before its time, unsigned."""
    return {
        "action": "cancel",
        "target": {"command": command_id},
        "args": {
            "start_time": now,
            "response_requested": "complete",
            PROFILE: {"mode": mode, "seq": seq, "idempotency_key": f"{target}|{seq}", "person": person},
        },
        "command_id": f"{command_id}-cancel",
    }


def settings_of(order: Order) -> Mapping[str, Any]:
    """Returns what exactly the actuator is to set."""
    severity = min(max(order.proposal.severity_id, 3), 5)
    match order.measure:
        case "throttle":
            return {"requests": REQUESTS_PER_MINUTE[severity], "per": "minute"}
        case "throttle_model":
            return {"share": MODEL_SHARE[severity]}
        case "disable_endpoint":
            return {"http_status": 503}
        case "roll_back":
            return {"to_version": order.to_version}
        case measure:
            return SETTINGS.get(measure, {})


def _target(order: Order) -> dict[str, Any]:
    model: dict[str, Any] = {"model": order.proposal.model}
    if order.to is not None:
        return model | {"caller": order.to.caller, "id_kind": order.to.id_kind, "hash": order.to.hash}
    return model | ({"endpoint": order.endpoint} if order.endpoint else {})

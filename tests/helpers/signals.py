"""Signals for the tests of triage: one line each, everything not under test defaulted."""

from __future__ import annotations

from typing import Any

from tocsin.clock import Clock
from tocsin.codec import json_bytes
from tocsin.event import Caller, Coordinates, Source
from tocsin.ids import DEVELOPMENT_KEY, caller_hash, derive_key, uid
from tocsin.reading import Fault, Loss, Order
from tocsin.signal import Kind, Signal, Signals

T0 = 1_795_418_000_000
"""23 November 2026, 07:13 UTC."""
MINUTE = 60_000
HOUR = 60 * MINUTE
MODEL = "prod/fraud@7"
KEY = derive_key(DEVELOPMENT_KEY, "caller")


def caller(name: str = "acct-8841", id_kind: str = "api_key_hash") -> Caller:
    """Returns a caller with the hash that intake would give it."""
    return Caller(name, id_kind, caller_hash(KEY, id_kind, name))


def coordinates(offset: int = 41, row: int = 0) -> Coordinates:
    """Returns the coordinates of one row."""
    return Coordinates(Source("id-of-topic", "ml.inference.v1", 3), offset, row)


def probing(who: str | Caller = "acct-8841", at: int = T0, **changes: Any) -> Signal:
    """Returns a signal of a caller that asks too fast, as `probe_rate` would send it."""
    return _signal(caller(who) if isinstance(who, str) else who, at, changes)


def drift(detector: str = "adwin", at: int = T0, **changes: Any) -> Signal:
    """Returns a signal of a River detector about the confidence of a model."""
    river = {
        "kind": Kind.DRIFT,
        "detector": detector,
        "reference": "moving",
        "claim": "advisory",
        "false_alerts_per_month": None,
        "watches": "confidence",
        "techniques": ("AML.T0031",),
        "share": None,
        "evidence": {"mean_before": 0.91, "mean_after": 0.72},
    }
    return _signal(None, at, river | changes)


def golden(watches: str = "amount", at: int = T0, **changes: Any) -> Signal:
    """Returns a signal of a detector with a frozen baseline, armed, about one input of a model."""
    frozen = {
        "kind": Kind.DRIFT,
        "detector": "feature_drift",
        "reference": "frozen",
        "claim": "bound",
        "false_alerts_per_month": 0.125,
        "watches": watches,
        "techniques": ("AML.T0031",),
        "statistic": 2.5e7,
        "threshold": 2.1e7,
        "share": None,
        "evidence": shifted(),
    }
    return _signal(None, at, frozen | changes)


def provisional(watches: str = "amount", at: int = T0, **changes: Any) -> Signal:
    """Returns the same under a baseline that nobody has vouched for."""
    return golden(watches, at, ladder="provisional", **changes)


def shifted(factor: float = 1.4, **more: Any) -> dict[str, Any]:
    """Returns the evidence of an input whose values have all been multiplied."""
    usual = {"p05": 9.0, "median": 42.0, "p95": 180.0}
    return {
        "baseline": "3fa2c1d4e5f6",
        "change": "mean up, tilt 0.5",
        "direction": "up" if factor > 1 else "down",
        "events_since_onset": 412,
        "log10_statistic": 7.4,
        "log10_threshold": 7.32,
        "recent_share_in_highest_golden_quarter": 0.4567,
        "recent_share_in_lowest_golden_quarter": 0.1234,
        **{f"golden_{name}": value for name, value in usual.items()},
        **{f"recent_{name}": round(value * factor, 4) for name, value in usual.items()},
    } | more


def sweep(at: int = T0, **changes: Any) -> Signal:
    """Returns a signal that somebody maps a decision threshold, from one account or from many."""
    spread = {
        "detector": "boundary_probe",
        "reference": "frozen",
        "watches": "margin",
        "techniques": ("AML.T0024.002",),
        "share": None,
        "count": 3_000,
        "statistic": 2.5e7,
        "threshold": 2.1e7,
        "evidence": {"baseline": "3fa2c1d4e5f6", "recent_share_in_lowest_golden_quarter": 0.61},
    }
    return _signal(None, at, spread | changes)


def searching(signal: str = "label flip", who: str | Caller = "acct-8841", at: int = T0, **changes: Any) -> Signal:
    """Returns a signal of one caller that searches for the decision boundary, or seems to."""
    path = {
        "detector": "query_path",
        "reference": "frozen",
        "false_alerts_per_month": 0.1,
        "watches": "caller path",
        "techniques": ("AML.T0043.001", "AML.T0015"),
        "count": 14,
        "evidence": {"baseline": "3fa2c1d4e5f6", "signal": signal},
    }
    return _signal(caller(who) if isinstance(who, str) else who, at, path | changes)


def remembering(who: str | Caller = "acct-8841", at: int = T0, **changes: Any) -> Signal:
    """Returns a signal of one caller that asks about training rows."""
    known = {
        "detector": "membership_probe",
        "reference": "frozen",
        "false_alerts_per_month": 0.05,
        "watches": "training records",
        "techniques": ("AML.T0024.000",),
        "evidence": {
            "baseline": "3fa2c1d4e5f6",
            "signal": "training records",
            "hit_share": 0.31,
            "golden_hit_share": 0.02,
        },
    }
    return _signal(caller(who) if isinstance(who, str) else who, at, known | changes)


def colluding(signal: str = "crowded cells", at: int = T0, **changes: Any) -> Signal:
    """Returns a signal of many callers who ask the same, each little."""
    members = ", ".join(f"{0x1F0E9A3B5C7D2468 + number:016x}" for number in range(20))
    evidence = {"baseline": "3fa2c1d4e5f6", "signal": signal, "distinct_callers": 61, "members": members}
    return sweep(at, detector="collusion", **{"watches": "inputs", "count": 64, "evidence": evidence} | changes)


def arriving(at: int = T0, **changes: Any) -> Signal:
    """Returns a signal of a cohort of new accounts that behave like one client."""
    counted = {"newcomers": 1_200, "even_newcomers": 730, "quota_questions": 16, "quota_hours": 2.5}
    evidence = {"baseline": "3fa2c1d4e5f6", **counted}
    return sweep(at, detector="newcomer_cohort", **{"watches": "newcomers", "evidence": evidence} | changes)


def _signal(who: Caller | None, at: int, changes: dict[str, Any]) -> Signal:
    values: dict[str, Any] = {
        "kind": Kind.PROBING,
        "detector": "probe_rate",
        "version": 1,
        "reference": "own past",
        "claim": "calibrated",
        "false_alerts_per_month": 2.0,
        "techniques": ("AML.T0040", "AML.T0024.002"),
        "model": MODEL,
        "watches": "caller rate",
        "caller": who,
        "ts": at,
        "onset_ts": at - 5 * MINUTE,
        "statistic": 12_400.0,
        "threshold": 5_000.0,
        "count": 412,
        "share": 0.03,
        "evidence": {},
        "at": coordinates(),
        "examples": (coordinates(40), coordinates(39)),
    } | changes
    return Signal(uid=uid("test", at, who and who.hash, *sorted(map(str, changes.items()))), **values)


def signals(*fired: Signal, now: int = T0, orders: tuple[Order, ...] = (), **rest: Any) -> Signals:
    """Returns one record for triage at a ledger time."""
    return Signals(Clock(now, now, 1_000), fired, orders, **rest)


def order(control: str, at: int = T0, /, **body: Any) -> Order:
    """Returns a control order as sense passes it on."""
    return Order(uid("order", control, at, *sorted(map(str, body.items()))), at, control, json_bytes(body))


def silence(name: str = "s1", until: int = T0 + 24 * HOUR, **body: Any) -> Order:
    """Returns the order that puts a silence in force."""
    return order("silence", **({"id": name, "until": until, "reason": "load test", "author": "ana"} | body))


def fault(at: int = T0, detector: str = "adwin", model: str = MODEL) -> Fault:
    """Returns the news that a detector raised and is disabled."""
    where = "tocsin.frames.v1-2@977"
    return Fault(uid("fault", detector, model, at), detector, model, where, at, "ValueError: no\nsuch thing")


def loss(first: int = 100, last: int = 1_303, at: int = T0) -> Loss:
    """Returns the news that raw records were gone before they were read."""
    return Loss(uid("loss", first, last), "ml.inference.v1", 3, first, last, at)

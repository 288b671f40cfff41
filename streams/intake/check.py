"""Checks: one field at a time. What passes here is never checked again."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final, get_args

from streams.intake.reject import Reason, reject, shown
from tocsin.event import IdKind

MAX_ID: Final = 256
MAX_FEATURES: Final = 512
MAX_EXACT: Final = 2.0**53
"""Beyond it float64 skips integers; it is also far inside float32, so no checked number becomes infinite in a frame."""
MAX_FLOAT32: Final = 3.4028234663852886e38
ID_KINDS: Final[tuple[str, ...]] = get_args(IdKind)
NOT_A_CATEGORY: Final = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def checked_id(text: Any, where: str) -> str:
    """Returns an id that is 1 to 256 characters of text, without control characters or a path's `../`."""
    if not isinstance(text, str):
        raise reject(Reason.TYPE, f"{where}: text expected; got {shown(text)}")
    if not 0 < len(text) <= MAX_ID:
        raise reject(Reason.BAD_ID, f"{where}: 1 to {MAX_ID} characters expected; got {len(text)}")
    if _CONTROL.search(text):
        raise reject(Reason.CONTROL_CHAR, f"{where}: no control characters; got {shown(text)}")
    if "../" in text or "..\\" in text:
        raise reject(Reason.BAD_ID, f"{where}: not a path; got {shown(text)}")
    return text


def model_id(namespace: Any, name: Any, version: Any) -> str:
    """Returns `namespace/name@version`, so built that the three can be told apart again."""
    checked_id(namespace, "model.namespace")
    checked_id(name, "model.name")
    checked_id(version, "model.version")
    if "/" in namespace or "@" in namespace or "@" in version:
        raise reject(Reason.BAD_ID, f"model: no '/' or '@' in namespace, no '@' in version; got {shown((namespace, version))}")
    return checked_id(f"{namespace}/{name}@{version}", "model")


def parsed_model(text: Any) -> str:
    """Returns a model id written as one text, `namespace/name@version`; namespace and version default."""
    return model_id(*model_parts(checked_id(text, "model")))


def model_parts(text: str) -> tuple[str, str, str]:
    """Returns (namespace, name, version) of a model id written as one text; namespace and version default."""
    rest, _, version = text.rpartition("@") if "@" in text else (text, "", "0")
    namespace, _, name = rest.partition("/") if "/" in rest else ("default", "", rest)
    return namespace, name, version


def checked_kind(text: Any) -> IdKind:
    """Returns the id kind."""
    for kind in get_args(IdKind):
        if text == kind:
            return kind  # type: ignore[no-any-return]  # get_args returns the Literal's own values
    raise reject(Reason.TYPE, f"caller.id_kind: one of {', '.join(ID_KINDS)}; got {shown(text)}")


def number(value: Any, where: str, low: float, high: float) -> float:
    """Returns a finite number in [low, high] as a float; a boolean is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise reject(Reason.TYPE, f"{where}: a number expected; got {shown(value)}")
    if abs(value) > MAX_EXACT and abs(value) <= MAX_FLOAT32:
        raise reject(Reason.INT_RANGE, f"{where}: within 2**53 expected; got {shown(value)}")
    if math.isnan(value) or not low <= value <= high:
        raise reject(Reason.OUT_OF_DOMAIN, f"{where}: {low:g} to {high:g} expected; got {shown(value)}")
    return float(value)


def optional(value: Any, where: str, low: float, high: float) -> float | None:
    """Returns the number, or None when there is none."""
    return None if value is None else number(value, where, low, high)


def time_ms(value: Any, where: str) -> int | None:
    """Returns Unix milliseconds from a number of them or an ISO 8601 text (UTC unless it says otherwise); None when absent.

    Any instant is accepted, however absurd: whether it is believed is decided against the append time.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise reject(Reason.TYPE, f"{where}: milliseconds or ISO 8601 expected; got {shown(value)}") from None
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise reject(Reason.TYPE, f"{where}: milliseconds or ISO 8601 expected; got {shown(value)}")
    return int(max(-MAX_EXACT, min(MAX_EXACT, value)))


def checked_status(value: Any) -> int:
    """Returns the HTTP-like status; 0 when there is none."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise reject(Reason.TYPE, f"status: an integer expected; got {shown(value)}")
    if not 0 <= value <= 999:
        raise reject(Reason.OUT_OF_DOMAIN, f"status: 0 to 999 expected; got {shown(value)}")
    return value


def checked_label(value: Any) -> str:
    """Returns a class name; whole numbers and booleans are names, "" is none."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return checked_id(str(value), "label")
    return checked_id(value, "label")


def checked_text(value: Any, where: str) -> str:
    """Returns free text; "" when there is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise reject(Reason.TYPE, f"{where}: text expected; got {shown(value)}")
    return value


def features(value: Any) -> dict[str, float | str | None]:
    """Returns name → finite number, category or None; booleans, objects and arrays are refused."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise reject(Reason.TYPE, f"features: an object expected; got {shown(value)}")
    if len(value) > MAX_FEATURES:
        raise reject(Reason.TOO_MANY_FEATURES, f"features: at most {MAX_FEATURES}; got {len(value)}")
    return {feature_name(name): feature(item, name) for name, item in value.items()}


def feature_name(name: str) -> str:
    """Returns the name of a feature; a leading `=` is ours (it marks a category)."""
    if name.startswith("="):
        raise reject(Reason.BAD_ID, f"features: no leading '='; got {shown(name)}")
    return checked_id(name, "features")


def feature(value: Any, name: str) -> float | str | None:
    """Returns one feature's value."""
    if value is None:
        return None
    if isinstance(value, str):
        if value.strip().lower() in NOT_A_CATEGORY:
            raise reject(Reason.TYPE, f"features.{name}: a number, not its picture as text; got {shown(value)}")
        if len(value) > MAX_ID:
            raise reject(Reason.BAD_ID, f"features.{name}: a category of at most {MAX_ID} characters; got {len(value)}")
        return value
    return number(value, f"features.{name}", -MAX_EXACT, MAX_EXACT)

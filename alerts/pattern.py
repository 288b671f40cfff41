"""Pattern: what the evidence looks like, where that changes what people should do. One literal table.

A pattern is a hint to a person, never a proof: an attacker can imitate a broken producer. So a pattern chooses words and
advice; it neither raises nor lowers a severity.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from tocsin.signal import Kind, Signal


class Pattern(StrEnum):
    """In words that complete `it looks like …`."""

    SPREAD = "probing by nobody in particular"
    UNIT = "a change of unit by a producer"
    GAP = "an input that a producer no longer sends"
    SLOW = "a slow service"
    PUSH = "a slow push"
    PLAIN = "nothing in particular"


INPUTS: Final = "feature_drift"
"""Id of the detector that watches what the model is asked, input by input."""


def _is_spread(signal: Signal) -> bool:
    return signal.kind is Kind.PROBING and signal.caller is None


def _is_unit(signal: Signal) -> bool:
    """Returns whether 19 in 20 values now lie where at most 1 in 20 lay in the golden traffic.

    Neither a sale nor a few callers do that: they widen or tilt a distribution, they do not move it beyond itself.
    """
    golden_low, golden_high, low, high = (fact(signal, key) for key in ("golden_p05", "golden_p95", "recent_p05", "recent_p95"))
    if signal.detector != INPUTS or None in (golden_low, golden_high, low, high):
        return False
    return low > golden_high or high < golden_low  # type: ignore[operator]


def _is_gap(signal: Signal) -> bool:
    usual, now = fact(signal, "golden_share"), fact(signal, "recent_share")
    is_missing = signal.detector == INPUTS and signal.watches.startswith("missing ")
    return is_missing and usual is not None and now is not None and now > usual


def _is_slow(signal: Signal) -> bool:
    return signal.kind is Kind.FAULT and signal.watches.startswith("latency")


def _is_push(signal: Signal) -> bool:
    return signal.detector == "disagreement"


PATTERNS: Final[tuple[tuple[Pattern, Callable[[Signal], bool]], ...]] = (
    (Pattern.SPREAD, _is_spread),
    (Pattern.UNIT, _is_unit),
    (Pattern.GAP, _is_gap),
    (Pattern.SLOW, _is_slow),
    (Pattern.PUSH, _is_push),
)
"""The first that fits; those that explain most come first."""


def pattern_of(signal: Signal) -> Pattern:
    """Returns what one signal looks like."""
    return next((pattern for pattern, fits in PATTERNS if fits(signal)), Pattern.PLAIN)


def explains(signal: Signal) -> int:
    """Returns how much a signal's pattern explains, ≥ 0: of equally severe signals, the one that explains most leads."""
    return len(PATTERNS) - next((place for place, (_, fits) in enumerate(PATTERNS) if fits(signal)), len(PATTERNS))


def fact(signal: Signal, key: str) -> float | None:
    """Returns a number of the evidence, or None when there is none of that name."""
    value = signal.evidence.get(key)
    return value if isinstance(value, int | float) else None

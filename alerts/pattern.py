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

    SEARCH = "a search for the decision boundary by one caller"
    VARIATIONS = "one question with small variations by one caller"
    MEMBERS = "a test of which rows the model was trained on"
    TOGETHER = "one search by many callers together"
    SPREAD = "probing by nobody in particular"
    NEWCOMERS = "one client behind many new accounts"
    TEMPLATE = "one template that many callers share"
    APART = "inputs that no longer go together"
    UNIT = "a change of unit by a producer"
    GAP = "an input that a producer no longer sends"
    SLOW = "a slow service"
    PUSH = "a slow push"
    PLAIN = "nothing in particular"


INPUTS: Final = "feature_drift"
"""Id of the detector that watches what the model is asked, input by input."""
PATH, COLLUSION, NEWCOMERS, MEMBERSHIP = "query_path", "collusion", "newcomer_cohort", "membership_probe"
BOUNDARY = "boundary_probe"
"""Ids of detectors whose word is told apart from that of others of its kind."""
SELF_SIMILARITY, SHARED_TEMPLATE = "self-similarity", "shared template"
"""What `signal` in the evidence says when people and sensors who mean no harm look the same."""
_TELL_APART: Final = (COLLUSION, NEWCOMERS, MEMBERSHIP)
JOINT: Final = " & "
"""Between the names of inputs that a quantity reads together: a pair, a projection."""


def _is_search(signal: Signal) -> bool:
    """Returns whether a caller is named for more than being like itself."""
    return signal.detector in (PATH, BOUNDARY) and signal.caller is not None and fired(signal) != SELF_SIMILARITY


def _is_variations(signal: Signal) -> bool:
    return signal.detector == PATH and signal.caller is not None and fired(signal) == SELF_SIMILARITY


def _is_members(signal: Signal) -> bool:
    return signal.detector == MEMBERSHIP


def _is_together(signal: Signal) -> bool:
    return signal.detector == COLLUSION and signal.caller is None and fired(signal) != SHARED_TEMPLATE


def _is_newcomers(signal: Signal) -> bool:
    return signal.detector == NEWCOMERS


def _is_template(signal: Signal) -> bool:
    return signal.detector == COLLUSION and fired(signal) == SHARED_TEMPLATE


def _is_spread(signal: Signal) -> bool:
    return signal.kind is Kind.PROBING and signal.caller is None and signal.detector not in _TELL_APART


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


def _is_apart(signal: Signal) -> bool:
    return signal.detector == INPUTS and ("relation" in signal.evidence or len(joined_by(signal)) > 1)


PATTERNS: Final[tuple[tuple[Pattern, Callable[[Signal], bool]], ...]] = (
    (Pattern.SEARCH, _is_search),
    (Pattern.VARIATIONS, _is_variations),
    (Pattern.TOGETHER, _is_together),
    (Pattern.SPREAD, _is_spread),
    (Pattern.NEWCOMERS, _is_newcomers),
    (Pattern.MEMBERS, _is_members),
    (Pattern.TEMPLATE, _is_template),
    (Pattern.UNIT, _is_unit),
    (Pattern.GAP, _is_gap),
    (Pattern.SLOW, _is_slow),
    (Pattern.PUSH, _is_push),
    (Pattern.PLAIN, lambda signal: not _is_apart(signal)),
    (Pattern.APART, _is_apart),
)
"""The first that fits; those that explain most come first. What inputs do together is said only where none says more alone."""


def pattern_of(signal: Signal) -> Pattern:
    """Returns what one signal looks like."""
    return next(pattern for pattern, fits in PATTERNS if fits(signal))


def explains(signal: Signal) -> int:
    """Returns how much a signal's pattern explains, ≥ 0: of equally severe signals, the one that explains most leads."""
    return len(PATTERNS) - next(place for place, (_, fits) in enumerate(PATTERNS, 1) if fits(signal))


def fact(signal: Signal, key: str) -> float | None:
    """Returns a number of the evidence, or None when there is none of that name."""
    value = signal.evidence.get(key)
    return value if isinstance(value, int | float) else None


def fired(signal: Signal) -> str:
    """Returns which of a detector's signals fired, as its evidence says; "" when it has but one."""
    return str(signal.evidence.get("signal", ""))


def joined_by(signal: Signal) -> list[str]:
    """Returns the names of the inputs that a signal's quantity reads together; one when it reads one alone."""
    return signal.watches.split(JOINT)

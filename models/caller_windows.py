"""Caller windows: how many calls a caller made in the last 10 s, minute, 10 minutes and hour; evidence for people, no test.

Each window is kept as two counts, of the current span of fixed length and of the one before, whose part that still lies in
the window is taken as even. Minutes are counted call by call; longer spans take a minute over when it has passed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.reading import Evidence

TEN_US = 10_000_000
MINUTE_US = 60_000_000
LONGER = (10, 60)
"""Minutes."""

COLUMNS = {
    "ten": "i4",  # the 10 s of its last call
    "now_ten": "i4",  # calls in them, and in the 10 s before
    "old_ten": "i4",
    "now_1": "i4",  # calls in the minute of its last call, and in the one before
    "old_1": "i4",
    "now_10": "i4",  # calls in these 10 minutes up to that minute, and in the 10 before
    "old_10": "i4",
    "now_60": "i4",  # the same of the hour
    "old_60": "i4",
}

Ints = NDArray[np.int64]


def this_hour(callers: NDArray[np.void]) -> NDArray[np.int32]:
    """Returns how many calls these callers made in the hour of their last call."""
    calls: NDArray[np.int32] = callers["now_60"] + callers["now_1"]
    return calls


def roll(callers: NDArray[np.void], before: Ints, minute: Ints) -> None:
    """Moves the windows of these callers on.

    Args:
        callers: records with COLUMNS, changed in place.
        before: int64 (callers,), the minutes where they stand.
        minute: int64 (callers,) or (1,), where they shall stand.
    """
    last: NDArray[Any] = callers["now_1"]
    passed = np.where(before < minute, last, 0)
    callers["old_1"] = np.where(before < minute, np.where(before == minute - 1, last, 0), callers["old_1"])
    callers["now_1"] = last - passed
    for span in LONGER:
        calls = callers[f"now_{span}"] + passed
        gone = minute // span - before // span
        if gone.any():
            callers[f"old_{span}"] = np.where(gone == 0, callers[f"old_{span}"], np.where(gone == 1, calls, 0))
            calls = np.where(gone == 0, calls, 0)
        callers[f"now_{span}"] = calls


def add(callers: NDArray[np.void], starts: Ints, sizes: Ints, time_us: Ints) -> None:
    """Adds calls, sorted by caller, to the windows of these callers, which stand at the calls' minute.

    Args:
        callers: records with COLUMNS, changed in place.
        starts: int64 (callers,), index of each one's first call.
        sizes: int64 (callers,).
        time_us: int64 (calls,), never falling within a caller.
    """
    tens = time_us // TEN_US
    last = tens[starts + sizes - 1]
    behind = np.repeat(last, sizes) - tens
    gone = last - callers["ten"]
    now: NDArray[Any] = callers["now_ten"]
    before = np.where(gone == 0, callers["old_ten"], np.where(gone == 1, now, 0))
    callers["old_ten"] = before + np.add.reduceat(behind == 1, starts, dtype=np.int64)
    callers["now_ten"] = np.where(gone == 0, now, 0) + np.add.reduceat(behind == 0, starts, dtype=np.int64)
    callers["ten"] = last
    callers["now_1"] += sizes.astype(np.int32)


def counts(caller: np.void, time_us: Ints) -> Evidence:
    """Returns a caller's calls in each window, as of its last call.

    Args:
        caller: its record before these calls.
        time_us: int64 (calls ≥ 1,), its calls since.
    """
    now_us = int(time_us[-1])
    tens, here = time_us // TEN_US, now_us // TEN_US
    gone = here - int(caller["ten"])
    ten, old_ten = ((int(caller["now_ten"]), int(caller["old_ten"])), (0, int(caller["now_ten"])), (0, 0))[min(gone, 2)]
    ten, old_ten = ten + int(np.count_nonzero(tens == here)), old_ten + int(np.count_nonzero(tens == here - 1))
    minute = int(caller["now_1"]) + len(time_us)
    found: Evidence = {
        "calls_10_s": round(ten + old_ten * (1.0 - now_us / TEN_US % 1.0)),
        "calls_1_min": round(minute + int(caller["old_1"]) * (1.0 - now_us / MINUTE_US % 1.0)),
    }
    for span in LONGER:
        left = 1.0 - now_us / (span * MINUTE_US) % 1.0
        found[f"calls_{span}_min"] = round(minute + int(caller[f"now_{span}"]) + int(caller[f"old_{span}"]) * left)
    return found

"""Words: times, spans and numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

HOUR_S = 3_600
UNITS: Final = ((86_400, "day"), (HOUR_S, "hour"), (60, "minute"), (0, "second"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(ms: int) -> datetime:
    """Returns a time in UTC; exact to the millisecond."""
    return EPOCH + timedelta(milliseconds=ms)


def clock_time(ms: int) -> str:
    """Returns e.g. `07:12 UTC on 23 November`."""
    when = moment(ms)
    return f"{when:%H:%M} UTC on {when.day} {when:%B}"


def lasting(ms: int) -> str:
    """Returns a span in its natural unit, e.g. `30 seconds`, `1 minute`, `1.5 hours`, `3 days`."""
    seconds = max(ms, 0) / 1_000
    size, unit = next((size, unit) for size, unit in UNITS if seconds >= size)
    much = round(seconds / size, 1) if size >= HOUR_S else round(seconds / (size or 1))
    return f"{number(much)} {unit}{'' if much == 1 else 's'}"


def number(value: float) -> str:
    """Returns a number a person can read: whole ones with commas, others with three digits that matter."""
    if value == int(value) or abs(value) >= 1_000:
        return f"{round(value):,}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """Returns e.g. `12 %`, `0.4 %`."""
    return f"{number(round(share * 100, 1 if share < 0.1 else 0))} %"


def a_month(rate: float) -> str:
    """Returns how often something comes, e.g. `1 in 8 months`, `1 a month`, `2.5 a month`.

    Args:
        rate: times a month, > 0.
    """
    if rate >= 1:
        return f"{number(rate)} a month"
    months = 1 / rate
    return f"1 in {number(round(months, 1) if months < 10 else round(months))} months"


def listed(words: list[str], most: int = 3) -> str:
    """Returns e.g. `amount`, `amount and hour`, `amount, hour, country and 4 more`."""
    shown, more = words[:most], len(words) - most
    if more > 0:
        shown.append(f"{number(more)} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))

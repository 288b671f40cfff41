"""When: `2h`, `30m`, `7d` or an ISO 8601 time become Unix milliseconds, and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tocsin.errors import ConfigError

_SPAN = re.compile(r"(\d{1,6})([smhd])")
_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def until_ms(text: str, now_ms: int) -> int:
    """Returns a point in the future.

    Raises:
        ConfigError: it is neither a span nor a time with a zone, or lies in the past.
    """
    if span := _SPAN.fullmatch(text):
        at = now_ms + int(span[1]) * _MS[span[2]]
    else:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise ConfigError(
                f"--until: expected a span such as 2h or 7d, or a time such as 2026-01-05T18:00Z; got {text!r}"
            ) from None
        if time.tzinfo is None:
            raise ConfigError(f"--until: expected a time zone, such as {text}Z; got none")
        at = int(time.timestamp() * 1000)
    if at <= now_ms:
        raise ConfigError(f"--until: expected a time after {shown(now_ms)}; got {shown(at)}")
    return at


def shown(ms: int) -> str:
    """Returns a time in UTC to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

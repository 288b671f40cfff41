"""Season: which hours of a model's week are held against each other.

What is normal at noon is not normal at night: one set of cells for the whole day alarms at every dusk, hourly sets do not
(`python -m bench.detection season`). But every bucket needs golden rows of its own, so the finest season is taken that the
golden traffic can fill.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from models.baseline import Season
from tocsin.errors import ConfigError

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
QUARTER_MS: Final = HOUR_MS // 4
EPOCH_WEEKDAY_H: Final = 3 * 24
"""1970-01-01 was a Thursday; weeks begin on Monday."""

BUCKET_ROWS: Final = 250
"""Golden rows that a bucket needs."""
CANDIDATES: Final[tuple[tuple[int, int, int], ...]] = (
    # period in hours, hours per bucket, days of golden traffic that it takes to know it
    (168, 1, 28),
    (168, 3, 28),
    (24, 1, 2),
    (24, 2, 2),
    (24, 3, 2),
    (24, 6, 2),
    (24, 12, 2),
)

Times = NDArray[np.int64]


def bucket_of(season: Season, ts: Times) -> Times:
    """Returns the season bucket of each time.

    Args:
        season: the model's.
        ts: int64, Unix milliseconds.

    Raises:
        ConfigError: its time zone is unknown here.
    """
    if season.buckets == 1:
        return np.zeros(len(ts), np.int64)
    return (_local_ms(season.zone, ts) // HOUR_MS + EPOCH_WEEKDAY_H) % season.period_h // season.bucket_h


def day_of(zone: str, ts: Times) -> Times:
    """Returns the number of the local day of each time."""
    return _local_ms(zone, ts) // DAY_MS


def choose_season(ts: Times, zone: str) -> Season:
    """Returns the finest season that this golden traffic knows: long enough, and every bucket that occurs well filled.

    Buckets that never occurred do not count against it: a service that sleeps at night has no night to learn. They are
    held against the whole traffic.

    Args:
        ts: int64, the golden rows' times.
        zone: IANA time zone of the people behind the model.
    """
    days = (int(ts.max()) - int(ts.min())) / DAY_MS if len(ts) else 0.0
    for period_h, bucket_h, needed in CANDIDATES:
        season = Season(zone, period_h, bucket_h)
        if days >= needed - 0.25:
            filled = np.bincount(bucket_of(season, ts), minlength=season.buckets)
            if filled[filled > 0].min() >= BUCKET_ROWS:
                return season
    return Season(zone, 24, 24)


def _local_ms(zone: str, ts: Times) -> Times:
    if zone == "UTC":
        return ts
    quarters = ts // QUARTER_MS
    if len(ts) and quarters[0] == quarters[-1] and int(quarters.min()) == int(quarters.max()):
        return ts + _offset_ms(zone, int(quarters[0]))
    distinct, which = np.unique(quarters, return_inverse=True)
    return ts + np.array([_offset_ms(zone, quarter) for quarter in distinct.tolist()], np.int64)[which]


@lru_cache(maxsize=65_536)
def _offset_ms(zone: str, quarter: int) -> int:
    try:
        offset = datetime.fromtimestamp(quarter * QUARTER_MS / 1000, tz=UTC).astimezone(ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"baseline.zone: an IANA time zone expected, e.g. Europe/Berlin; found {zone!r}") from error
    return 0 if offset is None else round(offset.total_seconds() * 1000)

"""Which hours are held against each other."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from models.baseline import Season
from models.season import DAY_MS, HOUR_MS, bucket_of, choose_season, day_of
from tocsin.errors import ConfigError

BERLIN = ZoneInfo("Europe/Berlin")


def ms(*when: int, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime(*when, tzinfo=zone).timestamp() * 1000)  # type: ignore[arg-type, misc]


def spread(days: float, rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return ms(2026, 3, 2) + np.linspace(0, days * DAY_MS, rows, endpoint=False).astype(np.int64)


def test_an_hour_is_the_hour_on_the_clock_of_the_zone_also_across_the_change_to_summer_time() -> None:
    season = Season("Europe/Berlin", 24, 1)
    ts = np.array([ms(2026, 3, 28, 9), ms(2026, 3, 29, 9), ms(2026, 10, 25, 9), ms(2026, 10, 26, 23)])
    assert bucket_of(season, ts).tolist() == [9, 9, 9, 23]


def test_hours_of_the_week_begin_on_monday() -> None:
    ts = np.array([ms(2026, 3, 2, 0), ms(2026, 3, 3, 1), ms(2026, 3, 8, 23)])  # Monday, Tuesday, Sunday
    assert bucket_of(Season("Europe/Berlin", 168, 1), ts).tolist() == [0, 25, 167]
    assert bucket_of(Season("Europe/Berlin", 168, 3), ts).tolist() == [0, 8, 55]


def test_a_day_changes_at_local_midnight() -> None:
    before = ms(2026, 3, 2, 23, 59)
    days = day_of("Europe/Berlin", np.array([before, before + 120_000]))
    assert days[1] == days[0] + 1


def test_a_bucket_does_not_depend_on_how_times_were_cut() -> None:
    ts = spread(40, 1_000)
    season = Season("Europe/Berlin", 168, 1)
    pieces = np.concatenate([bucket_of(season, ts[begin : begin + 7]) for begin in range(0, 1_000, 7)])
    assert (pieces == bucket_of(season, ts)).all()


@pytest.mark.parametrize(
    ("days", "rows", "expected"),
    [
        (0.04, 5_000, (24, 24)),  # an hour of traffic knows no season
        (1.0, 50_000, (24, 24)),  # nor does a day
        (2.0, 50_000, (24, 1)),
        (14.0, 4_000, (24, 2)),  # hours would be too thin
        (14.0, 300, (24, 24)),
        (28.0, 60_000, (168, 1)),
        (28.0, 18_000, (168, 3)),
        (27.0, 60_000, (24, 1)),  # four weeks make a week
    ],
)
def test_the_finest_season_that_the_golden_rows_fill_is_taken(days: float, rows: int, expected: tuple[int, int]) -> None:
    season = choose_season(spread(days, rows), "Europe/Berlin")
    assert (season.period_h, season.bucket_h) == expected


def test_a_service_that_sleeps_at_night_still_has_hours() -> None:
    ts = spread(14, 40_000)
    awake = ts[(ts // HOUR_MS) % 24 >= 12]
    assert choose_season(awake, "Europe/Berlin").bucket_h == 1


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(ConfigError, match="Europe/Nowhere"):
        bucket_of(Season("Europe/Nowhere", 24, 1), np.array([0, DAY_MS]))

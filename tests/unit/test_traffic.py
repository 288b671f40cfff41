from __future__ import annotations

from streams.traffic import KEPT_MINUTES, MAX_MODELS, MINUTE_MS, Traffic
from tocsin.reading import Tally


def tally(model: str, rows: int, minute: int) -> Tally:
    return Tally(model, rows, 0, minute * MINUTE_MS, minute * MINUTE_MS + 500)


def test_events_since_a_time_are_counted_from_its_minute_on() -> None:
    traffic = Traffic()
    for minute, rows in ((1, 5), (2, 7), (2, 1), (3, 2)):
        traffic.add(tally("m", rows, minute))
    assert traffic.since("m", 2 * MINUTE_MS + 30_000) == 10
    assert traffic.since("unknown", 0) == 0


def test_late_frames_count_in_the_latest_minute() -> None:
    traffic = Traffic()
    traffic.add(tally("m", 5, 10))
    traffic.add(tally("m", 3, 8))
    assert traffic.since("m", 10 * MINUTE_MS) == 8


def test_a_day_is_kept_and_no_more() -> None:
    traffic = Traffic()
    for minute in range(KEPT_MINUTES + 100):
        traffic.add(tally("m", 1, minute))
    assert traffic.since("m", 0) == KEPT_MINUTES


def test_the_stalest_model_gives_way_to_a_new_one() -> None:
    traffic = Traffic()
    for number in range(MAX_MODELS + 1):
        traffic.add(tally(f"m{number}", 1, number))
    assert traffic.since("m0", 0) == 0
    assert traffic.since("m1", 0) == 1
    assert len(traffic.minutes) == MAX_MODELS


def test_counts_survive_a_snapshot() -> None:
    traffic, restored = Traffic(), Traffic()
    traffic.add(tally("m", 5, 3))
    restored.load(traffic.dump())
    assert restored == traffic

"""Disagreement: a day of frozen alarms that nothing moving noticed is a story; anything less is none."""

from __future__ import annotations

import msgspec
import pytest

from models.baseline import Gate
from models.detector import Seat
from models.disagreement import HOUR_MS, Disagreement, build
from tests.helpers.baselines import baseline_of
from tests.helpers.traffic import poisson, rows_at
from tocsin.clock import Clock
from tocsin.errors import ConfigError, StateError
from tocsin.event import Coordinates, Source
from tocsin.reading import Reading

CLOCK = Clock()
START = 1_000 * HOUR_MS


def listener(*, armed: bool = True) -> Disagreement:
    golden = baseline_of(rows_at(*poisson(1, 300, 0.01, 40), seed=1))
    return Disagreement(msgspec.structs.replace(golden, gate=(Gate("feature_drift", armed, 1.0, 4.0, (), ""),)))


def said(detector: str, hour: float, watches: str = "amount") -> Reading:
    ts = START + round(hour * HOUR_MS)
    at = Coordinates(Source("t", "t", 0), 1, 0)
    return Reading(detector, 1, "ns/m@1", watches, None, at, ts, ts - HOUR_MS, 9.0, 1.0, 100, {"direction": "up"}, (at,))


def heard(listener: Disagreement, *readings: Reading) -> list[Reading]:
    return [told for reading in readings for told in listener.hear([reading], CLOCK)]


def test_a_day_of_frozen_alarms_that_nobody_else_noticed_is_told_once_a_day() -> None:
    told = heard(listener(), *(said("feature_drift", hour) for hour in range(0, 50, 6)))
    assert [(reading.ts - START) / HOUR_MS for reading in told] == [24.0, 48.0]
    assert told[0].onset_ts == START - HOUR_MS
    assert told[0].watches == "amount"
    assert told[0].evidence["frozen_alarms"] == 5
    assert told[0].count == 500


def test_a_change_that_a_moving_detector_noticed_when_it_began_is_not_slow() -> None:
    noticed = said("adwin", -1, "confidence")
    assert heard(listener(), noticed, *(said("feature_drift", hour) for hour in range(0, 50, 6))) == []


def test_a_moving_alarm_long_before_it_has_nothing_to_do_with_it() -> None:
    earlier = said("adwin", -30, "confidence")
    assert len(heard(listener(), earlier, *(said("feature_drift", hour) for hour in range(0, 30, 6)))) == 1


def test_alarms_about_different_quantities_or_far_apart_are_no_story() -> None:
    assert heard(listener(), *(said("feature_drift", hour, f"f{hour}") for hour in range(0, 50, 6))) == []
    assert heard(listener(), *(said("feature_drift", hour) for hour in range(0, 100, 20))) == []


def test_a_detector_that_the_gate_did_not_arm_is_not_believed() -> None:
    assert heard(listener(armed=False), *(said("feature_drift", hour) for hour in range(0, 50, 6))) == []


def test_a_story_goes_on_after_a_snapshot() -> None:
    first, second = listener(), listener()
    heard(first, *(said("feature_drift", hour) for hour in range(0, 24, 6)))
    second.load(first.dump())
    assert len(heard(second, said("feature_drift", 24))) == 1
    assert second.dump() != first.dump()


def test_a_foreign_state_is_refused() -> None:
    with pytest.raises(StateError, match="disagreement"):
        listener().load(b"\xc1")


def test_without_a_baseline_there_is_nobody_to_believe() -> None:
    with pytest.raises(ConfigError, match="baseline"):
        build(Seat(model="ns/m@1"))

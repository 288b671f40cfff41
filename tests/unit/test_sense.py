from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from models.detector import Entry
from streams.sense import SenseFold
from streams.stage.machine import Outputs
from streams.tallies import BUSY_ROWS, HELD_ROWS
from tests.helpers.detectors import EveryRow, Faulty, entry
from tests.helpers.frames import RAW, frame, rows
from tocsin.config import Detection
from tocsin.errors import VersionError
from tocsin.event import Source, position_of
from tocsin.frame import MAX_ROWS, Control, Gap
from tocsin.ids import group_of
from tocsin.reading import Readings

WATCHING: Mapping[str, Entry] = {"every_row": entry(EveryRow)}


def sense(detectors: Mapping[str, Entry] = WATCHING, *, groups: int = 1, shards: int = 1) -> SenseFold:
    return SenseFold(0, Detection(shards=shards, groups=groups), detectors)


def said(outputs: Outputs) -> dict[int, Readings]:
    return {group: msgspec.msgpack.decode(body, type=Readings) for group, body in outputs.onward.items()}


def offsets(readings: Readings) -> list[int]:
    return [reading.at.offset for reading in readings.readings]


def test_a_row_seen_twice_counts_once() -> None:
    fold = sense()
    first = said(fold.apply(frame(rows([0, 1, 2])), "frames-0@0"))
    again = said(fold.apply(frame(rows([1, 2, 3])), "frames-0@1"))
    assert offsets(first[0]) == [0, 1, 2]
    assert offsets(again[0]) == [3]
    assert again[0].tallies[0].rows == 1


def test_a_frame_with_nothing_new_says_nothing() -> None:
    fold = sense()
    fold.apply(frame(rows([0, 1])), "frames-0@0")
    assert said(fold.apply(frame(rows([0, 1])), "frames-0@1")) == {}


def test_blocks_of_one_frame_may_interleave_offsets() -> None:
    fold = sense()
    readings = said(fold.apply(frame(rows([0, 3]), rows([1, 2], model="prod/churn@1")), "frames-0@0"))
    assert sorted(offsets(readings[0])) == [0, 1, 2, 3]


def test_a_recreated_topic_is_a_new_source() -> None:
    fold = sense()
    fold.apply(frame(rows([5])), "frames-0@0")
    new = Source("another-topic-id", "payments", 0)
    readings = said(fold.apply(frame(rows([0], sources=(new,)), sources=(new,)), "frames-0@1"))
    assert offsets(readings[0]) == [0]


def test_a_tick_reaches_every_group_and_moves_the_clock() -> None:
    fold = sense(groups=3)
    fold.apply(frame(ticks=[(0, 10_000)]), "frames-0@0")
    readings = said(fold.apply(frame(ticks=[(0, 12_000)]), "frames-0@1"))
    assert sorted(readings) == [0, 1, 2]
    assert (readings[2].clock.now_ms, readings[2].clock.advance_ms) == (12_000, 2_000)


def test_readings_go_to_the_group_of_their_model() -> None:
    fold = sense(groups=4)
    group = group_of("prod/fraud@7", 4)
    assert group == group_of("prod/fraud@8", 4)
    assert list(said(fold.apply(frame(rows([0])), "frames-0@0"))) == [group]


def test_a_control_order_is_passed_on_once_and_only_by_shard_zero() -> None:
    control = Control(0, position_of(4, 0), 77, "silence", b"{}")
    fold = sense(shards=2)
    first = said(fold.apply(frame(controls=[control], shards=2), "frames-0@0"))
    again = fold.apply(frame(controls=[control], shards=2), "frames-0@1")
    other = SenseFold(1, Detection(shards=2, groups=1), WATCHING)
    assert [order.kind for order in first[0].orders] == ["silence"]
    assert again.onward == {}
    assert other.apply(frame(controls=[control], shard=1, shards=2), "frames-1@0").onward == {}


def test_a_retention_gap_is_reported() -> None:
    readings = said(sense().apply(frame(gaps=[Gap(0, 10, 19, 5_000)]), "frames-0@0"))
    assert [(loss.first, loss.last) for loss in readings[0].losses] == [(10, 19)]


def test_under_load_tallies_wait_and_are_told_together() -> None:
    fold = sense({})
    told = []
    for number in range(5):
        onward = said(fold.apply(frame(rows(range(number * MAX_ROWS, (number + 1) * MAX_ROWS))), f"frames-0@{number}"))
        told += [tally.rows for readings in onward.values() for tally in readings.tallies]
    assert told == [HELD_ROWS]
    assert fold.tallies.held["prod/fraud@7"].rows == MAX_ROWS


def test_tallies_that_wait_are_told_with_the_next_reading_or_tick() -> None:
    fold, restored = sense({}), sense({})
    assert said(fold.apply(frame(rows(range(BUSY_ROWS))), "frames-0@0")) == {}
    restored.load(fold.dump())
    ticked = said(restored.apply(frame(ticks=[(0, 9_000)]), "frames-0@1"))
    assert [tally.rows for tally in ticked[0].tallies] == [BUSY_ROWS]
    watching = sense()
    assert [tally.rows for tally in said(watching.apply(frame(rows(range(BUSY_ROWS))), "frames-0@0"))[0].tallies] == [BUSY_ROWS]


def test_a_faulty_detector_is_disabled_and_reported_while_the_rest_goes_on() -> None:
    fold = sense({"every_row": entry(EveryRow), "faulty": entry(Faulty, model=True)})
    first = said(fold.apply(frame(rows([0, 1, 2])), "frames-0@0"))
    second = said(fold.apply(frame(rows([3])), "frames-0@1"))
    assert [fault.error for fault in first[0].faults] == ["ValueError: three is too many"]
    assert offsets(second[0]) == [3]
    assert second[0].faults == ()


def test_a_disabled_detector_stays_disabled_after_a_restore() -> None:
    detectors = {"faulty": entry(Faulty, model=True)}
    fold = sense(detectors)
    fold.apply(frame(rows([0, 1, 2])), "frames-0@0")
    restored = sense(detectors)
    assert restored.load(fold.dump()) == []
    assert said(restored.apply(frame(rows([3])), "frames-0@1"))[0].faults == ()


def test_a_restored_fold_says_the_same_bytes() -> None:
    fold, restored = sense(), sense()
    fold.apply(frame(rows([0, 1]), ticks=[(0, 9_000)]), "frames-0@0")
    restored.load(fold.dump())
    following = frame(rows([1, 2, 3]), ticks=[(0, 10_000)])
    assert restored.apply(following, "frames-0@1") == fold.apply(following, "frames-0@1")
    assert restored.dump() == fold.dump()


def test_an_older_section_starts_cold_and_the_others_load() -> None:
    fold = sense({"every_row": entry(EveryRow), "other": entry(EveryRow)})
    fold.apply(frame(rows([0])), "frames-0@0")
    newer = sense({"every_row": entry(EveryRow, version=2), "other": entry(EveryRow)})
    notes = newer.load(fold.dump())
    assert notes == ["detector/every_row: v2 expected, v1 found; it starts cold"]
    assert newer.dump()["detector/other"] == fold.dump()["detector/other"]


def test_an_unknown_section_is_dropped_with_a_note() -> None:
    fold = sense()
    fold.apply(frame(rows([0])), "frames-0@0")
    notes = sense({}).load(fold.dump())
    assert notes == ["detector/every_row: no such detector in this version; its state is dropped"]


def test_frames_cut_for_another_number_of_shards_are_refused() -> None:
    with pytest.raises(VersionError, match="frames of shard 0 of 1 by blake2b-64 expected, shard 0 of 2"):
        sense().apply(frame(rows([0]), shards=2), "frames-0@0")


def test_a_partition_that_stops_ticking_no_longer_holds_the_clock_back() -> None:
    fold = sense()
    other = Source("topic-id", "payments", 1)
    both = (RAW, other)
    fold.apply(frame(ticks=[(0, 10_000), (1, 10_000)], sources=both), "frames-0@0")
    late = said(fold.apply(frame(ticks=[(0, 80_000)], sources=both), "frames-0@1"))
    again = said(fold.apply(frame(ticks=[(0, 81_000)], sources=both), "frames-0@2"))
    assert late[0].clock.complete_ms == 80_000
    assert [fault.detector for fault in late[0].faults] == ["ledger"]
    assert again[0].faults == ()

"""Snapshots, what a partition starts from, and what is done about records that kill."""

from __future__ import annotations

import msgspec
import pytest

from streams.intake.dead_letters import letter_of
from streams.stage import selftest
from streams.stage.machine import Machine, Record
from streams.stage.opening import Restored, Start, begin, choose
from streams.stage.snapshots import FORMAT, Item, Origin, Shelf, chunk_key, manifest_key, seal, tombstones, unseal, write
from streams.stage.trial import (
    ATTEMPTS,
    CLEAR,
    STARTS,
    Trial,
    dead_letter,
    read_refusals,
    read_trial,
    refusal_item,
    starts_item,
)
from streams.stage.watch import Stall
from tests.helpers.counting import CountingFold
from tocsin.errors import HoleError, StateError
from tocsin.state import Section, Sections

KEY = bytes(32)
ORIGIN = Origin("sense", "0.1.0", "0.26.1", "numbers", "detection")
COLD = Restored(None, None, None, (), ())


def machine_at(applied: int) -> Machine:
    machine = Machine(2, CountingFold(2, padding=100), linked=False, onward="readings")
    for offset in range(applied + 1):
        machine.step(Record("f-2", offset, b"x%d" % offset))
    return machine


def snapshot_at(applied: int, *, chunk_bytes: int = 64, key: bytes = KEY) -> list[Item]:
    machine = machine_at(applied)
    return write(key, ORIGIN, 2, applied, machine.links, machine.dump(), chunk_bytes)


def shelf_of(*groups: list[Item], partition: int = 2) -> Shelf:
    shelf = Shelf(KEY, "sense", partition)
    for items in groups:
        shelf.add(items)
    return shelf


def damaged(items: list[Item], number: int) -> list[Item]:
    broken = list(items)
    value = broken[number].value or b""
    broken[number] = Item(broken[number].key, value[:-1] + bytes([value[-1] ^ 1]))
    return broken


def start_from(snapshot: Restored, low: int = 0) -> Start:
    return Start(snapshot, Trial(), frozenset(), low, snapshot.complaints)


def test_a_snapshot_comes_back_as_it_was() -> None:
    restored = choose(shelf_of(snapshot_at(9)))
    assert restored.sections == machine_at(9).dump()
    assert restored.header is not None
    assert (restored.header.applied, restored.header.links) == (9, machine_at(9).links)
    assert restored.complaints == ()


def test_the_same_offset_gives_the_same_bytes() -> None:
    assert snapshot_at(9) == snapshot_at(9)


def test_chunks_come_first_and_the_manifest_last() -> None:
    items = snapshot_at(9)
    assert [item.key for item in items] == [*(chunk_key(2, 9, n) for n in range(len(items) - 1)), manifest_key(2, 9)]
    assert max(len(item.value or b"") for item in items[:-1]) == 64


def test_an_empty_state_is_a_snapshot_too() -> None:
    empty: Sections = {}
    assert choose(shelf_of(write(KEY, ORIGIN, 2, 5, b"", empty, 64))).sections == {}


def test_the_highest_offset_wins_not_the_last_written() -> None:
    restored = choose(shelf_of(snapshot_at(20), snapshot_at(10)))
    assert restored.header is not None
    assert restored.header.applied == 20
    assert [applied for applied, _ in restored.kept] == [10, 20]


def test_chunks_without_a_manifest_are_nothing() -> None:
    assert choose(shelf_of(snapshot_at(9)[:-1])) == COLD


@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_chunk_refuses_the_snapshot_takes_the_older_one_and_says_so(number: int) -> None:
    restored = choose(shelf_of(snapshot_at(10), damaged(snapshot_at(20), number)))
    assert restored.header is not None
    assert restored.refused is not None
    assert (restored.header.applied, restored.refused.applied) == (10, 20)
    assert restored.complaints == (
        "state of sense, partition 2, offset 20: the body must have the SHA-256 that its header states; it is damaged",
    )


def test_a_missing_chunk_refuses_the_snapshot() -> None:
    restored = choose(shelf_of(snapshot_at(20)[1:]))
    assert restored.sections is None
    assert restored.refused is not None
    assert "number 0 is missing" in restored.complaints[0]


def test_a_forged_manifest_is_ignored_and_mutes_nothing() -> None:
    restored = choose(shelf_of(snapshot_at(10), snapshot_at(20, key=b"x" * 32)))
    assert restored.header is not None
    assert restored.header.applied == 10
    assert restored.refused is None
    assert restored.complaints == ("state of sense, record 2/20/manifest: its HMAC must be ours; it is forged or damaged",)


def test_a_state_cannot_be_moved_to_another_partition_or_stage() -> None:
    elsewhere = shelf_of(snapshot_at(10), partition=3)
    assert choose(elsewhere).sections is None
    other = Shelf(KEY, "judge", 2)
    other.add(snapshot_at(10))
    assert choose(other).sections is None
    renamed = shelf_of([Item(item.key.replace(b"/10/", b"/99/"), item.value) for item in snapshot_at(10)])
    assert choose(renamed).header is None


def test_a_snapshot_of_a_newer_format_is_refused_but_still_says_how_far_it_was() -> None:
    *chunks, manifest = snapshot_at(20)
    header = msgspec.msgpack.decode(unseal(KEY, "sense", manifest.key, manifest.value or b""))
    newer = [FORMAT + 1, *header[1:], "a field added later"]
    sealed = Item(manifest.key, seal(KEY, "sense", manifest.key, msgspec.msgpack.encode(newer)))
    restored = choose(shelf_of([*chunks, sealed]))
    assert restored.sections is None
    assert restored.refused is not None
    assert restored.refused.applied == 20
    assert "this worker is older" in restored.complaints[0]


def test_tombstones_remove_the_manifest_first() -> None:
    items = snapshot_at(9)
    gone = tombstones(2, 9, len(items) - 1)
    assert gone[0].key == manifest_key(2, 9)
    assert shelf_of(items, gone).values == {}


def test_a_partition_with_a_damaged_snapshot_replays_in_silence() -> None:
    machine = machine_at(-1)
    notes = begin(machine, start_from(choose(shelf_of(snapshot_at(10), damaged(snapshot_at(20), 0)))), "numbers", "f-2")
    assert machine.applied == 10
    assert notes[-1] == "replaying in silence up to offset 20"
    assert all(machine.step(Record("f-2", n, b"x%d" % n)) == [] for n in range(11, 21))
    assert machine.dump() == machine_at(20).dump()


def test_a_new_partition_starts_cold_without_a_note() -> None:
    machine = machine_at(-1)
    assert begin(machine, start_from(COLD), "numbers", "f-2") == []
    assert machine.applied == -1


def test_a_cold_start_behind_retention_says_what_it_never_saw() -> None:
    machine = machine_at(-1)
    assert begin(machine, start_from(COLD, low=50), "numbers", "f-2") == [
        "cold start at offset 50: retention took what came before"
    ]
    assert machine.applied == 49


def test_records_lost_between_the_state_and_the_log_are_a_hole() -> None:
    with pytest.raises(HoleError, match="f-2: offset 10 must come next; the log starts at 12"):
        begin(machine_at(-1), start_from(choose(shelf_of(snapshot_at(9))), low=12), "numbers", "f-2")


def test_other_arithmetic_is_noted_not_refused() -> None:
    notes = begin(machine_at(-1), start_from(choose(shelf_of(snapshot_at(9)))), "other numbers", "f-2")
    assert notes == ["another machine's arithmetic wrote this state: a replay is equivalent, not exact"]


def test_a_section_of_another_version_starts_cold_and_an_unknown_one_is_dropped() -> None:
    sections = {
        **machine_at(9).dump(),
        "count": Section(2, b"a newer layout"),
        "later": Section(1, b"a detector that was removed"),
    }
    items = write(KEY, ORIGIN, 2, 9, machine_at(9).links, sections, 64)
    machine = machine_at(-1)
    notes = begin(machine, start_from(choose(shelf_of(items))), "numbers", "f-2")
    assert notes == ["count: version 1 expected, 2 found; starts cold"]
    assert machine.applied == 9
    sections["count"] = machine_at(9).dump()["count"]
    items = write(KEY, ORIGIN, 2, 9, machine_at(9).links, sections, 64)
    machine = machine_at(-1)
    assert begin(machine, start_from(choose(shelf_of(items))), "numbers", "f-2") == ["later: unknown; dropped"]
    assert machine.dump() == machine_at(9).dump()


def test_the_self_test_gives_the_same_digest_twice() -> None:
    assert selftest.digest() == selftest.digest()
    assert len(selftest.digest()) == 16


def starts(trial: Trial, applied: int, times: int) -> Trial:
    for _ in range(times):
        trial = trial.started(applied)
    return trial


def test_the_third_start_without_progress_steps_records_alone() -> None:
    assert [starts(Trial(), 5, n).single for n in range(1, STARTS + 1)] == [False, False, True]


def test_progress_between_starts_clears_the_count() -> None:
    trial = starts(Trial(), 5, STARTS - 1).started(6)
    assert (trial.starts, trial.single) == (1, False)


def test_a_record_is_convicted_after_its_attempts_and_no_other() -> None:
    trial = starts(Trial(), 5, STARTS)
    for attempt in range(ATTEMPTS):
        assert not trial.convicts(6), attempt
        trial = trial.naming(6).started(5)
    assert trial.convicts(6)
    assert not trial.convicts(7)


def test_survivors_are_not_held_to_account_for_what_follows() -> None:
    trial = starts(Trial(), 5, STARTS).naming(6).passed().naming(7)
    assert (trial.suspect, trial.attempts, trial.single) == (7, 1, True)


def test_trust_returns_after_enough_survivors() -> None:
    trial = starts(Trial(), 5, STARTS)
    for offset in range(CLEAR):
        assert trial.single
        trial = trial.naming(offset).passed()
    assert trial == Trial()


def test_trials_and_refusals_come_back_and_forged_ones_do_not() -> None:
    trial = starts(Trial(), 5, 2)
    items = [starts_item(KEY, "sense", 2, trial), refusal_item(KEY, "sense", 2, 6), refusal_item(b"y" * 32, "sense", 2, 7)]
    values = {item.key: item.value or b"" for item in items}
    complaints: list[str] = []
    assert read_trial(KEY, "sense", 2, values, complaints) == trial
    assert read_refusals(KEY, "sense", 2, values, complaints) == {6}
    assert len(complaints) == 1


def test_a_forged_trial_is_no_trial() -> None:
    item = starts_item(b"y" * 32, "sense", 2, starts(Trial(), 5, 3))
    complaints: list[str] = []
    assert read_trial(KEY, "sense", 2, {item.key: item.value or b""}, complaints) == Trial()
    assert "forged" in complaints[0]


def test_a_refused_record_leaves_its_coordinates_and_little_of_its_content() -> None:
    letter = dead_letter("sense", "tocsin.frames.v1", 2, Record("tocsin.frames.v1-2@77", 77, b"s" * 5000))
    assert letter.key == b"tocsin.frames.v1-2@77"
    assert len(letter.value) < 1000
    read = letter_of(letter.value)
    assert (read.reason, read.topic, read.partition, read.offset, read.size) == (
        "KILLS_WORKER",
        "tocsin.frames.v1",
        2,
        77,
        5000,
    )


def test_a_partition_that_waits_is_stuck_only_after_its_patience() -> None:
    stall = Stall(60.0)
    assert [stall.stuck(0, applied=4, end=9, now=now) for now in (0.0, 59.0, 61.0)] == [0.0, 0.0, 61.0]


def test_progress_or_an_empty_log_resets_the_patience() -> None:
    stall = Stall(60.0)
    waits = [(4, 9, 0.0), (5, 9, 50.0), (5, 9, 100.0), (8, 9, 105.0), (8, 12, 200.0), (8, 12, 250.0)]
    assert [stall.stuck(0, applied, end, now) for applied, end, now in waits] == [0.0] * 6


def test_a_seal_holds_for_one_record_of_one_stage() -> None:
    sealed = seal(KEY, "sense", b"2/starts", b"payload")
    assert unseal(KEY, "sense", b"2/starts", sealed) == b"payload"
    for stage, name in (("judge", b"2/starts"), ("sense", b"3/starts")):
        with pytest.raises(StateError, match="forged or damaged"):
            unseal(KEY, stage, name, sealed)

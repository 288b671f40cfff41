"""The pure half of the stage protocol: what is applied, what is skipped, what is sent."""

from __future__ import annotations

import msgspec
import pytest

from streams.stage.machine import Link, Machine, Record, Send
from tests.helpers.counting import CountingFold
from tocsin.codec import pack
from tocsin.errors import HoleError, VersionError


def ledger_machine() -> Machine:
    return Machine(7, CountingFold(2), linked=False, onward="readings")


def linked_machine() -> Machine:
    return Machine(0, CountingFold(1), linked=True, onward="signals")


def record(offset: int, value: bytes = b"x") -> Record:
    return Record(f"t-0@{offset}", offset, value)


def link(offset: int, *, prev: int, at: int, source: int = 3) -> Record:
    return record(at, pack(Link(source, offset, prev, b"body %d" % offset)))


def links(sends: list[Send]) -> list[Link]:
    return [msgspec.msgpack.decode(send.value, type=Link) for send in sends if send.topic == "readings"]


def test_a_record_seen_twice_is_applied_once() -> None:
    machine = ledger_machine()
    machine.step(record(0))
    before = machine.dump()
    assert machine.step(record(0)) == []
    assert machine.dump() == before


def test_links_carry_their_source_their_offset_and_the_one_before() -> None:
    machine = ledger_machine()
    said = [one for offset in range(6) for one in links(machine.step(record(offset, b"same partition")))]
    assert [(one.source, one.offset, one.prev) for one in said] == [(7, 0, -1), (7, 1, 0), (7, 3, 1), (7, 4, 3)]


def test_alerts_go_out_after_the_links_of_the_same_record() -> None:
    machine = ledger_machine()
    sends = [machine.step(record(offset)) for offset in range(10)][9]
    assert [send.topic for send in sends] == ["readings", "alerts"]


def test_a_link_repeated_by_a_restarted_writer_is_skipped() -> None:
    machine = linked_machine()
    machine.step(link(5, prev=-1, at=0))
    machine.step(link(8, prev=5, at=1))
    before = machine.fold.dump()
    assert machine.step(link(5, prev=-1, at=2)) == []
    assert machine.fold.dump() == before
    assert machine.applied == 2


def test_a_missing_link_is_a_hole_and_names_both_ends() -> None:
    machine = linked_machine()
    machine.step(link(5, prev=-1, at=0))
    with pytest.raises(HoleError, match=r"t-0@1: offset 7 of upstream partition 3 .* the last seen is 5"):
        machine.step(link(9, prev=7, at=1))


def test_every_source_has_its_own_chain() -> None:
    machine = linked_machine()
    machine.step(link(5, prev=-1, at=0, source=1))
    machine.step(link(2, prev=-1, at=1, source=2))
    assert machine.step(link(6, prev=5, at=2, source=1)) == []  # the third record says nothing onward
    assert machine.applied == 2


def test_a_record_that_is_no_link_is_a_newer_version_not_a_crash() -> None:
    with pytest.raises(VersionError, match="t-0@0: a Link expected"):
        linked_machine().step(record(0, b"\xff\xff"))


def test_a_link_of_a_newer_writer_with_one_more_field_is_understood() -> None:
    newer = msgspec.msgpack.encode([3, 5, -1, b"body", "added later"])
    machine = linked_machine()
    assert len(machine.step(record(0, newer))) == 1


def test_a_restored_machine_goes_on_with_the_same_bytes() -> None:
    straight = ledger_machine()
    for offset in range(20):
        straight.step(record(offset))
    restored = ledger_machine()
    assert restored.load(straight.dump()) == []
    assert [restored.step(record(n)) for n in range(20, 40)] == [straight.step(record(n)) for n in range(20, 40)]
    assert restored.dump() == straight.dump()


def test_a_rebuild_is_silent_up_to_the_refused_snapshot_and_then_links_as_it_did() -> None:
    original = ledger_machine()
    for offset in range(30):
        original.step(record(offset))
    rebuilt = ledger_machine()
    rebuilt.rebuild(original.links)
    assert [rebuilt.step(record(offset)) for offset in range(30)] == [[]] * 30
    assert rebuilt.links == original.links
    assert rebuilt.step(record(30)) == original.step(record(30))


def test_a_rebuild_from_a_cold_detector_leaves_no_hole_downstream() -> None:
    original, downstream = ledger_machine(), linked_machine()
    place = 0
    for offset in range(30):
        for send in original.step(record(offset, b"to one partition")):
            if send.topic == "readings":
                downstream.step(Record("r", place, send.value))
                place += 1
    cold = ledger_machine()
    assert isinstance(cold.fold, CountingFold)
    cold.fold.count = 1  # it will speak at other offsets than the original did
    cold.rebuild(original.links)
    for offset in range(60):
        for send in cold.step(record(offset, b"to one partition")):
            if send.topic == "readings":
                downstream.step(Record("r", place, send.value))
                place += 1
    assert downstream.applied == place - 1


def test_where_retention_took_the_beginning_the_first_link_of_a_source_is_trusted() -> None:
    machine = linked_machine()
    machine.begin(100)
    assert machine.applied == 99
    assert len(machine.step(link(50, prev=47, at=100))) == 1
    with pytest.raises(HoleError):
        machine.step(link(60, prev=55, at=101))


def test_a_late_start_survives_a_snapshot() -> None:
    machine = linked_machine()
    machine.begin(100)
    restored = linked_machine()
    restored.load(machine.dump())
    assert len(restored.step(link(50, prev=47, at=100))) == 1


def test_a_refused_record_is_passed_over_and_leaves_no_hole() -> None:
    machine = linked_machine()
    machine.refuse({1})
    machine.step(link(5, prev=-1, at=0))
    before = machine.fold.dump()
    assert machine.step(link(6, prev=5, at=1)) == []
    assert machine.fold.dump() == before
    machine.step(link(7, prev=6, at=2))
    assert machine.applied == 2


def test_equal_positions_are_equal_bytes_whatever_the_order_of_their_sources() -> None:
    one, other = linked_machine(), linked_machine()
    one.step(link(5, prev=-1, at=0, source=1))
    one.step(link(5, prev=-1, at=1, source=2))
    other.step(link(5, prev=-1, at=0, source=2))
    other.step(link(5, prev=-1, at=1, source=1))
    assert one.links == other.links

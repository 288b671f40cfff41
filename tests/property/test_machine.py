"""Whatever crashes when, and whatever is repeated: two stages end as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.stage.machine import Link, Machine, Record, Send
from tests.helpers.counting import CountingFold
from tocsin.errors import HoleError
from tocsin.state import Sections

Log = list[bytes]
"""One partition of the topic between the two stages."""

PARTITIONS = 2

bodies = st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=40)
plans = st.lists(st.sampled_from(["step", "step", "step", "snapshot", "crash"]), max_size=120)


def upstream() -> Machine:
    return Machine(0, CountingFold(PARTITIONS), linked=False, onward="readings")


def downstream() -> Machine:
    return Machine(0, CountingFold(1), linked=True, onward="signals")


def run(build: Callable[[], Machine], log: Log, plan: list[str]) -> tuple[Machine, list[Send]]:
    """Returns the machine at the end of the log, and everything it ever sent, repeats included."""
    machine = build()
    saved: Sections | None = None
    sent: list[Send] = []
    at = 0
    for action in [*plan, *["step"] * len(log) * 2]:
        if action == "step" and at < len(log):
            sent += machine.step(Record("log", at, log[at]))
            at += 1
        elif action == "snapshot":
            saved = machine.dump()
        elif action == "crash":
            machine = build()
            if saved is not None:
                machine.load(saved)
            at = machine.applied + 1
    return machine, sent


def logs(sends: list[Send]) -> list[Log]:
    """Returns what the readers of each downstream partition find."""
    return [[s.value for s in sends if s.topic == "readings" and s.partition == p] for p in range(PARTITIONS)]


@given(bodies, plans, plans)
def test_crashes_of_either_stage_change_nothing_but_repeats(log: Log, plan: list[str], later_plan: list[str]) -> None:
    straight, said = run(upstream, log, [])
    crashed, repeated = run(upstream, log, plan)
    assert crashed.dump() == straight.dump()
    assert set(repeated) == set(said)
    for quiet, noisy in zip(logs(said), logs(repeated), strict=True):
        calm, signals = run(downstream, quiet, [])
        shaken, more = run(downstream, noisy, later_plan)
        assert shaken.fold.dump() == calm.fold.dump()
        assert [body(send) for send in first_of_each(more)] == [body(send) for send in first_of_each(signals)]


def body(send: Send) -> bytes:
    """Returns what was said, without the position in a log that repeats lengthen."""
    return msgspec.msgpack.decode(send.value, type=Link).body


def first_of_each(sends: list[Send]) -> list[Send]:
    seen: dict[bytes, Send] = {}
    for send in sends:
        if send.topic == "signals":
            seen.setdefault(body(send), send)
    return list(seen.values())


@given(bodies, st.data())
def test_a_lost_record_between_two_stages_is_never_silence(log: Log, data: st.DataObject) -> None:
    _, said = run(upstream, log, [])
    partition = data.draw(st.integers(0, PARTITIONS - 1))
    between = logs(said)[partition]
    assume(len(between) >= 2)
    lost = data.draw(st.integers(0, len(between) - 2))
    with pytest.raises(HoleError):
        run(downstream, between[:lost] + between[lost + 1 :], [])


@given(bodies, st.integers(0, 39))
def test_a_rebuild_in_silence_ends_where_the_lost_state_was(log: Log, at: int) -> None:
    lost, _ = run(upstream, log[: at + 1], [])
    rebuilt = upstream()
    rebuilt.rebuild(lost.links)
    silent = [rebuilt.step(Record("log", n, value)) for n, value in enumerate(log[: at + 1])]
    assert silent == [[]] * len(silent)
    assert rebuilt.dump() == lost.dump()

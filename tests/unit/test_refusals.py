"""Refusals: what a live worker passed over is passed over by recheck and replay, and by nothing that is forged."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from streams.baselines.store import NO_BASELINES
from streams.capture_file import Captured
from streams.chain import Chain
from streams.clients import topic_name
from streams.recheck import recheck
from streams.replay import replay_captured
from streams.stage.trial import refusal_item
from streams.stages import STAGES
from tests.chaos.dump import Rec
from tests.chaos.verifier import Report, check_links, recompute
from tests.unit.test_replay import CONFIG, of, raw, run
from tocsin.errors import FileError, StateError
from tocsin.ids import DEVELOPMENT_KEY, derive_key

STATE_KEY = derive_key(DEVELOPMENT_KEY, "state")


def _refusing(stage: str, partition: int, offset: int) -> Captured:
    item, state = refusal_item(STATE_KEY, stage, partition, offset), STAGES[stage].state
    return Captured(state, topic_name(CONFIG.kafka, state), state, partition, 0, 0, item.key, item.value)


@cache
def refusing_run() -> tuple[tuple[Captured, ...], tuple[Captured, ...]]:
    """What the topics hold when every stage refused a record that says something, and the refusals."""
    chain, offsets = Chain(CONFIG), {("sense", 0): 3}
    for stage, role, low in (("judge", "readings", 2), ("triage", "signals", 0)):
        partition = next(record.partition for record in of(role, run()) if record.offset >= low)
        offsets[stage, partition] = low
    for (stage, partition), offset in offsets.items():
        chain.machine(stage, partition).refuse({offset})
    records: list[Captured] = []
    ends: Counter[tuple[str, int]] = Counter()
    for at, frame in enumerate(of("frames", run())):
        records.append(frame._replace(append_ms=at))
        for send in chain.append(frame.partition, frame.value or b""):
            offset = ends[send.topic, send.partition]
            ends[send.topic, send.partition] += 1
            place = (send.topic, topic_name(CONFIG.kafka, send.topic), send.topic, send.partition, offset, 0)
            records.append(Captured(*place, send.key, send.value, send.headers))
    return tuple(records), tuple(_refusing(stage, n, offset) for (stage, n), offset in offsets.items())


def test_what_was_refused_live_is_passed_over_by_a_recheck() -> None:
    records, refusals = refusing_run()
    assert all(found.equal for found in recheck([*records, *refusals], CONFIG, STATE_KEY))
    assert not all(found.equal for found in recheck(records, CONFIG)), "without the refusals it says something else"


def test_a_forged_refusal_is_not_believed() -> None:
    records, _ = refusing_run()
    forged = _refusing("sense", 1, 5)._replace(value=bytes(32) + b"\x05")
    with pytest.raises(StateError, match="forged"):
        recheck([*records, forged], CONFIG, STATE_KEY)


def test_what_was_refused_live_is_passed_over_by_a_replay_of_frames_and_states() -> None:
    records, refusals = refusing_run()
    told = [record.value for record in of("alerts", records)]
    replay, _ = replay_captured([*raw(), *records, *refusals], CONFIG)
    assert replay.findings == told
    assert replay.findings != replay_captured(of("frames", records), CONFIG)[0].findings


def test_a_refused_signal_whose_reading_was_not_captured_cannot_be_passed_over() -> None:
    records, refusals = refusing_run()
    with pytest.raises(FileError, match="must be in the capture"):
        replay_captured([*of("frames", records), *refusals], CONFIG)


def test_the_chaos_verifier_knows_what_was_refused() -> None:
    records, _ = refusing_run()
    frames, readings = (
        [Rec(r.partition, r.offset, 0, r.key, r.value) for r in of(role, records)] for role in ("frames", "readings")
    )
    differences = []
    for refused in (frozenset({(0, 3)}), frozenset[tuple[int, int]]()):
        report = Report()
        check_links("sense", recompute("sense", CONFIG, frames, set(), NO_BASELINES, report, refused), readings, report)
        differences.append(report.differences)
    assert differences[0] == []
    assert differences[1]

"""Scouts in sense and the detectors in judge that they report to."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from models.baseline import Baseline, Gate, hash_of
from streams.baselines.store import MemoryBaselines
from streams.judge import JudgeFold
from streams.sense import SenseFold
from tests.helpers.baselines import baseline_of
from tests.helpers.detectors import messenger_entry
from tests.helpers.frames import FRAUD, RAW, frame, rows
from tocsin.clock import Clock
from tocsin.codec import json_bytes, pack
from tocsin.config import Detection
from tocsin.control import Promote
from tocsin.event import Source, position_of
from tocsin.frame import Control
from tocsin.reading import Readings, Reports
from tocsin.rows import Rows
from tocsin.signal import Signals
from tocsin.state import Section

CONTROL = Source("control-id", "control", 0)
GATE = Gate("messenger", armed=True, sigmas=1.0, held_out_days=14.0, trials=(), says="")
ONE: Baseline = msgspec.structs.replace(baseline_of(rows(range(300)), watches=("feature",)), gate=(GATE,))
TWO: Baseline = msgspec.structs.replace(ONE, origin="two")
STORE = MemoryBaselines([ONE, TWO])
DETECTORS = {"messenger": messenger_entry()}


def sense(*disabled: str) -> SenseFold:
    return SenseFold(0, Detection(shards=1, groups=1, disabled=disabled), DETECTORS, STORE)


def judge() -> JudgeFold:
    return JudgeFold(Detection(), DETECTORS, STORE)


def promoted(fold: SenseFold, baseline: Baseline | None = ONE, at: int = 0) -> SenseFold:
    body = Promote(FRAUD, hash_of(baseline) if baseline else "", "armed", "ana")
    control = Control(1, position_of(at, 0), 50_000 + at, "promote", json_bytes(body))
    step(fold, controls=(control,))
    return fold


def step(fold: SenseFold, *blocks: Rows, controls: tuple[Control, ...] = (), tick: int = 60_000) -> Readings:
    ticks = [(0, tick)] if tick else []
    onward = fold.apply(frame(*blocks, controls=controls, ticks=ticks, sources=(RAW, CONTROL)), "frames-0@0").onward
    return msgspec.msgpack.decode(onward[0], type=Readings) if onward else Readings(0, fold.ledger.clock)


def reported(fold: SenseFold, *blocks: Rows, tick: int = 60_000) -> list[tuple[int, int, int]]:
    """Returns the number, the callers and the rows of each report."""
    told = step(fold, *blocks, tick=tick).reports
    return [(msgspec.msgpack.decode(reports.body, type=int), len(reports.callers), reports.rows) for reports in told]


def signals(fold: JudgeFold, *told: Reports, now: int = 100_000) -> Signals:
    onward = fold.apply(pack(Readings(0, Clock(now, now), reports=told)), "readings-0@0").onward
    return msgspec.msgpack.decode(onward[0], type=Signals) if onward else Signals(Clock(now, now))


def some(epoch: int = 50_000, baseline: Baseline = ONE) -> Reports:
    [reports] = step(promoted(sense(), baseline), rows(range(4))).reports
    return msgspec.structs.replace(reports, epoch=epoch)


def given(fold: JudgeFold) -> list[tuple[int, int, float]]:
    [data] = msgspec.msgpack.decode(fold.dump()["detector/messenger"].data, type=dict[str, bytes]).values()
    return msgspec.msgpack.decode(data, type=list[tuple[int, int, float]])


def test_nobody_looks_before_there_is_a_baseline_and_after_it_is_gone() -> None:
    fold = sense()
    assert reported(fold, rows(range(4))) == []
    assert reported(promoted(fold), rows(range(4, 8))) == [(1, 2, 4)]
    assert reported(promoted(fold, None, 1), rows(range(8, 12))) == []


def test_a_report_counts_the_rows_looked_at_since_the_last_one() -> None:
    fold = promoted(sense())
    assert reported(fold, rows([1])) == []
    assert reported(fold, rows([3])) == []
    assert reported(fold, rows([4, 5])) == [(1, 1, 4)]


def test_reports_wait_with_the_counts_for_a_tick() -> None:
    fold = promoted(sense())
    assert reported(fold, rows([2]), tick=0) == []
    assert reported(fold, rows([4]), tick=61_000) == [(1, 1, 1), (2, 1, 1)]


def test_a_scout_the_operator_left_out_does_not_look() -> None:
    assert reported(promoted(sense("messenger")), rows(range(4))) == []


def test_a_scout_that_raises_is_disabled_until_the_next_baseline() -> None:
    fold = promoted(sense())
    told = step(fold, replace(rows(range(4)), values=np.full((1, 4), 1_000, np.float32)))
    assert [(fault.detector, fault.model) for fault in told.faults] == [("messenger", FRAUD)]
    assert reported(fold, rows(range(4, 8))) == []
    assert reported(promoted(fold, TWO, 1), rows(range(8, 12))) == [(1, 2, 4)]


def test_a_fold_restored_in_mid_stream_says_the_same_bytes() -> None:
    fold = promoted(sense())
    step(fold, rows(range(3)), tick=0)
    restored = sense()
    assert restored.load(fold.dump()) == []
    after = frame(rows(range(3, 9)), ticks=[(0, 61_000)], sources=(RAW, CONTROL))
    assert restored.apply(after, "frames-0@1") == fold.apply(after, "frames-0@1")
    assert restored.dump() == fold.dump()


def test_a_scout_of_another_version_starts_cold_and_says_so() -> None:
    fold = promoted(sense())
    step(fold, rows(range(4)))
    older = fold.dump() | {"scout/messenger": Section(0, pack({}))}
    restored = sense()
    assert restored.load(older) == ["scout/messenger: v1 expected, v0 found; it starts cold"]
    assert reported(restored, rows(range(4, 8))) == [(1, 2, 4)]


def test_what_a_detector_makes_of_reports_becomes_a_signal_about_the_caller() -> None:
    [signal] = signals(judge(), some()).signals
    assert (signal.detector, signal.model, signal.claim, signal.ladder) == ("messenger", FRAUD, "calibrated", "armed")
    assert signal.caller is not None


def test_time_is_spent_on_the_reports_after_it_was_earned() -> None:
    fold = judge()
    for now in (100_000, 107_000, 108_000):
        signals(fold, some(), now=now)
    assert given(fold) == [(1, 4, 0.0), (1, 4, 0.0), (1, 4, 7.0)]


def test_reports_of_an_older_epoch_are_not_received() -> None:
    fold = judge()
    signals(fold, some(60_000, TWO))
    assert not signals(fold, some()).signals
    assert len(given(fold)) == 1


def test_a_detector_that_raises_is_disabled_and_reported() -> None:
    fold = judge()
    told = signals(fold, msgspec.structs.replace(some(), callers=()))
    assert [(fault.detector, fault.error) for fault in told.faults] == [("messenger", "ValueError: nobody is too few")]
    assert not signals(fold, some(), now=102_000).signals


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_restored_judge_goes_on_alike(cut: int) -> None:
    fold = judge()
    for number in range(cut):
        signals(fold, some(), now=100_000 + 7_000 * number)
    restored = judge()
    assert restored.load(fold.dump()) == []
    assert signals(restored, some(), now=200_000) == signals(fold, some(), now=200_000)
    assert restored.dump() == fold.dump()

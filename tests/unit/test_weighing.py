"""Judge over counts: which epoch, what time has earned, what a reading is worth."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from models.baseline import Baseline, Gate, hash_of
from models.detector import Entry
from streams import weighing
from streams.baselines.store import MemoryBaselines
from streams.judge import JudgeFold
from tests.helpers.baselines import baseline_of
from tests.helpers.detectors import EveryRow, Heavy, Listener, entry, judge_entry
from tests.helpers.frames import FRAUD, RAW, rows
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.config import Detection
from tocsin.errors import HoleError
from tocsin.event import Coordinates
from tocsin.reading import Counts, Ladder, Reading, Readings
from tocsin.signal import Signals

GATE = Gate("heavy", armed=True, sigmas=1.0, held_out_days=14.0, trials=(), says="")
OLD: Baseline = baseline_of(rows(range(300)), watches=("feature", "confidence"))
NEW: Baseline = msgspec.structs.replace(OLD, origin="new", gate=(GATE,))
STORE = MemoryBaselines([OLD, NEW])
DETECTORS: dict[str, Entry] = {
    "every_row": entry(EveryRow),
    "heavy": judge_entry(Heavy),
    "listener": judge_entry(Listener),
}


def judge(*disabled: str) -> JudgeFold:
    return JudgeFold(Detection(disabled=disabled), DETECTORS, STORE)


def counts(
    baseline: Baseline = NEW, epoch: int = 5, *, bucket: int = 0, offset: int = 9, ladder: Ladder = "armed", model: str = FRAUD
) -> Counts:
    cells, weights = np.array([3, 64], "<u2").tobytes(), np.array([1.5, 2.0], "<f4").tobytes()
    at = Coordinates(RAW, offset, 0)
    return Counts(model, hash_of(baseline), epoch, ladder, bucket, 4, 60_000, 70_000, at, cells, weights)


def said(fold: JudgeFold, *told: Counts, now: int = 100_000, readings: tuple[Reading, ...] = ()) -> Signals | None:
    onward = fold.apply(pack(Readings(0, Clock(now, now), readings, counts=told)), "readings-0@0").onward
    return msgspec.msgpack.decode(onward[0], type=Signals) if onward else None


def given(fold: JudgeFold) -> list[float]:
    [data] = msgspec.msgpack.decode(fold.dump()["detector/heavy"].data, type=dict[str, bytes]).values()
    return msgspec.msgpack.decode(data, type=list[float])


def test_counts_become_a_matrix_and_a_crossing_a_signal() -> None:
    signals = said(judge(), counts())
    assert signals is not None
    assert [(s.detector, s.statistic, s.model) for s in signals.signals] == [("heavy", 3.5, FRAUD), ("listener", 3.5, FRAUD)]


def test_what_time_earns_up_to_these_counts_is_spent_on_the_next() -> None:
    fold = judge()
    for now in (100_000, 107_000, 108_000, 9_000_000, 9_001_000):
        said(fold, counts(), now=now)
    assert given(fold) == [0.0, 0.0, 7.0, 1.0, 3_600.0]


def test_two_buckets_told_at_once_do_not_earn_twice() -> None:
    fold = judge()
    said(fold, counts(), now=100_000)
    said(fold, counts(), counts(bucket=1), now=107_000)
    said(fold, counts(), now=110_000)
    assert given(fold) == [0.0, 0.0, 7.0, 0.0]


@pytest.mark.parametrize(
    ("baseline", "ladder", "worth"),
    [
        (NEW, "armed", ("armed", "calibrated", 0.25)),
        (NEW, "provisional", ("provisional", "calibrated", 0.25)),
        (OLD, "armed", ("provisional", "advisory", None)),
    ],
)
def test_a_signal_is_armed_only_by_gate_and_promotion(baseline: Baseline, ladder: Ladder, worth: tuple[object, ...]) -> None:
    signals = said(judge(), counts(baseline, ladder=ladder))
    assert signals is not None
    assert (signals.signals[0].ladder, signals.signals[0].claim, signals.signals[0].false_alerts_per_month) == worth


def test_a_newer_epoch_starts_the_detectors_anew_and_an_older_one_is_only_counted() -> None:
    fold = judge()
    said(fold, counts(OLD, 5), now=100_000)
    said(fold, counts(NEW, 6), now=101_000)
    assert said(fold, counts(OLD, 5), now=101_500) is None
    assert given(fold) == [0.0]
    assert fold.weighing.standings[FRAUD].stale == 1


def test_of_too_many_models_the_one_not_counted_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighing, "MAX_MODELS", 2)
    fold = judge()
    for now, model in enumerate(("prod/a@1", "prod/b@1", "prod/a@1", "prod/c@1"), 1):
        said(fold, counts(model=model), now=100_000 * now)
    assert set(fold.weighing.standings) == {"prod/a@1", "prod/c@1"}
    restored = judge()
    assert restored.load(fold.dump()) == []
    assert restored.dump() == fold.dump()


def test_a_shard_that_keeps_counting_against_the_old_baseline_is_reported_once() -> None:
    fold = judge()
    said(fold, counts(NEW, 100_000), now=100_000)
    told = [said(fold, counts(OLD, 5), now=now) for now in (159_000, 161_000, 163_000)]
    faults = [signals.faults for signals in told if signals is not None]
    assert [[fault.error for fault in some] for some in faults if some] == [
        [f"counts of baseline {hash_of(OLD)[:12]} still come 60 s after {hash_of(NEW)[:12]} replaced it"]
    ]


def test_a_detector_that_raises_is_disabled_for_its_model_until_the_next_baseline() -> None:
    fold = judge()
    first = said(fold, counts(bucket=13))
    again = said(fold, counts(), counts(model="prod/churn@1"), now=102_000)
    renewed = said(fold, counts(OLD, 6), now=104_000)
    assert first is not None
    assert again is not None
    assert renewed is not None
    assert [fault.error for fault in first.faults] == ["ValueError: thirteen is too many"]
    assert [s.model for s in again.signals if s.detector == "heavy"] == ["prod/churn@1"]
    assert [s.detector for s in renewed.signals] == ["heavy", "listener"]


def test_a_listener_hears_sense_first_and_then_judge() -> None:
    fold = judge()
    at = Coordinates(RAW, 3, 0)
    moving = Reading("every_row", 1, FRAUD, "confidence", None, at, 1, 1, 2.0, 1.0, 1, {})
    said(fold, counts(), readings=(moving,))
    [data] = msgspec.msgpack.decode(fold.dump()["detector/listener"].data, type=dict[str, bytes]).values()
    assert msgspec.msgpack.decode(data) == ["every_row", "heavy"]


def test_a_detector_that_the_operator_left_out_says_nothing() -> None:
    signals = said(judge("heavy", "listener"), counts())
    assert signals is not None
    assert signals.signals == ()


def test_a_restored_judge_goes_on_with_the_same_bytes() -> None:
    fold, restored = judge(), judge()
    said(fold, counts(), counts(bucket=13, model="prod/churn@1"), now=100_000)
    said(fold, counts(), now=107_000)
    assert restored.load(fold.dump()) == []
    body = pack(Readings(0, Clock(109_000, 109_000), counts=(counts(),)))
    assert restored.apply(body, "readings-0@1") == fold.apply(body, "readings-0@1")
    assert restored.dump() == fold.dump()


def test_a_snapshot_from_before_baselines_starts_without_any() -> None:
    fold, restored = judge(), judge()
    said(fold, counts())
    old = {name: section for name, section in fold.dump().items() if name in ("traffic", "clocks")}
    assert restored.load(old) == []
    assert restored.weighing.standings == {}


def test_another_version_of_a_detector_starts_cold_and_the_standing_stays() -> None:
    fold = judge()
    said(fold, counts(), now=100_000)
    newer = JudgeFold(Detection(), {**DETECTORS, "heavy": judge_entry(Heavy, version=2)}, STORE)
    assert newer.load(fold.dump()) == ["detector/heavy: v2 expected, v1 found; it starts cold"]
    assert newer.weighing.standings == fold.weighing.standings
    assert given(newer) == []


def test_counts_of_a_baseline_that_nobody_has_end_the_process() -> None:
    with pytest.raises(HoleError, match="must be at hand"):
        said(JudgeFold(Detection(), DETECTORS), counts())

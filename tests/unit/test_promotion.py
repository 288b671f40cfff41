"""Sense under promotions: where they hold, what is counted, and that a restart changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from models import census
from models.baseline import Baseline, hash_of
from models.detector import Entry, Seat
from streams import promotions
from streams.baselines.store import MemoryBaselines
from streams.counting import matrix_of
from streams.sense import SenseFold
from streams.tallies import BUSY_ROWS
from tests.helpers.baselines import baseline_of
from tests.helpers.detectors import EveryRow, entry
from tests.helpers.frames import FRAUD, RAW, frame, rows
from tocsin.codec import json_bytes
from tocsin.config import Detection
from tocsin.control import Promote
from tocsin.errors import HoleError
from tocsin.event import Source, position_of
from tocsin.frame import Control
from tocsin.ids import group_of
from tocsin.reading import Counts, Ladder, Readings
from tocsin.rows import Rows

CONTROL = Source("control-id", "control", 0)
ONE: Baseline = baseline_of(rows(range(300)), watches=("feature", "confidence"))
TWO: Baseline = msgspec.structs.replace(ONE, origin="two")
STORE = MemoryBaselines([ONE, TWO])


def sense(detectors: Mapping[str, Entry] | None = None, shard: int = 0, shards: int = 1) -> SenseFold:
    return SenseFold(shard, Detection(shards=shards, groups=1), detectors or {}, STORE)


def order(
    baseline: Baseline | None, at: int = 0, ladder: Ladder = "provisional", *, model: str = FRAUD, ts: int = 50_000
) -> Control:
    body = Promote(model, hash_of(baseline) if baseline else "", ladder, "ana")
    return Control(1, position_of(at, 0), ts, "promote", json_bytes(body))


def step(
    fold: SenseFold, *blocks: Rows, controls: Sequence[Control] = (), tick: int = 60_000, where: str = "frames-0@0"
) -> Readings:
    ticks = [(0, tick)] if tick else []
    shard, shards = fold.shard, fold.settings.shards
    body = frame(*blocks, controls=controls, ticks=ticks, sources=(RAW, CONTROL), shard=shard, shards=shards)
    onward = fold.apply(body, where).onward
    return msgspec.msgpack.decode(onward[0], type=Readings) if onward else Readings(shard, fold.ledger.clock)


def many(first: int, count: int = 10, **parts: Any) -> Rows:
    return rows(range(first, first + count), callers=[f"c{n}" for n in range(first, first + count)], **parts)


def weight(counts: Counts) -> list[float]:
    return [round(float(total), 3) for total in matrix_of(counts, 2).sum(axis=1)]


def test_rows_are_counted_from_the_promotion_on_and_not_before() -> None:
    fold = sense()
    with_order = step(fold, many(0), controls=[order(ONE)])
    after = step(fold, many(10))
    assert with_order.counts == ()
    [counts] = after.counts
    assert (counts.model, counts.baseline, counts.ladder, counts.epoch) == (FRAUD, hash_of(ONE), "provisional", 50_000)
    assert (counts.rows, counts.at.offset, weight(counts)) == (10, 19, [10.0, 10.0])


def test_only_the_model_that_was_promoted_is_counted() -> None:
    fold = sense()
    step(fold, controls=[order(ONE)])
    assert [counts.model for counts in step(fold, many(0), many(20, model="prod/churn@1")).counts] == [FRAUD]


def test_counts_of_quiet_models_wait_for_a_tick_though_tallies_do_not() -> None:
    fold = sense()
    step(fold, controls=[order(ONE)])
    quiet = step(fold, many(0), tick=0)
    told = step(fold, many(20))
    assert ([tally.rows for tally in quiet.tallies], quiet.counts) == ([10], ())
    assert [counts.rows for counts in told.counts] == [20]
    assert weight(told.counts[0]) == [20.0, 20.0]


def test_a_reading_about_one_model_loses_no_counts_of_a_model_of_another_group() -> None:
    other = next(f"prod/m{n}@1" for n in range(99) if group_of(f"prod/m{n}@1", 2) != group_of(FRAUD, 2))
    reference = baseline_of(many(0, 400, model=other), watches=("confidence", "latency"))
    settings = Detection(shards=1, groups=2)
    fold = SenseFold(0, settings, {"every_row": entry(EveryRow)}, MemoryBaselines([reference]))
    sources = (RAW, CONTROL)
    fold.apply(frame(controls=[order(reference, model=other)], ticks=[(0, 60_000)], sources=sources), "frames-0@0")
    fold.bank.disabled["every_row", other] = "only the other model is read"
    counted = 0
    for offset, some in enumerate((many(0, model=other), many(20), many(40, model=other))):
        ticks = [(0, 61_000)] if offset == 2 else []
        onward = fold.apply(frame(some, ticks=ticks, sources=sources), "frames-0@1").onward
        told = [msgspec.msgpack.decode(body, type=Readings) for body in onward.values()]
        counted += sum(counts.rows for readings in told for counts in readings.counts)
    assert counted == 20


def test_counts_wait_under_load_and_are_summed() -> None:
    fold = sense()
    step(fold, controls=[order(ONE)])
    busy = step(fold, many(0, BUSY_ROWS), tick=0)
    told = step(fold, many(BUSY_ROWS, 10))
    assert (busy.tallies, busy.counts) == ((), ())
    assert [counts.rows for counts in told.counts] == [BUSY_ROWS + 10] == [tally.rows for tally in told.tallies]
    assert weight(told.counts[0]) == [BUSY_ROWS + 10.0] * 2


def test_a_new_baseline_is_a_new_epoch_and_what_was_counted_before_is_still_told() -> None:
    fold = sense()
    step(fold, controls=[order(ONE)])
    step(fold, many(0, BUSY_ROWS), tick=0)
    before = step(fold, many(600, BUSY_ROWS), controls=[order(TWO, 1, ts=50_000)], tick=0)
    after = step(fold, many(1_200))
    assert [(counts.baseline, counts.epoch, counts.rows) for counts in (*before.counts, *after.counts)] == [
        (hash_of(ONE), 50_000, 2 * BUSY_ROWS),
        (hash_of(TWO), 50_001, 10),
    ]


def test_arming_the_same_baseline_keeps_its_epoch_and_repeating_a_promotion_changes_nothing() -> None:
    fold = sense()
    step(fold, controls=[order(ONE)])
    step(fold, controls=[order(ONE, 1, ts=70_000), order(ONE, 2, "armed", ts=80_000)])
    [counts] = step(fold, many(0)).counts
    assert (counts.epoch, counts.ladder) == (50_000, "armed")


@pytest.mark.parametrize("away", [order(None, 1), order(ONE, 1, "learning")])
def test_taking_a_baseline_away_ends_counting_and_the_next_is_a_later_epoch(away: Control) -> None:
    fold = sense()
    step(fold, controls=[order(ONE)])
    step(fold, controls=[away])
    assert step(fold, many(0)).counts == ()
    step(fold, controls=[order(ONE, 2, ts=1)])
    assert [counts.epoch for counts in step(fold, many(10)).counts] == [50_002]


def test_a_baseline_of_another_model_is_refused_and_reported_by_one_shard() -> None:
    control = order(ONE, model="prod/churn@1")
    faults = [fault for shard in range(2) for fault in step(sense(shard=shard, shards=2), controls=[control]).faults]
    assert [(fault.detector, fault.model) for fault in faults] == [("promotion", "prod/churn@1")]
    assert "it is of prod/fraud@7" in faults[0].error


def test_a_promotion_of_a_baseline_that_nobody_has_ends_the_process() -> None:
    with pytest.raises(HoleError, match=f"of {FRAUD} must be at hand"):
        step(SenseFold(0, Detection(shards=1, groups=1), {}), controls=[order(ONE)])


def test_a_census_that_raises_is_disabled_until_the_next_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    fold = sense()
    step(fold, controls=[order(ONE)])
    with monkeypatch.context() as broken:
        broken.setattr(census.Census, "count", lambda *_: 1 / 0)
        [fault] = step(fold, many(0)).faults
    assert (fault.detector, fault.model, fault.error) == ("census", FRAUD, "ZeroDivisionError: division by zero")
    restored = sense()
    restored.load(fold.dump())
    for one in (fold, restored):
        assert (step(one, many(10)).counts, step(one, many(20)).faults) == ((), ())
    step(restored, controls=[order(TWO, 1)])
    assert [counts.rows for counts in step(restored, many(30)).counts] == [10]


class Framed(EveryRow):
    """Compares with a baseline: refuses to be without one, and reads each row's caller as the baseline's origin."""

    def __init__(self, seat: Seat) -> None:
        super().__init__("framed")
        assert seat.baseline is not None
        self.origin = seat.baseline.origin

    def _reading(self, rows: Rows, row: int) -> Any:
        return msgspec.structs.replace(super()._reading(rows, row), watches=self.origin)


def test_a_detector_of_sense_that_needs_a_baseline_is_built_with_it_and_anew_with_the_next() -> None:
    plain = entry(EveryRow, model=True)
    framed = Entry(**{name: getattr(plain, name) for name in Entry.__slots__} | {"build": Framed, "reference": "frozen"})
    fold = sense({"framed": framed})
    assert step(fold, many(0)).readings == ()
    step(fold, controls=[order(ONE)])
    first = step(fold, many(10, 1))
    step(fold, controls=[order(TWO, 1)])
    second = step(fold, many(20, 1))
    assert [reading.watches for reading in (*first.readings, *second.readings)] == [ONE.origin, "two"]
    step(fold, controls=[order(None, 2)])
    assert step(fold, many(30)).readings == ()


class Watcher(EveryRow):
    """Watches the whole shard: reads each row with the origin of the baseline it may go by, if any."""

    def __init__(self, seat: Seat) -> None:
        super().__init__("watcher")
        self.baselines = seat.baselines

    def _reading(self, rows: Rows, row: int) -> Any:
        found = self.baselines.get(rows.model)
        return msgspec.structs.replace(super()._reading(rows, row), watches=found.origin if found else "none")


def test_a_detector_of_the_whole_shard_goes_by_armed_baselines_only() -> None:
    plain = entry(EveryRow)
    watcher = Entry(**{name: getattr(plain, name) for name in Entry.__slots__} | {"build": Watcher})
    fold, seen = sense({"watcher": watcher}), []
    steps = [order(TWO), order(TWO, 1, "armed"), order(ONE, 2), order(TWO, 3, "armed"), order(None, 4)]
    for number, control in enumerate(steps):
        step(fold, controls=[control])
        restored = sense({"watcher": watcher})
        restored.load(fold.dump())
        told = [step(one, many(10 * number, 1)).readings[0].watches for one in (fold, restored)]
        assert told[0] == told[1]
        seen.append(told[0])
    assert seen == ["none", "two", "none", "two", "none"]


def test_a_fold_restored_anywhere_says_the_same_bytes() -> None:
    rng = np.random.default_rng(1)
    frames, first = [], 0
    orders = {3: order(ONE, 0), 9: order(ONE, 1, "armed"), 14: order(TWO, 2), 20: order(None, 3), 24: order(ONE, 4)}
    for number in range(30):
        size = int(rng.integers(1, 2 * BUSY_ROWS))
        block = rows(range(first, first + size), callers=[f"c{n}" for n in rng.integers(0, 60, size)])
        ticks = [(0, 1_000 * number)] if number % 4 == 0 else []
        frames.append(frame(block, controls=[orders[number]] if number in orders else [], ticks=ticks, sources=(RAW, CONTROL)))
        first += size
    fold, restored = sense(), sense()
    for number, body in enumerate(frames):
        assert restored.apply(body, f"frames-0@{number}") == fold.apply(body, f"frames-0@{number}")
        assert restored.dump() == fold.dump()
        restored = sense()
        assert restored.load(fold.dump()) == []


def test_a_snapshot_from_before_baselines_starts_with_none() -> None:
    fold, restored = sense(), sense()
    step(fold, many(0), controls=[order(ONE)])
    old = {name: section for name, section in fold.dump().items() if name not in ("promotions", "census", "counts")}
    assert restored.load(old) == []
    assert step(restored, many(10)).counts == ()


def test_beyond_the_most_models_the_one_promoted_longest_ago_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotions, "MAX_MODELS", 2)
    names = [f"prod/fraud@{version}" for version in range(3)]
    made = {name: msgspec.structs.replace(ONE, model=name) for name in names}
    fold = SenseFold(0, Detection(shards=1, groups=1), {}, MemoryBaselines(made.values()))
    for at, name in enumerate(names):
        step(fold, controls=[order(made[name], at, model=name, ts=50_000 + at)])
    told = step(fold, *(many(20 * at, model=name) for at, name in enumerate(names)))
    assert [counts.model for counts in told.counts] == names[1:]
    restored = SenseFold(0, Detection(shards=1, groups=1), {}, MemoryBaselines(made.values()))
    restored.load(fold.dump())
    assert restored.dump() == fold.dump()


def test_all_shards_agree_on_the_epoch() -> None:
    folds = [sense(shard=shard, shards=3) for shard in range(3)]
    for fold in folds:
        step(fold, controls=[order(ONE), order(TWO, 1)])
    assert {counts.epoch for fold in folds for counts in step(fold, many(0)).counts} == {50_001}

from __future__ import annotations

import msgspec

from streams.judge import JudgeFold
from tests.helpers.detectors import EveryRow, entry
from tests.helpers.frames import FRAUD, RAW
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.config import Detection
from tocsin.event import Caller, Coordinates
from tocsin.reading import Order, Reading, Readings, Tally
from tocsin.signal import Signals

MALLORY = Caller("mallory", "user", 7)


def judge() -> JudgeFold:
    return JudgeFold(Detection(alerts_fleet_month=4.0), {"every_row": entry(EveryRow)})


def reading(count: int = 50) -> Reading:
    at = Coordinates(RAW, 9, 0)
    return Reading("every_row", 1, FRAUD, "caller rate", MALLORY, at, 120_000, 60_000, 9.0, 5.0, count, {"in_1m": 50})


def said(fold: JudgeFold, *, shard: int = 0, now: int = 0, **parts: tuple[object, ...]) -> Signals | None:
    body = pack(Readings(shard, Clock(now, now), **parts))  # type: ignore[arg-type]
    onward = fold.apply(body, "readings-0@0").onward
    return msgspec.msgpack.decode(onward[0], type=Signals) if onward else None


def test_a_crossing_becomes_a_signal_with_its_price_and_its_share() -> None:
    fold = judge()
    said(fold, tallies=(Tally(FRAUD, 200, 0, 60_000, 119_000),))
    signals = said(fold, readings=(reading(),))
    assert signals is not None
    assert [(s.caller, s.share, s.false_alerts_per_month) for s in signals.signals] == [(MALLORY, 0.25, 2.0)]


def test_the_same_reading_gives_the_same_uid_and_another_row_another() -> None:
    first, again = said(judge(), readings=(reading(),)), said(judge(), readings=(reading(),))
    moved = msgspec.structs.replace(reading(), at=Coordinates(RAW, 10, 0))
    other = said(judge(), readings=(moved,))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.signals[0].uid == again.signals[0].uid != other.signals[0].uid


def test_triage_is_told_the_time_once_a_second_even_when_nothing_happens() -> None:
    fold = judge()
    told = [said(fold, now=now) is not None for now in (10_000, 10_400, 10_999, 11_000, 11_500)]
    assert told == [True, False, False, True, False]


def test_the_clock_is_as_complete_as_the_slowest_shard_and_as_late_as_the_fastest() -> None:
    fold = judge()
    said(fold, shard=0, now=50_000)
    signals = said(fold, shard=1, now=60_000)
    assert signals is not None
    assert (signals.clock.now_ms, signals.clock.complete_ms) == (60_000, 50_000)


def test_orders_pass_through_at_once() -> None:
    fold = judge()
    said(fold, now=1_000)
    signals = said(fold, now=1_001, orders=(Order("u", 5, "silence", b"{}"),))
    assert signals is not None
    assert [order.uid for order in signals.orders] == ["u"]


def test_a_restored_judge_says_the_same_bytes() -> None:
    fold, restored = judge(), judge()
    said(fold, shard=1, now=5_000, tallies=(Tally(FRAUD, 10, 0, 60_000, 61_000),))
    restored.load(fold.dump())
    body = pack(Readings(0, Clock(7_000, 7_000), (reading(),)))
    assert restored.apply(body, "readings-0@1") == fold.apply(body, "readings-0@1")
    assert restored.dump() == fold.dump()

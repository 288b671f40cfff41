"""Every row of DETECTORS keeps the promises of `models/detector.py`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from functools import cache

import msgspec
import numpy as np
import pytest

from models.baseline import Baseline
from models.census import Census
from models.detector import CountsDetector, Detector, ReadingsDetector, Seat
from models.golden import Sample, build_baseline
from models.registry import DETECTORS
from tests.helpers.baselines import Feed
from tests.helpers.traffic import MODEL, cut, join, poisson, rows_at, sessions, steady, with_values
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Reading
from tocsin.rows import Rows

CLOCK = Clock()
CHANGED = 16_000
ATTACKER = 9_999


@cache
def frozen() -> Baseline:
    """Returns the baseline of calm traffic that every test here holds traffic against, as the product builds it."""
    sample = Sample()
    for rows in cut(rows_at(*poisson(99, 5_000, 0.01, 400), seed=99), 512):
        sample.add(rows)
    return build_baseline(sample, zone="UTC", alerts_per_model_month=1.0, origin="a test")


@dataclass
class Judged:
    """A detector of judge behind the census that feeds it: rows in, readings out, as from a detector of sense."""

    detector: CountsDetector
    feed: Feed = field(default_factory=lambda: Feed(Census(frozen(), 1)))

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns what judge would read in these rows."""
        return self.feed.weighed(self.detector, rows, 512)

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time."""

    def dump(self) -> bytes:
        """Returns the detector's state and that of what feeds it."""
        return pack((self.detector.dump(), self.feed.census.dump(), self.feed.before_ms, self.feed.earned_s))

    def load(self, data: bytes) -> None:
        """Replaces both."""
        try:
            state, census, before_ms, earned_s = msgspec.msgpack.decode(data, type=tuple[bytes, bytes, int, float])
        except msgspec.DecodeError:
            self.detector.load(data)
            raise
        self.detector.load(state)
        self.feed.census.load(census)
        self.feed.before_ms, self.feed.earned_s = before_ms, earned_s


def seated(name: str) -> object:
    entry = DETECTORS[name]
    return entry.build(Seat(0, 4, MODEL if entry.scope == "model" else "", entry.share, frozen(), {MODEL: frozen()}))


def build(name: str) -> Detector:
    built = seated(name)
    return Judged(built) if DETECTORS[name].stage == "judge" else built  # type: ignore[arg-type, return-value]


def which(stage: str) -> list[str]:
    """Returns the detectors of a stage that watch traffic; those that listen to other detectors see no rows."""
    return [name for name, e in DETECTORS.items() if e.stage == stage and not isinstance(seated(name), ReadingsDetector)]


sense_names = pytest.mark.parametrize("name", which("sense"))
names = pytest.mark.parametrize("name", which("sense") + which("judge"))


def observe(detector: Detector, rows: Rows, size: int = 512) -> list[Reading]:
    return [reading for block in cut(rows, size) for reading in detector.observe(block, CLOCK)]


@cache
def eventful() -> Rows:
    """Returns 40 minutes in which, from row CHANGED on, everything that a detector here is for happens."""
    calm = poisson(1, 500, 0.02, 2_400)
    rows = rows_at(*join(calm, steady(ATTACKER, 1_900, 10, 400)))
    after = {
        "confidence": rows.confidence[CHANGED:] * np.float32(0.5),
        "latency_ms": rows.latency_ms[CHANGED:] * np.float32(3),
        "values": rows.values[:, CHANGED:] * np.float32(30),
    }
    return with_values(rows, CHANGED, **after)


@cache
def uncut(name: str) -> tuple[list[Reading], bytes]:
    detector = build(name)
    return observe(detector, eventful()), detector.dump()


@names
def test_the_id_names_the_file_and_the_readings(name: str) -> None:
    module = importlib.import_module(f"models.{name}")
    assert name == module.ID
    assert DETECTORS[name].version == module.VERSION
    assert {(reading.detector, reading.version) for reading in uncut(name)[0]} == {(name, module.VERSION)}


def test_the_shares_of_the_budget_do_not_exceed_it() -> None:
    for scope in ("shard", "model"):
        spending = [entry for entry in DETECTORS.values() if entry.scope == scope and entry.claim != "advisory"]
        assert sum(entry.share for entry in spending) <= 1.0


@names
def test_it_finds_what_it_is_for_and_nothing_before(name: str) -> None:
    readings = uncut(name)[0]
    first = readings[0]
    assert first.at.offset >= CHANGED
    assert first.statistic >= first.threshold
    assert first.onset_ts <= first.ts
    assert len(readings) < 10


@sense_names
@pytest.mark.parametrize("size", [7, 1])
def test_any_cut_gives_the_same_readings_and_the_same_state(name: str, size: int) -> None:
    detector, rows = build(name), eventful()
    whole = CHANGED - 1_000  # what comes before is cut as ever, to save time
    readings = observe(detector, rows.select(slice(0, whole))) + observe(detector, rows.select(slice(whole, None)), size)
    assert (readings, detector.dump()) == uncut(name)


@names
def test_restarts_in_mid_stream_change_nothing(name: str) -> None:
    rows, readings, state = eventful(), [], build(name).dump()
    ends = np.sort(np.random.default_rng(7).choice(len(rows), 100, replace=False)).tolist()
    if DETECTORS[name].stage == "judge":  # it weighs whole records, so it stops between them
        ends = list(range(512, len(rows), 512))
    for begin, end in zip([0, *ends], [*ends, len(rows)], strict=True):
        detector = build(name)
        detector.load(state)
        assert detector.dump() == state
        readings += observe(detector, rows.select(slice(begin, end)))
        state = detector.dump()
    assert (readings, state) == uncut(name)


@names
def test_readings_can_be_sent(name: str) -> None:
    readings = uncut(name)[0]
    assert pack(readings) == pack(list(readings))
    assert all(isinstance(value, float | int | str) for reading in readings for value in reading.evidence.values())


@names
@pytest.mark.parametrize("seed", range(3))
def test_calm_traffic_is_passed_over_in_silence(name: str, seed: int) -> None:
    day = sessions(seed, 300, 0.4, 86_400, length=8)
    assert observe(build(name), rows_at(*day, seed=seed)) == []


@sense_names
def test_missing_values_are_skipped(name: str) -> None:
    rows = rows_at(*poisson(3, 100, 0.1, 600))
    nan = np.full(len(rows), np.nan, np.float32)
    holes = with_values(rows, 0, confidence=nan, latency_ms=nan, status=np.zeros(len(rows), np.int16))
    holes = with_values(holes, 0, values=np.where(rows.values > 30, np.float32(np.nan), rows.values))
    assert observe(build(name), holes) == []


@names
def test_what_nobody_measures_any_more_raises_no_alarm_about_its_value(name: str) -> None:
    rows = rows_at(*poisson(3, 100, 0.1, 600))
    nan = np.full(len(rows), np.nan, np.float32)
    assert observe(build(name), with_values(rows, 0, confidence=nan, latency_ms=nan)) == []


@sense_names
def test_blocks_without_features_and_without_rows_are_tolerated(name: str) -> None:
    rows = rows_at(*poisson(3, 100, 0.1, 60))
    bare = Rows(**{f: getattr(rows, f) for f in rows.__slots__} | {"features": (), "values": rows.values[:0]})
    detector = build(name)
    assert detector.observe(bare, CLOCK) == []
    assert detector.observe(rows.select(slice(0, 0)), CLOCK) == []
    assert observe(detector, rows) == []


@names
def test_times_out_of_order_are_tolerated(name: str) -> None:
    rows = rows_at(*poisson(3, 200, 0.1, 1_800))
    late = np.random.default_rng(1).integers(0, 10_000, len(rows))
    assert observe(build(name), with_values(rows, 0, ts=rows.ts - late)) == []


@names
def test_the_input_is_never_changed(name: str) -> None:
    rows = eventful().select(slice(0, 2_000))
    arrays = [f for f in rows.__slots__ if isinstance(getattr(rows, f), np.ndarray)]
    for column in arrays:
        getattr(rows, column).setflags(write=False)
    observe(build(name), rows)
    assert all(np.array_equal(getattr(rows, f), getattr(eventful(), f)[..., :2_000], equal_nan=f != "hash") for f in arrays)


@names
def test_a_million_events_of_a_million_callers_leave_a_bounded_state(name: str) -> None:
    detector = build(name)
    sizes = []
    for part in range(4):
        seconds = np.linspace(60.0 * part, 60.0 * (part + 1), 250_000, endpoint=False)
        who = np.random.default_rng(part).permutation(1_000_000)[:250_000]
        observe(detector, rows_at(seconds, who, seed=part), 4_096)
        sizes.append(len(detector.dump()))
    assert sizes[-1] < 6_000_000
    assert sizes[-1] - sizes[-2] < 1_000_000


@names
def test_a_fresh_state_is_small(name: str) -> None:
    detector = build(name)
    assert len(detector.dump()) < 20_000
    detector.tick(CLOCK)
    assert detector.dump() == build(name).dump()


@names
@pytest.mark.parametrize("data", [b"", b"\xff", pack([1, 2, 3]), pack({"a": 1})])
def test_bytes_that_are_no_state_are_refused_and_leave_it_cold(name: str, data: bytes) -> None:
    detector = build(name)
    with pytest.raises(StateError, match=name):
        detector.load(data)
    assert detector.dump() == build(name).dump()

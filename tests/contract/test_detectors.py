"""Every row of DETECTORS keeps the promises of `models/detector.py`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np
import pytest

from models.baseline import Baseline, hash_of
from models.census import Census
from models.detector import CountsDetector, Detector, ReadingsDetector, ReportsDetector, Scout, Seat
from models.golden import Sample, build_baseline
from models.registry import DETECTORS
from tests.helpers.baselines import Feed
from tests.helpers.traffic import MODEL, cut, poisson, rows_at, sessions, with_values
from tests.helpers.trials import MOST, MOST_STATE, Trial, calm, trial_of
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Reading, Reports
from tocsin.rows import Rows

CLOCK = Clock()
SHARDS = 4


@cache
def frozen(name: str = "") -> Baseline:
    """Returns the baseline that a detector's trial is held against, as the product builds it; of calm traffic without one."""
    golden, training = (trial(name).golden, trial(name).training) if name else (calm(), None)
    return frozen() if name and golden is calm() and training is None else _built(golden, training)


def _built(golden: Rows, training: Rows | None) -> Baseline:
    sample = Sample()
    sample.training = training
    for rows in cut(golden, 512):
        sample.add(rows)
    return build_baseline(sample, zone="UTC", alerts_per_model_month=1.0, origin="a test")


@dataclass
class Judged:
    """A detector of judge behind the census and the scout that feed it: rows in, readings out, as from one of sense."""

    name: str
    detector: CountsDetector | ReportsDetector
    scout: Scout | None
    feed: Feed
    looked: int = 0
    reported_ms: int = 0
    earned_s: float = 0.0

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns what judge would read in these rows."""
        found = self._reported(rows) if self.scout is not None and len(rows) else []
        return found + (self.feed.weighed(self.detector, rows, 512) if isinstance(self.detector, CountsDetector) else [])

    def _reported(self, rows: Rows) -> list[Reading]:
        assert self.scout is not None
        self.looked += len(rows)
        report = self.scout.look(rows)
        if report is None:
            return []
        latest, at = int(rows.ts.max()), rows.coordinates(len(rows) - 1)
        reports = Reports(
            self.name, DETECTORS[self.name].version, rows.model, hash_of(self.feed.census.baseline), 1, "armed",
            self.looked, int(rows.ts.min()), latest, at, report.callers, report.body,
        )  # fmt: skip
        seconds, self.earned_s = self.earned_s, max(latest - self.reported_ms, 0) / 1000 if self.reported_ms else 0.0
        self.looked, self.reported_ms = 0, max(latest, self.reported_ms)
        return self.detector.receive(reports, seconds)  # type: ignore[union-attr]

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time."""

    def dump(self) -> bytes:
        """Returns the detector's state and that of what feeds it."""
        scout = b"" if self.scout is None else self.scout.dump()
        told = (self.looked, self.reported_ms, self.earned_s)
        return pack((self.detector.dump(), scout, self.feed.census.dump(), self.feed.before_ms, self.feed.earned_s, told))

    def load(self, data: bytes) -> None:
        """Replaces all of it."""
        kind = tuple[bytes, bytes, bytes, int, float, tuple[int, int, float]]
        try:
            state, scout, census, before_ms, earned_s, told = msgspec.msgpack.decode(data, type=kind)
        except msgspec.DecodeError:
            if self.scout is not None:
                with pytest.raises(StateError, match=self.name):
                    self.scout.load(data)
            self.detector.load(data)
            raise
        self.detector.load(state)
        if self.scout is not None:
            self.scout.load(scout)
        self.feed.census.load(census)
        self.feed.before_ms, self.feed.earned_s = before_ms, earned_s
        self.looked, self.reported_ms, self.earned_s = told


def seat(name: str, baseline: Baseline) -> Seat:
    entry = DETECTORS[name]
    return Seat(0, SHARDS, MODEL if entry.scope == "model" else "", entry.share, baseline, {MODEL: baseline})


def build(name: str, baseline: Baseline | None = None) -> Detector:
    entry, baseline = DETECTORS[name], baseline or frozen()
    built = entry.build(seat(name, baseline))
    if entry.stage == "sense":
        return built  # type: ignore[no-any-return]
    return Judged(name, built, entry.scout and entry.scout(seat(name, baseline)), Feed(Census(baseline, 1)))


def which(stage: str) -> list[str]:
    """Returns the detectors of a stage that watch traffic; those that listen to other detectors see no rows."""
    mine = [(name, e) for name, e in DETECTORS.items() if e.stage == stage]
    return [name for name, e in mine if not isinstance(e.build(seat(name, frozen())), ReadingsDetector)]


sense_names = pytest.mark.parametrize("name", which("sense"))
names = pytest.mark.parametrize("name", which("sense") + which("judge"))


def observe(detector: Detector, rows: Rows, size: int = 512) -> list[Reading]:
    return [reading for block in cut(rows, size) for reading in detector.observe(block, CLOCK)]


@cache
def trial(name: str) -> Trial:
    return trial_of(name)


@cache
def uncut(name: str) -> tuple[list[Reading], bytes]:
    detector = build(name, frozen(name))
    return observe(detector, trial(name).rows), detector.dump()


@names
def test_the_id_names_the_file_and_the_readings(name: str) -> None:
    module = importlib.import_module(f"models.{name}")
    assert name == module.ID
    assert DETECTORS[name].version == module.VERSION
    assert {(reading.detector, reading.version) for reading in uncut(name)[0]} == {(name, module.VERSION)}


def test_the_shares_of_the_budget_do_not_exceed_it() -> None:
    spending = [entry for entry in DETECTORS.values() if entry.claim != "advisory"]
    for fleet in (True, False):
        shares = [entry.share for entry in spending if (entry.alerts_per_month(0.0, 1.0) > 0) == fleet]
        assert 0 < sum(shares) <= 1.0 + 1e-9


@names
def test_it_finds_what_it_is_for_and_nothing_before(name: str) -> None:
    readings = uncut(name)[0]
    first = readings[0]
    assert first.at.offset >= trial(name).changed
    assert first.statistic >= first.threshold
    assert first.onset_ts <= first.ts
    assert len(readings) < 10


@sense_names
@pytest.mark.parametrize("size", [7, 1])
def test_any_cut_gives_the_same_readings_and_the_same_state(name: str, size: int) -> None:
    detector, rows = build(name, frozen(name)), trial(name).rows
    whole = trial(name).changed - 1_000  # what comes before is cut as ever, to save time
    readings = observe(detector, rows.select(slice(0, whole))) + observe(detector, rows.select(slice(whole, None)), size)
    assert (readings, detector.dump()) == uncut(name)


@names
def test_restarts_in_mid_stream_change_nothing(name: str) -> None:
    rows, readings, state = trial(name).rows, [], build(name, frozen(name)).dump()
    ends = np.sort(np.random.default_rng(7).choice(len(rows), 100, replace=False)).tolist()
    if DETECTORS[name].stage == "judge":  # it weighs whole records, so it stops between them
        ends = list(range(512, len(rows), 512))
    for begin, end in zip([0, *ends], [*ends, len(rows)], strict=True):
        detector = build(name, frozen(name))
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
    whole = trial(name).rows
    rows = whole.select(slice(0, 2_000))
    arrays = [f for f in rows.__slots__ if isinstance(getattr(rows, f), np.ndarray)]
    for column in arrays:
        getattr(rows, column).setflags(write=False)
    observe(build(name, frozen(name)), rows)
    assert all(np.array_equal(getattr(rows, f), getattr(whole, f)[..., :2_000], equal_nan=f != "hash") for f in arrays)


@names
def test_a_million_events_of_a_million_callers_leave_a_bounded_state(name: str) -> None:
    detector = build(name)
    sizes = []
    for part in range(4):
        seconds = np.linspace(60.0 * part, 60.0 * (part + 1), 250_000, endpoint=False)
        who = np.random.default_rng(part).permutation(1_000_000)[:250_000]
        observe(detector, rows_at(seconds, who, seed=part), 4_096)
        sizes.append(len(detector.dump()))
    assert sizes[-1] < MOST_STATE.get(name, MOST)
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

"""Steps: what each piece of the path costs on its own, in one process without Kafka. Shows where the next halving is.

A step is timed over whole frames of 512, 128 and 32 rows; the fastest of several passes is reported, which is the cost on
an undisturbed core. What Faust, the Kafka clients and snapshots add is the difference to the `light` part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from bench.events import Traffic, records
from bench.frames import MODEL, SOURCE, Cut, cuts, frame_of
from bench.golden import learned
from models.adwin import Adwin
from models.baseline import Baseline
from models.census import Census, Counted
from models.detector import Entry, Seat
from models.loda import scores
from models.page_hinkley import PageHinkley
from models.quantity import features_of
from models.registry import DETECTORS
from models.sampling import Sampler
from streams.intake.core import Core
from streams.ledger import Ledger
from streams.stage.machine import Record
from streams.stages import STAGES
from tocsin.clock import Clock
from tocsin.config import Config, Detection, RawTopic
from tocsin.event import Coordinates
from tocsin.frame import Frame, decode_frame, encode_frame
from tocsin.ids import DEVELOPMENT_KEY, derive_key
from tocsin.reading import Counts
from tocsin.rows import rows_of

ROWS: Final = (512, 128, 32)
PASSES: Final = 3
CONFIG: Final = Config(topic=(RawTopic(SOURCE.topic, "canonical"),), detection=Detection(shards=1, groups=1))
ON_EVERY_ROW: Final = frozenset({"adwin", "page_hinkley"})
"""Detectors that the peers feed every event and Tocsin a sample; timed both ways, so that the difference can be seen."""

Run = Callable[[], object]


class Step(msgspec.Struct, frozen=True):
    """One step's CPU microseconds per event, by rows per frame."""

    part: str
    name: str
    us: dict[int, float]


def measure(events: int) -> list[Step]:
    """Returns every step's cost over `events` events of one model in one shard."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    [baseline] = learned(Traffic(events))
    for rows in ROWS:
        for part, name, run in _steps(Traffic(events), rows, baseline):
            found.setdefault((part, name), {})[rows] = min(_timed(run) for _ in range(PASSES)) / events * 1e6
    return [Step(part, name, us) for (part, name), us in found.items()]


def _timed(run: Run) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _steps(traffic: Traffic, rows: int, baseline: Baseline) -> Iterator[tuple[str, str, Run]]:
    """Yields (part, name, what to time); each run starts from fresh state."""
    raw, now = list(records(traffic)), traffic.start_ms + 120_000
    framed = _framed(raw, rows, now)
    yield "intake", "JSON records to frames", partial(_framed, raw, rows, now)
    yield "intake", "frames to wire bytes", partial(_encoded, framed)
    pieces = list(cuts(traffic, 1, rows))
    values = [encode_frame(frame_of(piece, 1)) for piece in pieces]
    readings = _through("sense", values)
    signals = _through("judge", readings)
    yield "sense", "wire bytes to columns", partial(_decode, values)
    for name, entry in DETECTORS.items():
        if entry.stage == "sense":
            yield "sense", name, partial(_detector, entry, pieces)
        if name in ON_EVERY_ROW:
            yield "sense", f"({name}, were it to read every row)", partial(_detector, entry, pieces, whole=True)
    yield "sense", "watermarks and clock", partial(_ledger, pieces)
    yield "sense", "(full duty: LODA scores)", partial(_scores, baseline, pieces)
    yield "sense", "(full duty: census, these scores among its quantities)", partial(_census, baseline, pieces)
    yield "judge", "(full duty: weighing each frame's counts)", partial(_weigh, baseline, _census(baseline, pieces))
    for stage, inputs in (("sense", values), ("judge", readings), ("triage", signals)):
        yield stage, "the whole fold", partial(_through, stage, inputs)


def _through(stage: str, values: list[bytes]) -> list[bytes]:
    """Returns what a cold stage sends onward when it reads these values from offset 0."""
    machine = STAGES[stage].machine(0, CONFIG)
    sends = [send for offset, value in enumerate(values) for send in machine.step(Record(f"{stage}-0@{offset}", offset, value))]
    return [send.value for send in sends if send.topic == STAGES[stage].onward]


def _scores(baseline: Baseline, pieces: list[Cut]) -> None:
    assert baseline.envelope is not None
    for piece in pieces:
        scores(baseline.envelope, features_of(baseline.features, piece.rows))


def _census(baseline: Baseline, pieces: list[Cut]) -> list[Counted]:
    census = Census(baseline, CONFIG.detection.shards)
    return [counted for piece in pieces for counted in census.count(piece.rows)]


def _weigh(baseline: Baseline, counted: list[Counted]) -> None:
    entries = [entry for entry in DETECTORS.values() if entry.stage == "judge"]
    detectors = [entry.build(Seat(model=MODEL, baseline=baseline)) for entry in entries]
    weighing = [detector for detector in detectors if hasattr(detector, "weigh")]
    for one in counted:
        at = Coordinates(SOURCE, 0, 0)
        counts = Counts(MODEL, "", 1, "armed", one.bucket, one.rows, one.first_ts, one.last_ts, at, b"", b"")
        for detector in weighing:
            detector.weigh(counts, one.weights, 1.0)


def _framed(raw: list[bytes], rows: int, now: int) -> list[Frame]:
    """Returns what intake makes of the records when frames are cut at `rows` rows."""
    core = Core(CONFIG, derive_key(DEVELOPMENT_KEY, "caller"))
    source = core.framer.number(SOURCE)
    for start in range(0, len(raw), rows):
        core.feed_run(source, [(offset, now, value) for offset, value in enumerate(raw[start : start + rows], start)])
        core.framer.flush(0)
    return [frame for _, frame in core.take()[0]]


def _encoded(framed: list[Frame]) -> list[bytes]:
    return [encode_frame(frame) for frame in framed]


def _decode(values: list[bytes]) -> None:
    for value in values:
        frame = decode_frame(value, "bench-0@0")
        for block in frame.blocks:
            rows_of(block, frame.sources)


def _ledger(pieces: list[Cut]) -> None:
    ledger = Ledger()
    for frame, rows in ((frame_of(piece, 1), piece.rows) for piece in pieces):
        ledger.advance(frame, [ledger.fresh(rows, ledger.watermarks(frame))])


def _detector(entry: Entry, pieces: list[Cut], *, whole: bool = False) -> None:
    detector = entry.build(Seat(model=MODEL))
    if whole:
        assert isinstance(detector, Adwin | PageHinkley)
        detector.sampler = Sampler(10**9)
    now = 0
    for piece in pieces:
        detector.observe(piece.rows, Clock(now, now, 0))
        if piece.tick_ms:
            clock = Clock(piece.tick_ms, piece.tick_ms, piece.tick_ms - now if now else 0)
            now = piece.tick_ms
            detector.tick(clock)

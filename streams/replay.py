"""Replay: the folds of a deployment over recorded input, as plain functions: no Kafka, no producer, nothing signed.

Input is a file of events, one per line in any known format, or a capture (`capture_file.py`), or records read from a topic.
Raw records are merged by append time, topic, partition and offset and framed by intake's own code; of a capture without raw
records its frames are taken as they are. The same input gives the same bytes, always.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Final

import numpy as np

from streams.baselines.chunks import baselines_in
from streams.baselines.store import NO_BASELINES, Baselines, MemoryBaselines
from streams.capture_file import RAW, Captured, is_capture, read_capture
from streams.chain import Chain
from streams.intake.core import frames_of, raw_topics
from streams.intake.record import RawRecord, Rejected
from streams.raw_events import Events, events_of_lines, merged
from streams.refusals import Way, paths_of, refused_in
from streams.stage.machine import Link, Send
from tocsin.codec import unpack
from tocsin.config import Config
from tocsin.errors import ConfigError
from tocsin.frame import Frame, decode_frame, encode_frame
from tocsin.ids import DEVELOPMENT_KEY, derive_key
from tocsin.signal import Signal, Signals

COUNTED: Final = {"readings": "readings", "signals": "signals", "alerts": "findings", "proposals": "proposals"}
"""Topic key → what a record of it is called in the counts."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finding and what it came from.

    Attributes:
        finding: OCSF JSON, as a SIEM would read it.
        signals: those of the record that made triage speak; empty when it was time alone.
    """

    finding: bytes
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay led to.

    Attributes:
        found: findings in order.
        proposals: JSON, in order.
        rejected: records and rows that intake refused.
        counts: frames and events in; records of readings, signals, findings and proposals that followed; rejected.
        callers: keyed hash in hex → (id as received, id kind), of everyone a finding may name.
    """

    found: tuple[Found, ...]
    proposals: tuple[bytes, ...]
    rejected: tuple[Rejected, ...]
    counts: dict[str, int]
    callers: dict[str, tuple[str, str]]

    @property
    def findings(self) -> list[bytes]:
        """Returns the findings' OCSF records, in order."""
        return [found.finding for found in self.found]


def replay_frames(
    frames: Iterable[tuple[int, Frame]],
    config: Config,
    rejected: Sequence[Rejected] = (),
    baselines: Baselines = NO_BASELINES,
    *,
    refused: frozenset[Way] = frozenset(),
    offsets: Iterable[int] | None = None,
) -> Replay:
    """Returns what follows from these frames, carried through one by one.

    Args:
        frames: (shard, frame).
        config: that of the deployment.
        rejected: read at the end.
        baselines: must hold what promotions in the frames name.
        refused: paths of records to pass over.
        offsets: of the frames, when they were recorded; as many as frames.
    """
    chain, places = Chain(config, baselines, refused), iter(repeat(None) if offsets is None else offsets)
    counts = dict.fromkeys(("frames", "events", *COUNTED.values(), "rejected"), 0)
    found: list[Found] = []
    proposals: list[bytes] = []
    callers: dict[str, tuple[str, str]] = {}
    for shard, frame in frames:
        counts["frames"] += 1
        counts["events"] += sum(block.rows for block in frame.blocks if block.kind == "inference")
        callers.update(_callers(frame))
        signals: tuple[Signal, ...] = ()
        for send in chain.append(shard, encode_frame(frame), next(places)):
            if send.topic in COUNTED:
                counts[COUNTED[send.topic]] += 1
            if send.topic == "signals":
                signals = _signals(send)
            elif send.topic == "alerts":
                found.append(Found(send.value, signals))
            elif send.topic == "proposals":
                proposals.append(send.value)
    counts["rejected"] = len(rejected)
    return Replay(tuple(found), tuple(proposals), tuple(rejected), counts, callers)


def replay_raw(
    records: Iterable[RawRecord], config: Config, key: bytes = DEVELOPMENT_KEY, baselines: Baselines = NO_BASELINES
) -> Replay:
    """Returns what follows from raw records in ledger order.

    Args:
        records: see `merged`.
        config: that of the deployment; it must name the records' topics.
        key: the deployment's key, by which callers are hashed: shards and hashes are the live ones only with the live key.
        baselines: what promotions among the records name.

    Raises:
        ConfigError: a record's topic is not in the configuration.
    """
    known, rejected = raw_topics(config), list[Rejected]()
    frames = frames_of(_known(records, frozenset(known)), config, derive_key(key, "caller"), rejected)
    return replay_frames(frames, config, rejected, baselines)


def replay_file(path: Path, config: Config, *, key: bytes = DEVELOPMENT_KEY, topic: str = "") -> tuple[Replay, Events]:
    """Returns what follows from a file, and where to look its events up again.

    Args:
        path: a capture, or lines of events.
        config: that of the deployment.
        key: the deployment's key.
        topic: for lines: the configured topic whose format they have; the file's name, sniffed, otherwise. Event time is the
            clock then.

    Raises:
        FileError: the file is damaged or cannot be read.
        ConfigError: a topic is not in the configuration.
    """
    if not is_capture(path):
        settings, events = events_of_lines(path, config, topic)
        return replay_raw(events.records(), settings, key), events
    return replay_captured(list(read_capture(path)), config, key)


def replay_captured(captured: Sequence[Captured], config: Config, key: bytes = DEVELOPMENT_KEY) -> tuple[Replay, Events]:
    """Returns what follows from captured raw records, or from captured frames where there are no raw ones.

    Where something was refused, frames are taken as well, for they are what was refused or led to it.

    Raises:
        FileError: what was refused is not in the capture.
    """
    events, baselines = Events(lambda: iter(merged(captured))), baselines_of(captured)
    refused = paths_of(captured, refused_in(captured))
    if any(record.role == RAW for record in captured) and not refused:
        return replay_raw(events.records(), config, key, baselines), events
    frames = sorted(
        (record for record in captured if record.role == "frames"),
        key=lambda record: (record.append_ms, record.partition, record.offset),
    )
    places, pairs = [record.offset for record in frames], ((record.partition, _frame(record)) for record in frames)
    return replay_frames(pairs, config, baselines=baselines, refused=refused, offsets=places), events


def baselines_of(captured: Iterable[Captured]) -> Baselines:
    """Returns the baselines that a capture carries: those that its promotions name are among them.

    Raises:
        VersionError: one is damaged, or a newer version wrote it.
    """
    records = ((record.key or b"", record.value or b"") for record in captured if record.role == "baselines")
    return MemoryBaselines(named=baselines_in(records, "the capture"))


def _callers(frame: Frame) -> Iterator[tuple[str, tuple[str, str]]]:
    for block in frame.blocks:
        for hash64, caller in zip(np.frombuffer(block.hashes, "<u8").tolist(), block.callers, strict=True):
            yield f"{hash64:016x}", caller


def _signals(send: Send) -> tuple[Signal, ...]:
    where = f"signals-{send.partition}"
    return unpack(unpack(send.value, Link, where).body, Signals, where).signals


def _known(records: Iterable[RawRecord], topics: frozenset[str]) -> Iterator[RawRecord]:
    for record in records:
        if record.topic not in topics:
            raise ConfigError(
                f"topic {record.topic!r} of the input must be in the configuration; it has {', '.join(sorted(topics))}"
            )
        yield record


def _frame(record: Captured) -> Frame:
    return decode_frame(record.value or b"", f"{record.topic}-{record.partition}@{record.offset}")

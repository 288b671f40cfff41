"""Verifier: recomputes every topic from the one before it and compares. Shares only the folds and wire types with Tocsin.

Links, watermarks, duplicates and holes are decided here by other code than the one under test, so a mistake in the stage
protocol cannot hide in both. Everything is read from offset 0; a difference is a line of text, no difference is success.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from streams.baselines.store import Baselines
from streams.stage.machine import Fold, Link
from streams.stages import STAGES
from tests.chaos.dump import Rec
from tocsin.config import Config
from tocsin.frame import Frame
from tocsin.rows import Rows, rows_of
from tocsin.state import Sections

Place = tuple[str, int, int, int]
"""(topic id, partition, offset, row): where a row entered."""
KILLS = "KILLS_WORKER"
"""Reason in the dead letter of a record that a stage refused."""
Fed = dict[tuple[str, int, int], list[dict[str, object]]]
"""(topic id, partition, offset) → the events that record holds; empty for garbage."""


@dataclass
class Report:
    """What was counted, and every difference found."""

    counts: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def expect(self, what: str, *, missing: Iterable[object] = (), extra: Iterable[object] = ()) -> None:
        """Notes what should be there and is not, and what is there and should not be."""
        for word, found in (("missing", list(missing)), ("extra", list(extra))):
            if found:
                self.counts[f"{what} {word}"] += len(found)
                self.differences.append(f"{what}: {len(found)} {word}, e.g. {found[:3]}")

    def line(self) -> str:
        """Returns all counts in one line, the number of differences last."""
        counts = [f"{name.replace(' ', '_')}={count}" for name, count in sorted(self.counts.items())]
        return " ".join([*counts, f"differences={len(self.differences)}"])


def check_ledger(fed: Fed, frames: list[Rec], dead_letters: list[Rec], report: Report) -> None:
    """Every row that Kafka acknowledged is in the ledger once, unchanged, in one shard; garbage is dead-lettered."""
    found: dict[Place, int] = {}
    homes: dict[int, int] = {}
    wrong = []
    for shard, rows in _fresh_rows(frames, report):
        for row in range(len(rows)):
            at = rows.coordinates(row)
            place = (at.source.topic_id, at.source.partition, at.offset, at.row)
            found[place] = found.get(place, 0) + 1
            events = fed.get(place[:3], [])
            if at.row >= len(events) or not _same(events[at.row], rows, row):
                wrong.append(place)
            if homes.setdefault(int(rows.hash[row]), shard) != shard:
                wrong.append(place)
    expected = {(*record, row) for record, events in fed.items() for row in range(len(events))}
    report.counts["rows"] = len(found)
    report.expect("rows", missing=expected - found.keys(), extra=found.keys() - expected)
    report.expect("rows twice in one watermark", extra=[place for place, times in found.items() if times > 1])
    report.expect("rows changed", extra=wrong)
    letters = [letter for letter in map(_letter, dead_letters) if letter["reason"] != KILLS]
    dead = {(letter["topic_id"], letter["partition"], letter["offset"]) for letter in letters}
    garbage = {record for record, events in fed.items() if not events}
    report.counts["dead letters"] = len(dead)
    report.expect("dead letters", missing=garbage - dead, extra=dead - garbage)
    report.expect("dead letters without reason", extra=[letter for letter in letters if not letter["reason"]])


def check_refusals(refused: Collection[tuple[str, int, int]], dead_letters: list[Rec], report: Report) -> None:
    """Exactly the (topic, partition, offset) that were refused are dead-lettered as what kills a worker."""
    letters = [letter for letter in map(_letter, dead_letters) if letter["reason"] == KILLS]
    told = {(letter["topic"], letter["partition"], letter["offset"]) for letter in letters}
    report.counts["refused"] = len(refused)
    report.expect("letters of refused records", missing=set(refused) - told, extra=told - set(refused))


def _letter(record: Rec) -> dict[str, Any]:
    letter: dict[str, Any] = json.loads(record.value or b"{}")
    return letter


def _fresh_rows(frames: list[Rec], report: Report) -> Iterable[tuple[int, Rows]]:
    seen: dict[tuple[int, str, int], int] = {}
    for record in frames:
        frame = msgspec.msgpack.decode(record.value or b"", type=Frame)
        marks = np.array([seen.get((record.partition, s.topic_id, s.partition), -1) for s in frame.sources])
        for block in frame.blocks:
            rows = rows_of(block, frame.sources)
            fresh = rows.select(rows.position > marks[rows.source])
            report.counts["rows repeated"] += len(rows) - len(fresh)
            for index, position in zip(fresh.source.tolist(), fresh.position.tolist(), strict=True):
                source = frame.sources[index]
                key = (record.partition, source.topic_id, source.partition)
                seen[key] = max(seen.get(key, -1), position)
            yield record.partition, fresh


def _same(event: dict[str, object], rows: Rows, row: int) -> bool:
    features, prediction = event["features"], event["prediction"]
    assert isinstance(features, dict)
    assert isinstance(prediction, dict)
    values = dict(zip(rows.features, rows.values[:, row].tolist(), strict=True))
    return (
        values == {name: float(np.float32(value)) for name, value in features.items()}
        and float(rows.confidence[row]) == float(np.float32(prediction["score"]))
        and float(rows.latency_ms[row]) == float(np.float32(str(event["latency_ms"])))
        and rows.callers[rows.caller[row]][0] == event["caller"]["id"]  # type: ignore[index]
    )


@dataclass
class Recomputed:
    """One stage, recomputed from its input topic.

    Attributes:
        links: (source partition, offset, downstream partition) → (prev, body).
        sends: (topic key, key, value) → times, of records that go to people.
        states: (partition, applied offset) → (fold sections, highest offset seen per source, last sent per downstream).
    """

    links: dict[tuple[int, int, int], tuple[int, bytes]] = field(default_factory=dict)
    sends: Counter[tuple[str, bytes, bytes]] = field(default_factory=Counter)
    states: dict[tuple[int, int], tuple[Sections, dict[int, int], dict[int, int]]] = field(default_factory=dict)


def recompute(
    stage: str,
    config: Config,
    records: list[Rec],
    snapshots: set[tuple[int, int]],
    baselines: Baselines,
    report: Report,
    refused: Collection[tuple[int, int]] = frozenset(),
) -> Recomputed:
    """Returns what a stage must have said and remembered, given its input topic and the offsets it took snapshots at.

    What it refused, (partition, offset), was passed over by the fold, yet is seen and applied.
    """
    made = Recomputed()
    build: Callable[[int, Config, Baselines], Fold] = STAGES[stage].build
    for partition in sorted({record.partition for record in records}):
        fold, seen, sent = build(partition, config, baselines), dict[int, int](), dict[int, int]()
        for record in (r for r in records if r.partition == partition):
            body = _body(stage, record, seen, report)
            if body is not None and (partition, record.offset) not in refused:
                outputs = fold.apply(body, _where(config, stage, record))
                for downstream, out in outputs.onward.items():
                    made.links[partition, record.offset, downstream] = (sent.get(downstream, -1), out)
                    sent[downstream] = record.offset
                made.sends.update((send.topic, send.key, send.value) for send in outputs.records)
            if (partition, record.offset) in snapshots:
                made.states[partition, record.offset] = (fold.dump(), dict(seen), dict(sent))
    report.counts[f"{stage} input"] = len(records)
    return made


def _where(config: Config, stage: str, record: Rec) -> str:
    from streams.clients import topic_name

    return f"{topic_name(config.kafka, STAGES[stage].input)}-{record.partition}@{record.offset}"


def _body(stage: str, record: Rec, seen: dict[int, int], report: Report) -> bytes | None:
    value = record.value or b""
    if not STAGES[stage].linked:
        return value
    link = msgspec.msgpack.decode(value, type=Link)
    if link.offset <= seen.get(link.source, -1):
        report.counts[f"{stage} input repeated"] += 1
        return None
    if link.prev > seen.get(link.source, -1):
        report.differences.append(f"{stage}: hole before {link.source}@{link.offset}: prev {link.prev} was never seen")
    seen[link.source] = link.offset
    return link.body


def check_links(stage: str, made: Recomputed, records: list[Rec], report: Report) -> None:
    """The stage's output topic holds exactly the links recomputed from its input; repeats are byte for byte the same."""
    found: dict[tuple[int, int, int], tuple[int, bytes]] = {}
    for record in records:
        link = msgspec.msgpack.decode(record.value or b"", type=Link)
        place = (link.source, link.offset, record.partition)
        if found.setdefault(place, (link.prev, link.body)) != (link.prev, link.body):
            report.differences.append(f"{stage}: {place} was sent twice with different bytes")
    report.counts[f"{stage} links"] = len(found)
    report.expect(f"{stage} links", missing=made.links.keys() - found.keys(), extra=found.keys() - made.links.keys())
    wrong = [place for place in found.keys() & made.links.keys() if found[place] != made.links[place]]
    report.expect(f"{stage} links with other bytes", extra=wrong)


def check_sends(topic: str, made: Iterable[Recomputed], records: list[Rec], report: Report) -> None:
    """A topic that people read holds exactly the records recomputed; equal key and uid mean equal bytes."""
    expected = {(key, value) for stage in made for (name, key, value) in stage.sends if name == topic}
    found = {(record.key or b"", record.value or b"") for record in records}
    report.counts[topic] = len(found)
    report.expect(topic, missing=expected - found, extra=found - expected)
    if topic == "alerts":
        by_uid: dict[str, bytes] = {}
        uids = [(json.loads(value)["metadata"]["uid"], value) for _, value in found]
        report.expect(
            "equal uids with other bytes", extra=[uid for uid, value in uids if by_uid.setdefault(uid, value) != value]
        )

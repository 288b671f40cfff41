"""Verify: reads all of one deployment's topics and runs every check. One line of counts, then the differences if any."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from models.baseline import Baseline
from streams.baselines.chunks import baselines_in
from streams.baselines.store import MemoryBaselines
from streams.clients import group_name, topic_name
from streams.positions import committed, watermarks
from streams.stage.machine import Link
from streams.stages import STAGES
from tests.chaos.dump import Rec, dump
from tests.chaos.states import Sample, Snapshots, check_committed, check_states, read_refused, read_snapshots
from tests.chaos.verifier import Fed, Recomputed, Report, check_ledger, check_links, check_refusals, check_sends, recompute
from tocsin.config import Config
from tocsin.ids import derive_key
from tocsin.reading import Counts, Readings

PEOPLE = ("alerts", "alerts_ecs", "proposals")
"""Topics that triage alone writes; nothing but what was recomputed may stand there."""


def read_log(path: Path, topic_id: str) -> Fed:
    """Returns what a feeder's log says was acknowledged under one topic id."""
    fed: Fed = {}
    for line in path.read_text().splitlines():
        partition, offset, events = json.loads(line)
        fed[topic_id, partition, offset] = events
    return fed


def sample(config: Config, stage: str) -> Sample:
    """Returns where a stage stands now."""
    kafka, state = config.kafka, topic_name(config.kafka, STAGES[stage].state)
    positions = committed(kafka, group_name(kafka, stage), [topic_name(kafka, STAGES[stage].input)])
    ends = watermarks(kafka, [state])
    return Sample(stage, {p: at for (_, p), at in positions.items()}, {p: found.end for (_, p), found in ends.items()})


def read_baselines(records: list[Rec]) -> dict[str, Baseline]:
    """Returns hash → baseline of everything in the baselines topic."""
    return baselines_in([(record.key or b"", record.value or b"") for record in records], "baselines")


def counts_in(record: Rec) -> tuple[Counts, ...]:
    """Returns what a record of the readings topic counts against baselines."""
    link = msgspec.msgpack.decode(record.value or b"", type=Link)
    return msgspec.msgpack.decode(link.body, type=Readings).counts


def verify(config: Config, key: bytes, fed: Fed, samples: list[Sample]) -> Report:
    """Returns the report on one deployment whose processes have drained and stopped."""
    report = Report()

    def read(topic_key: str) -> list[Rec]:
        return dump(config.kafka.brokers, topic_name(config.kafka, topic_key))

    topics = {name: read(name) for name in ("frames", "readings", "signals", "dead_letters", *PEOPLE)}
    check_ledger(fed, topics["frames"], topics["dead_letters"], report)
    baselines = read_baselines(read("baselines"))
    made: list[Recomputed] = []
    taken: dict[str, Snapshots] = {}
    refused: set[tuple[str, int, int]] = set()
    for name, stage in STAGES.items():
        state = read(stage.state)
        snapshots = taken[name] = read_snapshots(derive_key(key, "state"), name, state, report)
        passed = read_refused(derive_key(key, "state"), name, state, report)
        refused |= {(topic_name(config.kafka, stage.input), *place) for place in passed}
        computed = recompute(
            name, config, topics[stage.input], set(snapshots), MemoryBaselines(named=baselines), report, passed
        )
        if stage.onward:
            check_links(name, computed, topics[stage.onward], report)
        check_states(name, computed, snapshots, report)
        made.append(computed)
    check_refusals(refused, topics["dead_letters"], report)
    check_committed(samples, taken, report)
    report.counts["baselines"] = len(baselines)
    report.counts["counts"] = sum(len(counts_in(record)) for record in topics["readings"])
    for topic in PEOPLE:
        check_sends(topic, made, topics[topic], report)
    return report

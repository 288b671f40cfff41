"""Topics: every Kafka topic Tocsin owns, one line each. `tocsin topics create`, ACLs and docs derive from this table."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final, Literal

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of `TOPICS`.

    Attributes:
        name: without the prefix.
        partitions: a number, or which setting decides: `shards` or `groups`.
        cleanup: `delete` or `compact`.
        retention_ms: for `delete`.
        writers: who may write.
        readers: who may read.
        says: one line for people.
    """

    name: str
    partitions: int | Literal["shards", "groups"]
    cleanup: Literal["delete", "compact"]
    retention_ms: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    says: str


TOPICS: Final[dict[str, Topic]] = {
    "labels": Topic("ml.labels.v1", 4, "delete", 30 * DAY_MS, ("producers",), ("intake",), "delayed ground truth"),
    "control": Topic(
        "tocsin.control.v1",
        1,
        "delete",
        365 * DAY_MS,
        ("operator", "curator"),
        ("intake", "operator", "curator", "command"),
        "orders to the folds",
    ),
    "frames": Topic(
        "tocsin.frames.v1",
        "shards",
        "delete",
        7 * DAY_MS,
        ("intake",),
        ("sense", "curator", "replay"),
        "the ledger (sensitive)",
    ),
    "readings": Topic(
        "tocsin.readings.v1", "groups", "delete", 7 * DAY_MS, ("sense",), ("judge", "replay"), "what sense measured"
    ),
    "signals": Topic(
        "tocsin.signals.v1", 1, "delete", 90 * DAY_MS, ("judge",), ("triage", "replay"), "what crossed a threshold"
    ),
    "alerts": Topic("tocsin.alerts.v1", 4, "delete", 90 * DAY_MS, ("triage",), ("siem", "operator"), "OCSF findings"),
    "alerts_ecs": Topic("tocsin.alerts.ecs.v1", 4, "delete", 90 * DAY_MS, ("triage",), ("siem",), "the same, as ECS"),
    "proposals": Topic(
        "tocsin.proposals.v1", 4, "delete", 90 * DAY_MS, ("triage",), ("command", "operator"), "containment, unsigned"
    ),
    "approvals": Topic(
        "tocsin.approvals.v1", 1, "delete", 365 * DAY_MS, ("operator",), ("command", "operator"), "what people say, signed"
    ),
    "decisions": Topic(
        "tocsin.decisions.v1",
        1,
        "delete",
        365 * DAY_MS,
        ("command",),
        ("command", "operator", "replay"),
        "proposals, people's statements and ticks, in one order",
    ),
    "commands": Topic(
        "tocsin.commands.v1",
        4,
        "delete",
        365 * DAY_MS,
        ("command",),
        ("actuators", "operator"),
        "OpenC2 orders, signed",
    ),
    "enforcement": Topic(
        "tocsin.enforcement.v1",
        4,
        "compact",
        0,
        ("command",),
        ("actuators", "operator"),
        "what holds for each target; a tombstone releases it",
    ),
    "health": Topic(
        "tocsin.health.v1",
        1,
        "delete",
        30 * DAY_MS,
        ("intake", "sense", "judge", "triage", "curator", "command"),
        ("operator",),
        "what is unwell in Tocsin",
    ),
    "dead_letters": Topic(
        "tocsin.dead-letters.v1",
        4,
        "delete",
        7 * DAY_MS,
        ("intake", "sense", "judge", "triage", "command"),
        ("operator",),
        "refused records, with the reason",
    ),
    "baselines": Topic(
        "tocsin.baselines.v1",
        1,
        "compact",
        0,
        ("operator", "curator"),
        ("sense", "judge", "curator", "operator", "replay"),
        "frozen references of models, by content hash",
    ),
    "state_sense": Topic("tocsin.state.sense.v1", "shards", "compact", 0, ("sense",), ("sense",), "snapshots of sense"),
    "state_judge": Topic("tocsin.state.judge.v1", "groups", "compact", 0, ("judge",), ("judge",), "snapshots of judge"),
    "state_triage": Topic("tocsin.state.triage.v1", 1, "compact", 0, ("triage",), ("triage",), "snapshots of triage"),
    "state_command": Topic("tocsin.state.command.v1", 1, "compact", 0, ("command",), ("command",), "snapshots of command"),
}


def partitions_of(key: str, shards: int, groups: int) -> int:
    """Returns how many partitions a topic has under these settings."""
    wanted = TOPICS[key].partitions
    return {"shards": shards, "groups": groups}[wanted] if isinstance(wanted, str) else wanted


def partition_of(key: str, entity: str) -> int:
    """Returns the partition for an entity (a finding's uid, a model) in a topic with a fixed number of partitions."""
    count = TOPICS[key].partitions
    assert isinstance(count, int), key  # noqa: S101 - topics partitioned by a setting are addressed by shard or group
    return zlib.crc32(entity.encode()) % count

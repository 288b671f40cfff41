"""Recheck: does what stands in a capture follow from what stands before it, byte for byte?

Every stage is given the captured records of its input in their captured order and what it sends is set against what was
captured. A repeated record (a worker that restarted said it twice) is byte-identical, so topics are compared as sets. The
claim is exact only for a capture from the first record on: a fold that starts in the middle starts cold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from streams.capture_file import Captured
from streams.chain import Chain
from streams.raw_events import merged
from streams.refusals import refused_in
from streams.replay import baselines_of, replay_raw
from streams.stage.machine import Send
from streams.stages import STAGES
from tocsin.config import Config

EXACT: Final = ("readings", "signals", "alerts", "alerts_ecs", "proposals")
"""Topics that folds alone write; `health` has heartbeats in between."""

Line = tuple[int, bytes, bytes, tuple[tuple[str, bytes], ...]]
"""(partition, key, value, headers): what must be equal."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One topic, as captured and as recomputed.

    Attributes:
        topic: a key of `streams.topics.TOPICS`, or `incidents`.
        captured: distinct records in the capture.
        recomputed: distinct records that follow from the captured input.
        missing: of those, how many the capture lacks.
        extra: captured records that do not follow from anything.
    """

    topic: str
    captured: int
    recomputed: int
    missing: int
    extra: int

    @property
    def equal(self) -> bool:
        """Whether nothing is missing and nothing extra."""
        return not (self.missing or self.extra)


class Incident(NamedTuple):
    """What two runs must agree on when frames were cut elsewhere: model, kind and the callers' hashes, sorted."""

    model: str
    kind: str
    actors: tuple[str, ...]


def recheck(records: Sequence[Captured], config: Config, state_key: bytes | None = None) -> list[Compared]:
    """Returns one comparison per topic of `EXACT`, in that order.

    Args:
        records: a capture that holds frames and every topic of `EXACT`, whole, and the baselines that promotions name.
        config: that of the deployment.
        state_key: proves the refusals in the capture; see `refused_in`.

    Raises:
        StateError: a refusal is forged.
        HoleError: a captured link's predecessor is not in the capture.
        VersionError: the capture was written by a newer version, or with other shards.
    """
    captured: dict[str, set[Line]] = {topic: set() for topic in EXACT}
    recomputed: dict[str, set[Line]] = {topic: set() for topic in EXACT}
    for record in records:
        if record.role in captured:
            captured[record.role].add((record.partition, record.key or b"", record.value or b"", record.headers))
    chain = Chain(config, baselines_of(records))
    for (stage, partition), offsets in refused_in(records, state_key).items():
        chain.machine(stage, partition).refuse(offsets)
    for send in _resent(records, chain):
        if send.topic in recomputed:
            recomputed[send.topic].add((send.partition, send.key, send.value, send.headers))
    return [_compare(topic, captured[topic], recomputed[topic]) for topic in EXACT]


def _resent(records: Sequence[Captured], chain: Chain) -> Iterable[Send]:
    for stage in STAGES.values():
        inputs = (record for record in records if record.role == stage.input)
        for record in sorted(inputs, key=lambda record: (record.partition, record.offset)):
            yield from chain.step(stage.name, record.partition, record.offset, record.value or b"")


def _compare(topic: str, captured: set[Line], recomputed: set[Line]) -> Compared:
    return Compared(topic, len(captured), len(recomputed), len(recomputed - captured), len(captured - recomputed))


def recheck_incidents(records: Sequence[Captured], config: Config, key: bytes) -> tuple[Counter[Incident], Counter[Incident]]:
    """Returns (missing, extra): incidents that only the raw records lead to, and those that only the alerts tell of.

    Refusals are not honoured here: from raw records frames are cut anew, and what was refused was a frame or came from one.

    Args:
        records: a capture with the raw topics and the alerts, whole.
        config: that of the deployment.
        key: the deployment's key: without it callers have other hashes.
    """
    told = incidents_of(record.value or b"{}" for record in records if record.role == "alerts")
    follow = incidents_of(replay_raw(merged(records), config, key, baselines_of(records)).findings)
    return follow - told, told - follow


def compared_incidents(records: Sequence[Captured], config: Config, key: bytes) -> Compared:
    """Returns `recheck_incidents` as one more comparison: its topic is called `incidents`."""
    missing, extra = (counted.total() for counted in recheck_incidents(records, config, key))
    told = incidents_of(record.value or b"{}" for record in records if record.role == "alerts").total()
    return Compared("incidents", told, told - extra + missing, missing, extra)


def incidents_of(findings: Iterable[bytes]) -> Counter[Incident]:
    """Returns the incidents that OCSF findings tell of, each as often as it occurred, with all callers ever named in it."""
    actors: dict[str, set[str]] = {}
    about: dict[str, tuple[str, str]] = {}
    for finding in findings:
        record = orjson.loads(finding)
        uid = record["finding_info"]["uid"]
        about[uid] = (record["resources"][0]["uid"], record["metadata"]["event_code"])
        named = (evidence.get("actor") for evidence in record["evidences"])
        actors.setdefault(uid, set()).update(actor["user"]["uid_alt"] for actor in named if actor)
    return Counter(Incident(*about[uid], tuple(sorted(actors[uid]))) for uid in about)

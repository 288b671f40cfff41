"""Chain: every stage of a deployment in one process, without Kafka. What replay and its comparisons run.

The same Machines as the workers' (`streams.stages.STAGES`); only the topics between them are lists of offsets here. One
record is carried through to the end before the next is taken, so that the order in which shards meet is a function of the
input alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from streams.baselines.store import NO_BASELINES, Baselines
from streams.clients import topic_name
from streams.stage.machine import Machine, Record, Send
from streams.stages import STAGES, Stage
from streams.topics import partitions_of
from tocsin.config import Config

READERS: Final[dict[str, str]] = {stage.input: stage.name for stage in STAGES.values()}
"""Topic key → the stage that reads it."""


class Chain:
    """All machines of a configuration, cold.

    Attributes:
        config: shards, groups, budgets, privacy.
        ends: (topic key, partition) → the offset that the next record sent there would get.
    """

    def __init__(
        self, config: Config, baselines: Baselines = NO_BASELINES, refused: Collection[tuple[int, ...]] = frozenset()
    ) -> None:
        """Builds one machine per stage and partition.

        Args:
            config: of the deployment.
            baselines: must hold what promotions in the input name.
            refused: paths (`streams/refusals.py`) of records that are passed over when frames are pushed.
        """
        self.config = config
        self._refused = refused
        self.ends: dict[tuple[str, int], int] = {}
        self._machines = {
            (stage.name, n): stage.machine(n, config, baselines)
            for stage in STAGES.values()
            for n in _partitions(stage, config)
        }

    def step(self, stage: str, partition: int, offset: int, value: bytes) -> list[Send]:
        """Returns what one stage sends because of one record of its input; nothing goes further."""
        where = f"{topic_name(self.config.kafka, STAGES[stage].input)}-{partition}@{offset}"
        return self.machine(stage, partition).step(Record(where, offset, value))

    def push(self, stage: str, partition: int, offset: int, value: bytes, path: tuple[int, ...] = ()) -> Iterator[Send]:
        """Yields everything that any stage sends because of one record of this stage's input, causes first."""
        if path in self._refused:
            self.machine(stage, partition).refuse({offset})
        for send in self.step(stage, partition, offset, value):
            yield send
            if send.topic in READERS:
                onward = (*path, send.partition)
                yield from self.push(READERS[send.topic], send.partition, self._append(send), send.value, onward)

    def append(self, partition: int, frame: bytes, offset: int | None = None) -> Iterator[Send]:
        """Yields everything that follows from the next frame of a shard; `offset` is where it stood, if that is known."""
        taken = self._take("frames", partition)
        return self.push("sense", partition, taken, frame, (taken if offset is None else offset, partition))

    def machine(self, stage: str, partition: int) -> Machine:
        """Returns one machine.

        Raises:
            KeyError: the configuration has no such partition.
        """
        return self._machines[stage, partition]

    def _append(self, send: Send) -> int:
        return self._take(send.topic, send.partition)

    def _take(self, topic: str, partition: int) -> int:
        offset = self.ends.get((topic, partition), 0)
        self.ends[topic, partition] = offset + 1
        return offset


def _partitions(stage: Stage, config: Config) -> range:
    return range(partitions_of(stage.input, config.detection.shards, config.detection.groups))

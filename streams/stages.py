"""Stages: what runs between the topics, one line each. The worker, replay and the verifier all build from this table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from streams.judge import JudgeFold
from streams.sense import SenseFold
from streams.stage.machine import Fold, Machine
from streams.triage import TriageFold
from tocsin.config import Config


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of `STAGES`.

    Attributes:
        name: id; also its consumer group and principal.
        input: topic key it reads.
        linked: whether that input carries links from another stage.
        onward: topic key of the next stage's input, "" for the last.
        state: topic key of its snapshots.
        build: (partition, config) → a cold fold.
    """

    name: str
    input: str
    linked: bool
    onward: str
    state: str
    build: Callable[[int, Config], Fold]

    def machine(self, partition: int, config: Config) -> Machine:
        """Returns a cold machine for one input partition."""
        return Machine(partition, self.build(partition, config), linked=self.linked, onward=self.onward)


STAGES: Final[dict[str, Stage]] = {
    stage.name: stage
    for stage in (
        Stage("sense", "frames", False, "readings", "state_sense", lambda shard, config: SenseFold(shard, config.detection)),
        Stage("judge", "readings", True, "signals", "state_judge", lambda _group, config: JudgeFold(config.detection)),
        Stage("triage", "signals", True, "", "state_triage", lambda _partition, config: TriageFold(config)),
    )
}

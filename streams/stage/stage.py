"""Stage: one step between two topics, as the worker, replay and the verifier need to know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.baselines.store import NO_BASELINES, Baselines
from streams.stage.machine import Fold, Machine
from tocsin.config import Config


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of `streams.stages.STAGES`.

    Attributes:
        name: id; also its consumer group and principal.
        input: topic key it reads.
        linked: whether that input carries links from another stage.
        onward: topic key of the next stage's input, "" for the last.
        state: topic key of its snapshots.
        build: (partition, config, baselines) → a cold fold.
    """

    name: str
    input: str
    linked: bool
    onward: str
    state: str
    build: Callable[[int, Config, Baselines], Fold]

    def machine(self, partition: int, config: Config, baselines: Baselines = NO_BASELINES) -> Machine:
        """Returns a cold machine for one input partition; `baselines` is where it finds what promotions name."""
        return Machine(partition, self.build(partition, config, baselines), linked=self.linked, onward=self.onward)

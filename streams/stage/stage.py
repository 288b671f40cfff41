"""Stage: one step between two topics, as the worker, replay and the verifier need to know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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

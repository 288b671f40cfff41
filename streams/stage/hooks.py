"""Hooks: what a worker tells whoever keeps its numbers. Called from the event loop; must return at once and never raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streams.stage.machine import Send


class Hooks(Protocol):
    """An observer of stages; `Silent` is one that does nothing."""

    def beat(self) -> None:
        """The event loop turned."""
        ...

    def assigned(self, stage: str, partitions: int) -> None:
        """The group has given this process so many partitions of the stage, be it none; each will be `restored`."""
        ...

    def restored(self, stage: str, partition: int, applied: int, notes: Sequence[str]) -> None:
        """A partition is ready to go on after `applied`; `notes` say what could not be taken as it was."""
        ...

    def revoked(self, stage: str, partition: int) -> None:
        """A partition went to another worker."""
        ...

    def stepped(self, stage: str, partition: int, applied: int, seconds: float, appended: float, sends: Sequence[Send]) -> None:
        """One record was folded.

        Args:
            stage: its name.
            partition: of its input.
            applied: the record's offset.
            seconds: how long the fold took.
            appended: the record's append time, Unix seconds.
            sends: what is being sent because of it.
        """
        ...

    def snapshot(self, stage: str, partition: int, applied: int, size: int, seconds: float) -> None:
        """A snapshot of `size` bytes is durable, `seconds` after it was begun."""
        ...

    def lag(self, stage: str, partition: int, records: int) -> None:
        """So many input records are not applied yet, by the broker's last answer."""
        ...


class Silent:
    """Hooks that do nothing."""

    def beat(self) -> None:
        """Does nothing."""

    def assigned(self, stage: str, partitions: int) -> None:
        """Does nothing."""

    def restored(self, stage: str, partition: int, applied: int, notes: Sequence[str]) -> None:
        """Does nothing."""

    def revoked(self, stage: str, partition: int) -> None:
        """Does nothing."""

    def stepped(self, stage: str, partition: int, applied: int, seconds: float, appended: float, sends: Sequence[Send]) -> None:
        """Does nothing."""

    def snapshot(self, stage: str, partition: int, applied: int, size: int, seconds: float) -> None:
        """Does nothing."""

    def lag(self, stage: str, partition: int, records: int) -> None:
        """Does nothing."""

"""Hooks: what intake tells whoever keeps its numbers. Called from the main loop; must return at once and never raise."""

from __future__ import annotations

from typing import Protocol


class Hooks(Protocol):
    """An observer of intake; `Silent` is one that does nothing."""

    def beat(self) -> None:
        """The main loop turned."""
        ...

    def assigned(self, partitions: int | None) -> None:
        """So many raw partitions are read by this process now; None while the group decides."""
        ...

    def read(self, topic: str, records: int, lag_s: float) -> None:
        """Records of a topic were taken in; the last one was appended `lag_s` seconds ago."""
        ...

    def rejected(self, topic: str, reason: str) -> None:
        """A record or a row became a dead letter."""
        ...

    def framed(self, kind: str, model: str, rows: int) -> None:
        """Rows of a model (`kind`: `inference` or `label`) were put into a frame."""
        ...

    def delivered(self, shard: int, size: int) -> None:
        """A frame of `size` bytes is durable."""
        ...

    def committed(self, partitions: int) -> None:
        """Offsets of so many raw partitions were committed."""
        ...

    def lag(self, topic: str, partition: int, records: int, position: int) -> None:
        """So many records of a raw partition are not read yet, by the broker's last answer; `position` is read next."""
        ...

    def lost(self, topic: str, partition: int, records: int) -> None:
        """Retention took records before they were read."""
        ...


class Silent:
    """Hooks that do nothing."""

    def beat(self) -> None:
        """Does nothing."""

    def assigned(self, partitions: int | None) -> None:
        """Does nothing."""

    def read(self, topic: str, records: int, lag_s: float) -> None:
        """Does nothing."""

    def rejected(self, topic: str, reason: str) -> None:
        """Does nothing."""

    def framed(self, kind: str, model: str, rows: int) -> None:
        """Does nothing."""

    def delivered(self, shard: int, size: int) -> None:
        """Does nothing."""

    def committed(self, partitions: int) -> None:
        """Does nothing."""

    def lag(self, topic: str, partition: int, records: int, position: int) -> None:
        """Does nothing."""

    def lost(self, topic: str, partition: int, records: int) -> None:
        """Does nothing."""

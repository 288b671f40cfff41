"""Merge: frames of all shards in one order that depends on the ledger alone, so that every curator sees the same sample.

A frame may be passed on when no shard can still bring an earlier one: append times only rise along a partition, and every
shard is told the time every second. Ties go by shard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Arrived(NamedTuple):
    """One record of the ledger.

    Attributes:
        append_ms: its append time, at least that of the one before it.
        shard: its partition.
        offset: its offset.
        value: its bytes.
    """

    append_ms: int
    shard: int
    offset: int
    value: bytes


@dataclass(slots=True)
class Merge:
    """Frames that wait for earlier ones of other shards.

    Attributes:
        waiting: shard → its frames, oldest first; every shard has an entry.
    """

    waiting: dict[int, deque[Arrived]]

    def add(self, shard: int, offset: int, append_ms: int, value: bytes) -> None:
        """Takes a shard's next frame."""
        queue = self.waiting[shard]
        if queue:
            append_ms = max(append_ms, queue[-1].append_ms)
        queue.append(Arrived(append_ms, shard, offset, value))

    def ready(self) -> Iterator[Arrived]:
        """Yields the frames that nothing can precede any more."""
        while all(self.waiting.values()):
            first = min(self.waiting.values(), key=_head)
            yield first.popleft()

    def full(self, most: int) -> list[int]:
        """Returns the shards of which at least so many frames wait."""
        return [shard for shard, queue in sorted(self.waiting.items()) if len(queue) >= most]


def merge_of(shards: int) -> Merge:
    """Returns an empty merge of so many shards."""
    return Merge({shard: deque() for shard in range(shards)})


def _head(queue: deque[Arrived]) -> tuple[int, int]:
    return queue[0].append_ms, queue[0].shard

"""Acks: which raw offsets may be committed. Pure bookkeeping.

Rows of one raw record spread over shards and wait there, so a single acknowledgement says little. Therefore time is cut into
epochs: at the end of one, every buffer is flushed and the raw positions are noted. When all that was sent in an epoch and in
every earlier one is acknowledged, everything below its positions is durable and may be committed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Generic, TypeVar

Place = TypeVar("Place")


class Epoch(Generic[Place]):
    """What was sent between two flushes.

    Attributes:
        pending: records not acknowledged yet.
        positions: raw partition → next offset to read, None while the epoch is open.
    """

    __slots__ = ("pending", "positions")

    def __init__(self) -> None:
        """Starts open, with nothing sent."""
        self.pending = 0
        self.positions: Mapping[Place, int] | None = None


class Acks(Generic[Place]):
    """The epochs that are not committed yet, oldest first; the last one is open."""

    def __init__(self) -> None:
        """Starts with one open epoch."""
        self._epochs: deque[Epoch[Place]] = deque([Epoch()])

    def sent(self) -> Epoch[Place]:
        """Counts one record as sent; returns the epoch to hand to `acknowledged`."""
        epoch = self._epochs[-1]
        epoch.pending += 1
        return epoch

    def acknowledged(self, epoch: Epoch[Place]) -> None:
        """Counts one record of the epoch as durable."""
        epoch.pending -= 1

    def close(self, positions: Mapping[Place, int]) -> None:
        """Ends the open epoch: everything below these positions has been sent, and every buffer is empty."""
        self._epochs[-1].positions = dict(positions)
        self._epochs.append(Epoch())

    def durable(self) -> dict[Place, int]:
        """Returns positions that may be committed now and were not returned before; empty when there are none."""
        found: dict[Place, int] = {}
        while (positions := self._epochs[0].positions) is not None and not self._epochs[0].pending:
            found.update(positions)
            self._epochs.popleft()
        return found

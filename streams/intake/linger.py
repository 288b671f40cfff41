"""Linger: how long rows may wait for company. Pure; the caller brings the time.

numpy's price is per block, so blocks of a few rows are dear. While they average fewer than 24 rows the wait grows in
proportion, up to a quarter of a second; for blocks that would still be tiny then, up to three quarters. Forty quiet models
then cost what they must, and a busy model's latency stays a matter of milliseconds.
"""

from __future__ import annotations

from typing import Final

SHORTEST_S: Final = 0.050
STRETCHES: Final = ((24, 0.250), (12, 0.750))
"""Rows a block should have, and how long they may wait for it at most, seconds."""

LONGEST_S: Final = max(longest for _, longest in STRETCHES)
POLL_PART: Final = 6
"""Rows that may wait long are also read less often: a round of the loop has its price too."""
_WEIGHT: Final = 0.1


class Linger:
    """When each shard is due.

    Attributes:
        wait_s: how long rows may wait now, seconds.
    """

    def __init__(self, shards: int) -> None:
        """Starts with the shortest wait and nobody waiting."""
        self.wait_s = SHORTEST_S
        self._since: list[float | None] = [None] * shards

    @property
    def poll_s(self) -> float:
        """How long one round of the loop may wait for records, seconds."""
        return self.wait_s / POLL_PART

    def waits(self, shard: int, rows: int, now: float) -> bool:
        """Returns whether the shard must be flushed now.

        Args:
            shard: its number.
            rows: how many rows wait there.
            now: monotonic seconds.
        """
        since = self._since[shard]
        if not rows:
            self._since[shard] = None
            return False
        if since is None:
            self._since[shard] = since = now
        return now - since >= self.wait_s

    def cut(self, shard: int, rows: int, blocks: int) -> None:
        """Learns from a frame that was cut; what waits in the shard from now on starts its own wait."""
        self._since[shard] = None
        if blocks:
            aims = [min(longest, self.wait_s * wanted * blocks / rows) for wanted, longest in STRETCHES]
            self.wait_s += _WEIGHT * (max(SHORTEST_S, *aims) - self.wait_s)

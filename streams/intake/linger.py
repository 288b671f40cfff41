"""Linger: how long rows may wait for company. Pure; the caller brings the time.

numpy's price is per block, so blocks of a few rows are dear. While they average fewer than 32 rows the wait grows in
proportion, up to three quarters of a second: forty quiet models then cost what they must and latency stays bounded.
"""

from __future__ import annotations

from typing import Final

SHORTEST_S: Final = 0.050
LONGEST_S: Final = 0.750
WANTED_ROWS: Final = 32
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
            aim = min(LONGEST_S, max(SHORTEST_S, self.wait_s * WANTED_ROWS * blocks / rows))
            self.wait_s += _WEIGHT * (aim - self.wait_s)

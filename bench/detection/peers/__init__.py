"""Peers: published detectors of query attacks, written anew from their papers, for comparison on the same rows."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Point = NDArray[np.float32]
"""(features,), standardised."""


class Peer(Protocol):
    """Watches queries one by one."""

    def observe(self, x: Point, caller: int, label: int) -> bool:
        """Returns whether this query raises an alarm.

        Args:
            x: the query.
            caller: who asks.
            label: the class that the victim answered.
        """
        ...


class Never:
    """Never fires: what a table's numbers are worth when there is no detector at all."""

    def observe(self, _x: Point, _caller: int, _label: int) -> bool:
        """Returns False."""
        return False


class Always:
    """Always fires: finds everything at once, and accuses everybody."""

    def observe(self, _x: Point, _caller: int, _label: int) -> bool:
        """Returns True."""
        return True

"""Start: where to read a raw partition from. Pure.

A commit carries the topic's id as metadata, because a topic that was deleted and created again has the old name and other
records: what was committed for its predecessor says nothing about it.
"""

from __future__ import annotations

from typing import NamedTuple

from tocsin.errors import HoleError


class Start(NamedTuple):
    """Where to begin.

    Attributes:
        offset: the first offset to read.
        lost: (first, last) offset that retention took before they were read, None when nothing was lost.
    """

    offset: int
    lost: tuple[int, int] | None = None


def start_of(committed: int, metadata: str | None, topic_id: str, first: int, end: int) -> Start:
    """Returns where to begin.

    Args:
        committed: the group's offset; negative when there is none.
        metadata: what was committed beside it.
        topic_id: of the topic as it is now.
        first: where its log starts now.
        end: the offset that its next record will get.

    Raises:
        HoleError: the commit lies beyond the end of the same topic: the broker has lost records that are in the ledger.
    """
    if committed < 0 or metadata != topic_id:
        return Start(first)
    if committed > end:
        raise HoleError(f"raw topic {topic_id}: a log up to the committed offset {committed} expected; it ends at {end}")
    return Start(committed) if committed >= first else Start(first, (committed, first - 1))

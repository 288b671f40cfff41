"""Seek: asks Faust's consumer for a record again that it skipped.

Faust's reader notes a message's offset after it has delivered it, and drops what is below the noted one; a seek that comes
while a fetched batch is still being delivered is therefore undone. So: pause the partition, wait until nothing of it comes
any more, seek, resume, and look whether the record comes; if not, again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from faust.types import TP

from streams.stage.pace import Pace
from streams.stage.part import Part
from tocsin.errors import HoleError


async def seek_back(consumer: Any, tp: TP, part: Part, where: str, pace: Pace, mine: Callable[[], bool]) -> None:
    """Returns when the record after `part.machine.applied` has come, or the partition is no longer ours.

    Args:
        consumer: Faust's.
        tp: the input partition.
        part: its state; `beyond` is kept up to date by whoever drops messages.
        where: what is missing, for the message.
        pace: see there.
        mine: whether the partition is still assigned to `part`.

    Raises:
        HoleError: it did not come after `pace.seeks` attempts.
    """
    clock, wanted = asyncio.get_running_loop().time, part.machine.applied + 1
    for _ in range(pace.seeks):
        while clock() - part.beyond < pace.quiet_s:
            consumer.pause_partitions({tp})
            await asyncio.sleep(pace.pulse_s)
        if not mine():
            return
        await consumer.seek_wait({tp: wanted})
        consumer.resume_partitions({tp})
        deadline = clock() + pace.seek_s
        while clock() < deadline:
            if part.machine.applied >= wanted or not mine():
                part.seeking = False
                return
            await asyncio.sleep(pace.pulse_s)
    raise HoleError(f"{where}; {pace.seeks} seeks did not bring it")

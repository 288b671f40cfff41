"""Part: one assigned partition of a stage — its machine, what it holds back from Kafka, and its snapshots.

Order, per partition: step → queue its sends → hold the message. Then, every so often: dump the state and note what is held →
wait until every send queued before the dump is acknowledged → write chunks → write the manifest → acknowledge the held
messages in one synchronous loop. A crash anywhere leaves committed <= snapshot + 1, and everything after it is repeated
with the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from streams.stage import snapshots
from streams.stage.machine import Machine
from streams.stage.opening import Restored
from streams.stage.outbox import Outbox
from streams.stage.pace import Pace
from streams.stage.snapshots import Item, Origin
from streams.stage.trial import Trial

KEPT = 2
"""Durable snapshots in the topic."""


class Store:
    """One partition of a state topic, for writing.

    Attributes:
        partition: of the stage's input and of the topic.
        kept: applied offset → chunks, of every snapshot in the topic.
        damaged: those of them that are unusable.
    """

    def __init__(self, producer: Any, topic: str, partition: int, restored: Restored) -> None:
        """Starts from what was found at restore."""
        self.partition = partition
        self.kept = dict(restored.kept)
        self.damaged = set() if restored.refused is None else {restored.refused.applied}
        self._producer = producer
        self._topic = topic

    async def write(self, items: list[Item]) -> None:
        """Returns when all items are durable, the last one after all others."""
        sent = [await self._send(item) for item in items[:-1]]
        await asyncio.gather(*sent)
        await (await self._send(items[-1]))

    async def keep(self, applied: int, items: list[Item]) -> None:
        """Writes a snapshot and tombstones whatever is older than the two newest usable ones."""
        await self.write(items)
        self.kept[applied] = len(items) - 1
        self.damaged.discard(applied)
        older = sorted(offset for offset in self.kept if offset <= applied)
        usable = [offset for offset in older if offset not in self.damaged][-KEPT:]
        for offset in older:
            if offset not in usable:
                await self.write(snapshots.tombstones(self.partition, offset, self.kept.pop(offset)))

    async def _send(self, item: Item) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = await self._producer.send(self._topic, item.value, key=item.key, partition=self.partition)
        return future


class Part:
    """One assigned partition.

    Attributes:
        machine: the pure half.
        outbox: its sends.
        store: its snapshots.
        trial: what earlier starts died of.
        durable: applied offset of the newest durable snapshot.
        low: first offset of the input at restore.
        size: bytes of the last snapshot.
        seeking: whether a missing record is being asked for again.
        beyond: when the last message came that is beyond it, by the event loop's clock.
    """

    def __init__(self, machine: Machine, outbox: Outbox, store: Store, trial: Trial, low: int, now: float) -> None:
        """Starts at the machine's position, which is durable."""
        self.machine = machine
        self.outbox = outbox
        self.store = store
        self.trial = trial
        self.durable = machine.applied
        self.low = low
        self.size = 0
        self.seeking = False
        self.beyond = 0.0
        self.lock = asyncio.Lock()
        self._held: list[Any] = []
        self._last = now

    def hold(self, event: Any) -> None:
        """Keeps a stepped message from being committed."""
        self._held.append(event)

    def due(self, pace: Pace, now: float) -> bool:
        """Returns whether it is time for a snapshot and there is something new in it."""
        interval = max(pace.snapshot_s, self.size / pace.snapshot_bytes_s)
        return now - self._last >= interval and self.machine.applied > self.durable and not self.lock.locked()

    async def snapshot(self, key: bytes, origin: Origin, pace: Pace, mine: Callable[[], bool]) -> bool:
        """Makes the present state durable, then acknowledges what it contains; returns whether there was anything to do.

        Args:
            key: 32 bytes from `derive_key(…, "state")`.
            origin: who writes.
            pace: see there.
            mine: whether the partition is still assigned; messages of a former assignment must not be acknowledged.
        """
        async with self.lock:
            if self.machine.applied <= self.durable:
                return False
            self._last = asyncio.get_running_loop().time()
            applied, held, self._held = self.machine.applied, self._held, []
            sections = self.machine.dump()
            items = snapshots.write(key, origin, self.store.partition, applied, self.machine.links, sections, pace.chunk_bytes)
            self.size = sum(len(item.value or b"") for item in items)
            await self.outbox.acknowledged()
            await self.store.keep(applied, items)
            self.durable = applied
            if mine():
                for event in held:
                    event.ack()
            return True

"""Outbox: one machine's sends, in order per downstream partition, each acknowledged before the next leaves.

Why one at a time: were send k to fail while k + 1 is under way, k + 1 could land and its reader would see a hole. So a lane
(topic, partition) has at most one unacknowledged request, and a failure ends the process before the next. What queues up
meanwhile leaves as one record batch, which Kafka appends whole or not at all: waiting costs latency, never throughput.
Lanes are independent, so a slow partition delays no other.

A send that hangs (an idempotent producer may, through a whole outage, whatever its timeout says) is noticed by `oldest`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from streams.stage.machine import Send

MAX_QUEUED = 64
"""Sends a lane may hold before its machine has to wait."""


class Lane:
    """One downstream partition, as one machine sees it."""

    def __init__(self, producer: Any, topic: str, partition: int) -> None:
        """Starts idle."""
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._queue: deque[Send] = deque()
        self._queued = self._acknowledged = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.since = 0.0

    def put(self, send: Send, start: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        """Queues a send; `start` runs the lane's coroutine if it is idle."""
        self._queue.append(send)
        self._queued += 1
        if not self.since:
            self.since = asyncio.get_running_loop().time()
            start(self._run())

    async def acknowledged(self, behind: int = 0) -> None:
        """Returns once all sends queued so far, but for the last `behind`, have been acknowledged."""
        mark = self._queued - behind
        if mark > self._acknowledged:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((mark, future))
            await future

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._queue:
            self.since = clock()
            self._acknowledged += await self._request()
            for mark, future in list(self._waiting):
                if mark <= self._acknowledged and not future.done():
                    future.set_result(None)
            self._waiting = deque(waiter for waiter in self._waiting if not waiter[1].done())
        self.since = 0.0

    async def _request(self) -> int:
        """Sends what is queued, as far as one batch holds it; returns how many sends were acknowledged."""
        if len(self._queue) == 1:
            send = self._queue.popleft()
            await self._producer.send_and_wait(
                self._topic, send.value or None, key=send.key, partition=self._partition, headers=list(send.headers)
            )
            return 1
        batch = self._producer.create_batch()
        while self._queue:
            send = self._queue[0]
            if batch.append(key=send.key, value=send.value or None, timestamp=None, headers=list(send.headers)) is None:
                break
            self._queue.popleft()
        await (await self._producer.send_batch(batch, self._topic, partition=self._partition))
        return int(batch.record_count())


class Outbox:
    """All lanes of one machine."""

    def __init__(
        self, producer: Any, name_of: Callable[[str], str], start: Callable[[Coroutine[Any, Any, None]], object]
    ) -> None:
        """Starts without lanes.

        Args:
            producer: a started `AIOKafkaProducer`, idempotent, acks all.
            name_of: topic key → topic name.
            start: runs a coroutine whose failure ends the process with UNDELIVERED.
        """
        self._producer = producer
        self._name_of = name_of
        self._start = start
        self._lanes: dict[tuple[str, int], Lane] = {}

    def put(self, sends: Sequence[Send]) -> None:
        """Queues the sends of one step, all at once: a snapshot never sees half a step."""
        for send in sends:
            lane = self._lanes.get((send.topic, send.partition))
            if lane is None:
                lane = Lane(self._producer, self._name_of(send.topic), send.partition)
                self._lanes[send.topic, send.partition] = lane
            lane.put(send, self._start)

    async def room(self) -> None:
        """Returns when no lane holds more than `MAX_QUEUED` sends; what keeps a fast fold from outrunning Kafka."""
        for lane in list(self._lanes.values()):
            await lane.acknowledged(behind=MAX_QUEUED)

    async def acknowledged(self) -> None:
        """Returns once everything queued so far has been acknowledged."""
        for lane in list(self._lanes.values()):
            await lane.acknowledged()

    def oldest(self, now: float) -> float:
        """Returns for how many seconds the oldest unacknowledged send has been waiting, by the event loop's clock."""
        return max((now - lane.since for lane in self._lanes.values() if lane.since), default=0.0)

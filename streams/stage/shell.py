"""Shell: one stage on stock Faust — an agent body around `Machine`, one partition at a time.

Protocol, per message (DESIGN §5):
1. At or below the durable snapshot: acknowledge at once, it is in there.
2. Beyond applied + 1: the framework skipped something (it does after a rebalance before the first commit, and after a damaged
   snapshot the committed offset itself is too far): seek back to applied + 1. Below the log's start that is a hole.
3. Otherwise step, queue the sends, hold the message; `part.py` says when it is acknowledged.
A partition is restored when it is assigned; messages wait for that, and after every wait the generation is checked again,
because the partition may have gone to another worker meanwhile. No exception ever leaves the agent body: the framework would
acknowledge the message that caused it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from faust.types import TP

from streams.baselines.store import Baselines
from streams.clients import topic_name
from streams.stage.fatal import die, guarded, spawn
from streams.stage.hooks import Hooks
from streams.stage.machine import Record, Send
from streams.stage.opening import Start, begin
from streams.stage.outbox import Outbox
from streams.stage.pace import Pace
from streams.stage.part import Part, Store
from streams.stage.restore import restore
from streams.stage.seek import seek_back
from streams.stage.snapshots import Origin
from streams.stage.stage import Stage
from streams.stage.trial import dead_letter, refusal_item, starts_item
from streams.stage.watch import Stall, ends_of
from streams.topics import partition_of
from tocsin.codec import json_bytes
from tocsin.config import Config
from tocsin.errors import Exit, HoleError
from tocsin.ids import uid


class Shell:
    """One stage of one worker."""

    def __init__(
        self,
        app: Any,
        stage: Stage,
        config: Config,
        key: bytes,
        origin: Origin,
        pace: Pace,
        hooks: Hooks,
        baselines: Baselines,
    ) -> None:
        """Starts with nothing assigned.

        Args:
            app: the stage's `faust.App`.
            stage: what runs here.
            config: of the deployment.
            key: 32 bytes from `derive_key(…, "state")`.
            origin: what snapshots say about their writer.
            pace: see there.
            hooks: see there.
            baselines: where folds find what promotions name.
        """
        self._baselines = baselines
        self._app, self._stage, self._config, self._key = app, stage, config, key
        self._origin, self._pace, self._hooks = origin, pace, hooks
        self._topic = topic_name(config.kafka, stage.input)
        self._state = topic_name(config.kafka, stage.state)
        self._log = structlog.get_logger("streams.stage").bind(stage=stage.name)
        self._parts: dict[int, Part] = {}
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._counted: set[int] = set()
        self._stopping = False
        self.producer: Any = None

    async def run(self, stream: Any) -> None:
        """The agent body."""
        await guarded(self._consume(stream))

    async def _consume(self, stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            part = self._parts.get(message.partition)
            if part is None:
                part = await self._opened(message.partition)
            if part is None or self._stopping or message.generation_id != self._app.consumer_generation_id:
                continue
            offset = message.offset
            if offset <= part.durable:
                event.ack()
            elif offset > part.machine.applied + 1:
                self._beyond(part, message)
            elif part.trial.single:
                await self._step_alone(part, event)
            else:
                self._step(part, event)
                await part.outbox.room()

    def _step(self, part: Part, event: Any) -> None:
        message = event.message
        if message.offset > part.machine.applied:
            began = time.perf_counter()
            sends = part.machine.step(self._record(message, event.value))
            took = time.perf_counter() - began
            part.outbox.put(sends)
            self._hooks.stepped(self._stage.name, message.partition, message.offset, took, message.timestamp, sends)
        part.hold(event)

    async def _step_alone(self, part: Part, event: Any) -> None:
        """Steps one record so that, should it kill the process, it is known which one did."""
        message, name = event.message, self._stage.name
        if part.trial.convicts(message.offset):
            await part.store.write([refusal_item(self._key, name, message.partition, message.offset)])
            part.machine.refuse({message.offset})
            record = self._record(message, event.value)
            self._log.error("refused", where=record.where, attempts=part.trial.attempts)
            note = self._note(message.partition, f"{record.where}: dead-lettered, it kills the worker")
            part.outbox.put([dead_letter(name, self._topic, message.partition, record), note])
        else:
            part.trial = part.trial.naming(message.offset)
            await part.store.write([starts_item(self._key, name, message.partition, part.trial)])
        if message.generation_id != self._app.consumer_generation_id:
            return
        self._step(part, event)
        await self._snapshot(message.partition, part)
        part.trial = part.trial.passed()
        if not part.trial.single:
            await part.store.write([starts_item(self._key, name, message.partition, part.trial)])

    def _beyond(self, part: Part, message: Any) -> None:
        """Drops a message that came too early, and sees to it that the right one comes."""
        part.beyond = asyncio.get_running_loop().time()
        if part.seeking:
            return
        wanted = part.machine.applied + 1
        where = f"{self._topic}-{message.partition}: offset {wanted} must come next, {message.offset} came"
        if wanted < part.low:
            raise HoleError(f"{where}; the log starts at {part.low}, retention took what is between")
        part.seeking = True
        self._log.warning("seek_back", partition=message.partition, why=where)
        mine = self._mine(message.partition, part)
        spawn(seek_back(self._app.consumer, TP(self._topic, message.partition), part, where, self._pace, mine))

    async def assigned(self, partitions: Iterable[int]) -> None:
        """Begins to restore every partition, all at once; `revoked` has run before."""
        self._parts = {}
        self._opening = {partition: spawn(self._open(partition)) for partition in sorted(partitions)}
        self._hooks.assigned(self._stage.name, len(self._opening))

    async def revoked(self) -> None:
        """Lets go of every partition; small states are saved first, so that the next owner repeats less."""
        parts, self._parts, self._opening = self._parts, {}, {}
        saving = []
        for partition, part in parts.items():
            self._hooks.revoked(self._stage.name, partition)
            if part.size < self._pace.cheap_bytes:
                saving.append(spawn(self._snapshot(partition, part), Exit.UNDELIVERED))
        if saving:
            await asyncio.wait(saving, timeout=self._pace.revoke_s)

    async def stop(self) -> None:
        """Saves everything, acknowledges and commits it; nothing is stepped from now on."""
        self._stopping = True
        for partition, part in list(self._parts.items()):
            await self._snapshot(partition, part)
        for _ in range(2):  # a commit that was under way does not know of the last acknowledgements
            await self._app.consumer.commit()

    async def pulse(self) -> None:
        """Looks, for ever, for snapshots that are due and for sends that hang."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._pace.pulse_s)
            self._hooks.beat()
            now = clock()
            for partition, part in list(self._parts.items()):
                if (age := part.outbox.oldest(now)) > self._pace.send_s:
                    die(
                        Exit.UNDELIVERED,
                        f"{self._topic}-{partition}: a send must be acknowledged in {self._pace.send_s} s; {age:.0f} s",
                    )
                if part.due(self._pace, now) and not self._stopping:
                    spawn(self._snapshot(partition, part), Exit.UNDELIVERED)

    async def watch(self) -> None:
        """Asks the broker, for ever, how far behind each partition is; ends the process when one is stuck."""
        loop, stall = asyncio.get_running_loop(), Stall(self._pace.stall_s)
        while True:
            await asyncio.sleep(self._pace.watch_s)
            ends = await loop.run_in_executor(None, ends_of, self._config.kafka, self._topic, sorted(self._parts))
            for partition, part in self._parts.items():
                if partition not in ends:
                    continue
                self._hooks.lag(self._stage.name, partition, max(0, ends[partition] - part.machine.applied - 1))
                if age := stall.stuck(partition, part.machine.applied, ends[partition], loop.time()):
                    die(Exit.STALLED, f"{self._topic}-{partition}: records wait since {age:.0f} s, and none is applied")

    async def _snapshot(self, partition: int, part: Part) -> None:
        began = time.perf_counter()
        # The producer may hang through an outage whatever its timeout says; being killed by the supervisor is better.
        async with asyncio.timeout(self._pace.send_s):
            done = await part.snapshot(self._key, self._origin, self._pace, self._mine(partition, part))
        if done:
            took = time.perf_counter() - began
            self._hooks.snapshot(self._stage.name, partition, part.durable, part.size, took)

    async def _opened(self, partition: int) -> Part | None:
        opening = self._opening.get(partition)
        if opening is not None:
            await asyncio.wait([opening])
        return self._parts.get(partition)

    async def _open(self, partition: int) -> None:
        """Restores a partition, unless it is taken away meanwhile."""
        me = asyncio.current_task()
        loop = asyncio.get_running_loop()
        topics = (self._state, self._topic)
        start = await loop.run_in_executor(None, restore, self._config.kafka, self._stage.name, topics, partition, self._key)
        if self._opening.get(partition) is not me:
            return
        part, notes = self._begin(partition, start)
        if partition not in self._counted:
            self._counted.add(partition)
            await part.store.write([starts_item(self._key, self._stage.name, partition, part.trial)])
        if self._opening.get(partition) is not me:
            return
        self._parts[partition] = part
        self._log.info("restored", partition=partition, applied=part.machine.applied, single=part.trial.single, notes=notes)
        self._hooks.restored(self._stage.name, partition, part.machine.applied, notes)
        part.outbox.put([self._note(partition, note) for note in notes])

    def _begin(self, partition: int, start: Start) -> tuple[Part, list[str]]:
        machine = self._stage.machine(partition, self._config, self._baselines)
        notes = begin(machine, start, self._origin.numbers, f"{self._topic}-{partition}")
        trial = start.trial if partition in self._counted else start.trial.started(machine.applied)
        if trial.single:
            notes.append(f"{trial.starts} starts without progress: stepping records one by one")
        outbox = Outbox(self.producer, lambda key: topic_name(self._config.kafka, key), self._send)
        store = Store(self.producer, self._state, partition, start.snapshot)
        return Part(machine, outbox, store, trial, start.low, asyncio.get_running_loop().time()), notes

    def _record(self, message: Any, value: bytes | None) -> Record:
        return Record(f"{self._topic}-{message.partition}@{message.offset}", message.offset, value or b"")

    def _mine(self, partition: int, part: Part) -> Callable[[], bool]:
        return lambda: self._parts.get(partition) is part

    def _send(self, work: Any) -> None:
        spawn(work, Exit.UNDELIVERED)

    def _note(self, partition: int, text: str) -> Send:
        source = f"{self._stage.name}/{partition}"
        body = {"kind": "stage", "source": source, "uid": uid("stage", source, text), "detail": text}
        return Send("health", partition_of("health", source), source.encode(), json_bytes(body))

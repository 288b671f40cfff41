"""Intake's shell: raw records from Kafka, frames and dead letters to Kafka, offsets committed when both are durable.

One loop, one thread. Once a second it flushes every shard with a tick, closes an epoch of acknowledgements, commits what is
durable, and looks after the group of raw partitions: who is behind, who is ahead, whose topic has been created anew.
"""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable
from typing import Final

import msgspec

from alerts.health import Health
from streams.intake.acks import Acks
from streams.intake.core import Core, raw_topics
from streams.intake.hooks import Hooks, Silent
from streams.intake.linger import Linger
from streams.intake.reader import Reader
from streams.intake.start import Start
from streams.intake.writer import Writer
from streams.stage.machine import Send
from tocsin.codec import json_bytes
from tocsin.config import Config
from tocsin.errors import Exit
from tocsin.event import Source
from tocsin.ids import uid

TICK_S: Final = {"append": 1.0, "event": 0.2}
"""Clock → seconds between ticks: where event time is the clock, hours of it may go by in a second."""
AHEAD_MS: Final = 10_000
"""A raw partition further ahead of the slowest is paused, so that time means the same for all of them."""
SEEN_MS: Final = 1_000
"""At the end of a partition all older than this has been seen: it covers a fetch on its way and the clocks' difference."""
STALLED_S: Final = 60.0
"""A raw partition that has not moved for this long no longer holds up the others."""
DRAIN_S: Final = 30.0


class Intake:
    """One intake process."""

    def __init__(self, config: Config, key: bytes, hooks: Hooks, now_ms: Callable[[], int]) -> None:
        """Connects; see `run_intake`."""
        self._config = config
        self._hooks = hooks
        self._now_ms = now_ms
        self._core = Core(config, key)
        self._linger = Linger(config.detection.shards)
        self._acks: Acks[Source] = Acks()
        self._writer = Writer(config.kafka, self._acks, hooks)
        self._reader = Reader(config, raw_topics(config), self)
        self._ahead: list[Source] = []
        self._partitions: int | None = None
        self._moved: dict[Source, tuple[int, float]] = {}
        self._ticked = time.monotonic()

    def turn(self) -> None:
        """One round of the loop: read, frame, send, and once a second the rest."""
        framer = self._core.framer
        for source, run in self._reader.read(self._linger.poll_s):
            self._core.feed_run(framer.number(source), run)
            self._hooks.read(source.topic, len(run), (self._now_ms() - run[-1][1]) / 1000)
        self._send()
        now = time.monotonic()
        for shard in range(self._config.detection.shards):
            if self._linger.waits(shard, framer.rows(shard), now):
                framer.flush(shard)
        self._send()
        self._writer.poll()
        self._hooks.beat()
        partitions = len(self._reader.positions) if self._reader.joined else None
        if partitions != self._partitions:
            self._partitions = partitions
            self._hooks.assigned(partitions)
        if now - self._ticked >= TICK_S[self._config.clock]:
            self._ticked = now
            self._tick()
        self._reader.hold(self._reader.positions.keys() if self._writer.full else self._ahead)

    def _send(self) -> None:
        frames, rejected = self._core.take()
        for refusal in rejected:
            self._writer.dead_letter(refusal)
        for shard, frame in frames:
            self._linger.cut(shard, sum(block.rows for block in frame.blocks), len(frame.blocks))
            self._writer.frame(shard, frame)

    def _tick(self) -> None:
        behind = self._reader.behind()
        self._core.framer.tick(self._reached(behind))
        self._checkpoint()
        self._ahead = self._too_far(behind)
        for source, records in behind.items():
            self._hooks.lag(source.topic, source.partition, records, self._reader.positions[source])
        self._reader.look()

    def _number(self, source: Source) -> int:
        return self._core.framer.number(source)

    def _reached(self, behind: dict[Source, int]) -> dict[int, int]:
        """Returns source number → how far its partition has been framed, for all that have come anywhere."""
        reached = self._core.reached
        if self._config.clock == "append":
            seen = self._now_ms() - SEEN_MS
            for source, records in behind.items():
                if not records:
                    reached[self._number(source)] = max(seen, reached.get(self._number(source), 0))
        return {number: reached[number] for number in sorted(self._number(source) for source in behind) if number in reached}

    def _too_far(self, behind: dict[Source, int]) -> list[Source]:
        """Returns the raw partitions further ahead than AHEAD_MS of the slowest one that has records and moves."""
        now = time.monotonic()
        for source, position in self._reader.positions.items():
            if self._moved.get(source, (-1, 0.0))[0] != position:
                self._moved[source] = (position, now)
        moving = [source for source, records in behind.items() if records and now - self._moved[source][1] < STALLED_S]
        reached = {source: self._core.reached.get(self._number(source), 0) for source in behind}
        slow = [reached[source] for source in moving if reached[source]]
        return [source for source in behind if slow and reached[source] > min(slow) + AHEAD_MS]

    def _checkpoint(self) -> None:
        """Closes an epoch, all buffers being empty, and commits what has become durable."""
        self._send()
        self._acks.close(self._reader.positions)
        if committed := self._reader.commit(self._acks.durable()):
            self._hooks.committed(committed)

    def started(self, source: Source, start: Start) -> None:
        """Notes a partition, and on the ledger and for operators what was lost of it."""
        number = self._core.framer.number(source)
        if start.lost is not None:
            first, last = start.lost
            now = self._now_ms()
            self._core.framer.gap(number, first, last, now)
            self._send()
            self._writer.send(_loss(source, first, last, now))
            self._hooks.lost(source.topic, source.partition, last - first + 1)

    def stopping(self) -> None:
        """Makes everything read so far durable and commits it."""
        for shard in range(self._config.detection.shards):
            self._core.framer.flush(shard)
        self._send()
        self._writer.drain(DRAIN_S)
        self._checkpoint()

    def stopped(self) -> None:
        """Forgets how far partitions have come that somebody else may read now."""
        self._core.reached.clear()
        self._moved.clear()
        self._ahead = []

    def close(self) -> None:
        """Flushes, commits and leaves the group."""
        self.stopping()
        self._reader.close()


def run_intake(config: Config, key: bytes, hooks: Hooks | None = None, now_ms: Callable[[], int] | None = None) -> Exit:
    """Runs until SIGTERM or SIGINT, then flushes, commits and returns `Exit.OK`.

    Args:
        config: of the deployment.
        key: `tocsin.ids.derive_key(deployment key, "caller")`.
        hooks: told what happens.
        now_ms: the wall clock, Unix milliseconds.

    Raises:
        BrokerError: Kafka cannot be reached or refuses us.
        HoleError: the broker lost records that are in the ledger.
    """
    ended: list[int] = []
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda number, _: ended.append(number))
    intake = Intake(config, key, hooks or Silent(), now_ms or (lambda: time.time_ns() // 1_000_000))
    # Rows are short-lived tuples without cycles: the collector would look at each of them for nothing.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    while not ended:
        intake.turn()
    intake.close()
    return Exit.OK


def _loss(source: Source, first: int, last: int, now_ms: int) -> Send:
    where = f"{source.topic}-{source.partition}"
    record = Health(
        uid=uid("loss", source.topic_id, source.partition, first, last),
        kind="telemetry_loss",
        source=where,
        time=now_ms,
        detail=f"offsets {first} to {last} were deleted before intake read them",
    )
    return Send("health", 0, where.encode(), json_bytes(msgspec.to_builtins(record)))

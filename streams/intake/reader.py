"""Reader: raw partitions from Kafka, each from where it must be read, none silently skipped.

`auto.offset.reset` is `error`: every start offset is chosen here (`start.py`), and a position that retention or a recreated
topic has overtaken comes back as an error instead of a silent jump. A rebalance inside `consume` may mix records of two
assignments into one batch: that batch is dropped and read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.admin import topic_ids
from streams.clients import consumer_settings, group_name
from streams.intake.fatal import end_if_fatal
from streams.intake.start import Start, start_of
from streams.intake.topic_watch import TopicWatch
from tocsin.config import Config
from tocsin.errors import BrokerError
from tocsin.event import Source

BATCH: Final = 1000
REQUEST_S: Final = 10.0
_GONE: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})  # noqa: SLF001
_DENIED: Final = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})
_MOVED_ON: Final = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._NO_OFFSET,  # noqa: SLF001
        KafkaError._STATE,  # noqa: SLF001
    }
)
"""Commit errors that lose nothing: whoever reads on does so from an older commit, and watermarks skip what repeats."""

Run = list[tuple[int, int, bytes | None]]
"""(offset, append_ms, value) of one raw partition, by offset."""
Place = tuple[str, int]


class Listener(Protocol):
    """Whoever must know when partitions come and go."""

    def started(self, source: Source, start: Start) -> None:
        """A raw partition is read from here on."""
        ...

    def stopping(self) -> None:
        """Every partition is about to be given up: what waits must become durable and be committed now."""
        ...

    def stopped(self) -> None:
        """No partition is read any more."""
        ...


class Reader:
    """The consuming half of intake.

    Attributes:
        positions: raw partition → next offset to read.
        joined: whether the group has told us what is ours, be it nothing.
    """

    def __init__(self, config: Config, topics: Collection[str], listener: Listener) -> None:
        """Joins the consumer group."""
        self.positions: dict[Source, int] = {}
        self.joined = False
        self._kafka = config.kafka
        self._listener = listener
        self._sources: dict[Place, Source] = {}
        self._committed: dict[Source, int] = {}
        self._paused: set[Place] = set()
        self._mixed = False
        self._watch = TopicWatch(config.kafka)
        self._consumer = Consumer(
            {
                **consumer_settings(config.kafka, group_name(config.kafka, "intake")),
                # Static membership: after a kill -9 the same instance has its partitions back at once, not after a session.
                "group.instance.id": f"{config.instance}-intake",
                "partition.assignment.strategy": "range",
                "topic.metadata.refresh.interval.ms": 5000,
                "queued.max.messages.kbytes": 16384,
                # A trickle over several partitions would otherwise be fetched record by record.
                "fetch.min.bytes": 16384,
                "fetch.wait.max.ms": 20,
            }
        )
        self._consumer.subscribe(sorted(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def read(self, wait_s: float) -> list[tuple[Source, Run]]:
        """Returns what has arrived within `wait_s`, by raw partition; less when a batch is full, never less otherwise.

        Raises:
            BrokerError: Kafka refuses us.
        """
        messages: list[Any] = self._consumer.consume(BATCH, wait_s)
        if self._mixed:
            self._mixed = False
            if self._sources:
                self._assign()
            return []
        runs: dict[Place, Run] = {}
        for message in messages:
            if message.error() is not None:
                if self._started_over(message):
                    return []
                continue
            place = (message.topic(), message.partition())
            run = runs.get(place)
            if run is None:
                run = runs[place] = []
            run.append((message.offset(), message.timestamp()[1], message.value()))
        return [(self._sources[place], fresh) for place, run in runs.items() if (fresh := self._fresh(place, run))]

    def _fresh(self, place: Place, run: Run) -> Run:
        """Returns the records at or above the partition's position, and moves that on."""
        source = self._sources.get(place)
        if source is None:
            return []
        position = self.positions[source]
        if run[0][0] < position:
            run = [record for record in run if record[0] >= position]
        if run:
            self.positions[source] = run[-1][0] + 1
        return run

    def commit(self, positions: Mapping[Source, int]) -> int:
        """Commits the positions of partitions that are still ours; returns how many those are.

        Raises:
            BrokerError: Kafka refuses for a reason that is not a rebalance.
        """
        ours = set(self._sources.values())
        offsets = [
            TopicPartition(source.topic, source.partition, offset, metadata=source.topic_id)
            for source, offset in positions.items()
            if source in ours and self._committed.get(source) != offset
        ]
        if not offsets:
            return 0
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            end_if_fatal(error.args[0])
            if error.args[0].code() not in _MOVED_ON:
                raise BrokerError(f"commit: {error.args[0]}") from error
            return 0
        self._committed.update(positions)
        return len(offsets)

    def hold(self, ahead: Collection[Source]) -> None:
        """Pauses these raw partitions and resumes all others."""
        wanted = {(source.topic, source.partition) for source in ahead}
        pause, resume = wanted - self._paused, self._paused - wanted
        if pause:
            self._consumer.pause([TopicPartition(*place) for place in sorted(pause)])
        if resume:
            self._consumer.resume([TopicPartition(*place) for place in sorted(resume)])
        self._paused = wanted

    def behind(self) -> dict[Source, int]:
        """Returns how many records of each raw partition are not read yet, by the broker's last answer; 1 before the first."""
        found = {}
        for place, source in self._sources.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            found[source] = max(0, high - self.positions[source]) if high >= 0 else 1
        return found

    def look(self) -> None:
        """Starts over with topics that have been deleted and created again since; call it every second or so."""
        if self._watch.changed({source.topic: source.topic_id for source in self._sources.values()}):
            self._restart()

    def close(self) -> None:
        """Leaves the group."""
        self._consumer.close()

    def _on_assign(self, _: Any, partitions: list[TopicPartition]) -> None:
        self._mixed = self.joined = True
        self._begin([(partition.topic, partition.partition) for partition in partitions])

    def _on_revoke(self, _: Any, __: list[TopicPartition]) -> None:
        self._mixed, self.joined = True, False
        self._listener.stopping()
        self._forget()
        self._consumer.unassign()

    def _on_lost(self, _: Any, __: list[TopicPartition]) -> None:
        self._mixed, self.joined = True, False
        self._forget()
        self._consumer.unassign()

    def _forget(self) -> None:
        self._sources.clear()
        self._committed.clear()
        self.positions.clear()
        self._listener.stopped()

    def _restart(self) -> None:
        places = list(self._sources)
        self._listener.stopping()
        self._forget()
        self._begin(places)

    def _begin(self, places: list[Place]) -> None:
        ids = _patiently(lambda: topic_ids(self._kafka, sorted({topic for topic, _ in places})))
        wanted = [TopicPartition(*place) for place in places]
        for committed in self._consumer.committed(wanted, timeout=REQUEST_S) if wanted else []:
            place = (committed.topic, committed.partition)
            first, end = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=REQUEST_S)
            start = start_of(committed.offset, committed.metadata, ids[committed.topic], first, end)
            source = Source(ids[committed.topic], *place)
            self._sources[place] = source
            self.positions[source] = start.offset
            self._listener.started(source, start)
        self._assign()

    def _assign(self) -> None:
        self._paused = set()
        self._consumer.assign([TopicPartition(*place, self.positions[source]) for place, source in self._sources.items()])

    def _started_over(self, message: Message) -> bool:
        """Returns whether an error made us start over, so that the batch it came in must be dropped."""
        error = message.error()
        assert error is not None  # noqa: S101 - the caller has looked
        end_if_fatal(error)
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the client's name for it
            # Retention has overtaken us, or the topic is another one: starting over from what is committed tells them apart.
            self._restart()
            return True
        if error.code() in _GONE:
            self._watch.hurry()
        elif error.code() in _DENIED:
            raise BrokerError(f"{message.topic() or 'intake'}: {error}")
        return False


def _patiently(ask: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Returns the answer; a topic that is being created again may be unknown for a moment."""
    deadline = time.monotonic() + REQUEST_S
    while True:
        try:
            return ask()
        except BrokerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)

"""Core: intake without Kafka. Raw records in; frames, refusals and the time reached out. Live and replay run this same code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from streams.intake.decode import decode
from streams.intake.document import MAX_RECORD_BYTES
from streams.intake.formats import FORMATS
from streams.intake.formats.fields import check_mapping
from streams.intake.framer import Framer
from streams.intake.quick import Quick
from streams.intake.record import RawRecord, Rejected
from streams.topics import TOPICS
from tocsin.config import Config, RawTopic
from tocsin.errors import ConfigError, RejectError
from tocsin.event import ControlEvent, InferenceEvent, Source
from tocsin.frame import Frame

TICKS: Final = {"append": ((0, 1_000),), "event": ((128, 1_000), (16, 60_000), (0, 600_000))}
"""Clock → (records fed since the last tick, milliseconds that must then have passed), in falling order of records.

Where event time is the clock, a tick that has little to tell waits: a file of a quiet month is replayed in seconds, and live
ticks are not as regular against event time anyway.
"""

UNTIMED_MS: Final = 1000
"""Between the events of a source that claims no times, under the event clock: a file without times still has an order, and
alert budgets need some time to pass.
"""


def raw_topics(config: Config) -> dict[str, RawTopic]:
    """Returns every topic that intake reads: the configured ones, labels and control, by full name.

    Raises:
        ConfigError: a format that does not exist, or a mapping with an unknown field.
    """
    prefix = config.kafka.prefix
    topics = {topic.name: topic for topic in config.topic}
    for topic in config.topic:
        if topic.format not in {*FORMATS, "sniff"}:
            raise ConfigError(f"topic {topic.name!r}: format: one of sniff, {', '.join(FORMATS)}; got {topic.format!r}")
        check_mapping(topic)
    for name in ("labels", "control"):
        full = prefix + TOPICS[name].name
        topics.setdefault(full, RawTopic(name=full, format=name))
    return topics


def _is_inference(topic: RawTopic) -> bool:
    return topic.format == "sniff" or FORMATS[topic.format].translated is not None


class Core:
    """Reads records and keeps what comes of them until it is taken.

    Attributes:
        framer: where rows wait.
        rejected: refusals not yet taken.
        reached: source number → how far its time has come, Unix milliseconds.
    """

    def __init__(self, config: Config, key: bytes, *, shortcuts: bool = True) -> None:
        """Starts empty.

        Args:
            config: for topics, formats, shards and the clock.
            key: `tocsin.ids.derive_key(deployment key, "caller")`.
            shortcuts: False reads every record with care; only for comparing, as nothing else comes of it.
        """
        self.framer = Framer(config.detection.shards, key)
        self.rejected: list[Rejected] = []
        self.reached: dict[int, int] = {}
        self._topics = raw_topics(config)
        self._event_clock = config.clock == "event"
        self._timed: set[int] = set()
        judged_ms = self._judged if self._event_clock else None
        quick = {name: Quick(topic, self.framer, judged_ms) for name, topic in self._topics.items() if _is_inference(topic)}
        self._quick = quick if shortcuts else {}

    def feed(self, source: int, offset: int, append_ms: int, value: bytes | None) -> None:
        """Takes one record of the raw partition that `framer.number` calls `source`."""
        self.feed_run(source, ((offset, append_ms, value),))

    def feed_run(self, source: int, records: Iterable[tuple[int, int, bytes | None]]) -> None:
        """Takes several records of one raw partition, each (offset, append_ms, value), by offset."""
        quick = self._quick.get(self.framer.sources[source].topic)
        append_ms = 0
        for offset, append_ms, value in records:
            if quick and value and len(value) <= MAX_RECORD_BYTES and quick.take(source, offset, append_ms, value):
                continue
            if quick:
                quick.settle()
            self._with_care(source, offset, append_ms, value)
        if quick:
            quick.settle()
        self._reach(source, append_ms)

    def _with_care(self, source: int, offset: int, append_ms: int, value: bytes | None) -> None:
        raw = self.framer.sources[source]
        rows = decode(value, self._topics[raw.topic])
        if value and raw.topic in self._quick and isinstance(rows[0][1], InferenceEvent):
            self._quick[raw.topic].learn(value)
        for row, found in rows:
            if isinstance(found, RejectError):
                refusal = Rejected(raw, offset, row, append_ms, value or b"", found.reason, found.detail)
                self.rejected.append(refusal)
            elif isinstance(found, ControlEvent):
                self.framer.control(found, source, offset, row or 0, append_ms)
            else:
                self.framer.add_event(found, source, offset, row or 0, self._judged(source, append_ms, found.ts))

    def _judged(self, source: int, append_ms: int, claimed: int | None) -> int:
        """Returns the time by which a row is judged; if event time is the clock and none was ever claimed, UNTIMED_MS go by."""
        if self._event_clock:
            if claimed is not None:
                self._timed.add(source)
            elif source not in self._timed:
                claimed = self.reached.get(source, 0) + UNTIMED_MS
        return self._reach(source, append_ms, claimed)

    def _reach(self, source: int, append_ms: int, claimed: int | None = None) -> int:
        """Returns the time by which a row is judged: when it was appended, or, where event time is the clock, its own."""
        now = append_ms if not self._event_clock else claimed if claimed is not None else self.reached.get(source, 0)
        self.reached[source] = max(now, self.reached.get(source, 0))
        return now

    def take(self) -> tuple[list[tuple[int, Frame]], list[Rejected]]:
        """Returns the (shard, frame) pairs and the refusals since the last call."""
        taken = self.framer.cut, self.rejected
        self.framer.cut, self.rejected = [], []
        return taken


def frames_of(
    records: Iterable[RawRecord], config: Config, key: bytes, rejected: list[Rejected] | None = None, *, ticking: bool = True
) -> Iterator[tuple[int, Frame]]:
    """Yields the frames that intake would write for these records, merged in the order given, and a tick a second.

    Args:
        records: in ledger order, by append time; per raw partition by offset.
        config: as for intake.
        key: `tocsin.ids.derive_key(deployment key, "caller")`.
        rejected: refusals are appended to it.
        ticking: False for whoever needs rows but no clock: frames are then as full as they can be.
    """
    core = Core(config, key)
    refusals = [] if rejected is None else rejected
    now = ticked = fed = 0
    numbers: dict[tuple[str, str, int], int] = {}
    for record in records:
        source = numbers.get(record[:3], -1)
        if source < 0:
            source = numbers[record[:3]] = core.framer.number(Source(record.topic_id, record.topic, record.partition))
        core.feed_run(source, (record[3:6],))
        now, fed = max(now, core.reached[source]), fed + 1
        if ticking and now and (not ticked or now - ticked >= _wait_ms(config, fed)):
            ticked, fed = now, 0
            core.framer.tick(core.reached)
        if core.framer.cut or core.rejected:
            frames, refused = core.take()
            refusals.extend(refused)
            yield from frames
    core.framer.tick(core.reached)
    yield from core.take()[0]


def _wait_ms(config: Config, fed: int) -> int:
    """Returns how long after the last tick the next one is due, so many records having been fed since."""
    return next(wait_ms for records, wait_ms in TICKS[config.clock] if fed >= records)


def records_of_lines(lines: Iterable[bytes], topic: str) -> Iterator[RawRecord]:
    """Yields one record per non-empty line, as if the lines had been appended to one partition; meant for `clock = "event"`."""
    for offset, line in enumerate(line for line in lines if line.strip()):
        yield RawRecord(topic, topic, 0, offset, 0, line)

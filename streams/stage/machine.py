"""Machine: one partition of a stage without Kafka — what is applied, what is skipped, what is sent.

Theory, in order of what can go wrong:
1. A record at or below `applied` is already in the state: it is skipped, its outputs were durable before the snapshot.
2. Between stages every record carries (source partition, offset, prev), prev being the offset of the previous record its
   writer sent to this partition. A restarted writer repeats itself: links at or below the watermark of their source are
   skipped. A link whose prev lies above that watermark proves a hole: HoleError, never silence.
3. A fold is pure, so a repeated step sends the same bytes; consumers drop equal uids, downstream stages drop equal links.
4. `prev` is part of the state, so a restored machine links exactly as the crashed one did.
5. applied, links and the fold's sections form one snapshot: state and position cannot disagree.
6. A machine that must rebuild what a newer, unusable snapshot knew replays silently up to that snapshot's offset and then
   takes over its links: what was sent before stays the truth, and nothing is said twice in different words.
7. Where retention took the beginning, a machine may `begin` later; only then is a source's first link taken on trust.

The shell around it (`worker.py`, `replay.py`, the verifier) only moves bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import msgspec

from tocsin.codec import pack, unpack
from tocsin.errors import HoleError
from tocsin.state import Section, Sections

LINK_SECTION = "links"
LINK_VERSION = 1


class Record(NamedTuple):
    """One Kafka record a stage reads.

    Attributes:
        where: `topic-partition@offset`, for messages.
        offset: its offset.
        value: its bytes.
    """

    where: str
    offset: int
    value: bytes


class Send(NamedTuple):
    """One Kafka record a stage writes.

    Attributes:
        topic: a key of `streams.topics.TOPICS`.
        partition: chosen here, never by a client's partitioner.
        key: record key.
        value: record value; an empty one is a tombstone.
        headers: (name, bytes) pairs.
    """

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Outputs(NamedTuple):
    """What one fold step says.

    Attributes:
        onward: downstream partition → body for the next stage; at most one per partition.
        records: everything else: findings, proposals, health.
    """

    onward: Mapping[int, bytes] = {}
    records: tuple[Send, ...] = ()


class Fold(Protocol):
    """The pure heart of a stage: same state, same input, same outputs, same bytes."""

    def apply(self, body: bytes, where: str) -> Outputs:
        """Returns what one input record leads to, after changing the state."""
        ...

    def dump(self) -> Sections:
        """Returns the whole state."""
        ...

    def load(self, sections: Sections) -> list[str]:
        """Replaces the state; returns one line per section that was migrated, unknown, or had to start cold."""
        ...


class Link(msgspec.Struct, frozen=True, array_like=True):
    """The envelope between two stages.

    Attributes:
        source: the writer's input partition.
        offset: the writer's input offset that caused this record.
        prev: offset of the previous record that writer sent to this partition, -1 at first.
        body: the next fold's input.
    """

    source: int
    offset: int
    prev: int
    body: bytes


class _Links(msgspec.Struct, array_like=True):
    applied: int = -1
    seen: dict[int, int] = {}
    sent: dict[int, int] = {}
    origin: int = 0


class Machine:
    """One partition of one stage.

    Attributes:
        partition: its number, which its links carry as their source.
        fold: the pure heart.
        linked: whether the input carries links (readings, signals) or is the ledger itself (frames).
        onward: the topic key that `Outputs.onward` goes to, "" for the last stage.
    """

    def __init__(self, partition: int, fold: Fold, *, linked: bool, onward: str) -> None:
        """Starts empty: nothing applied, nothing sent."""
        self.partition = partition
        self.fold = fold
        self.linked = linked
        self.onward = onward
        self._links = _Links(seen={}, sent={})
        self._refused: frozenset[int] = frozenset()
        self._muted: bytes | None = None
        self._muted_until = -1

    @property
    def applied(self) -> int:
        """The highest input offset that is in the state, -1 at first."""
        return self._links.applied

    @property
    def links(self) -> bytes:
        """The position alone, a few numbers; part of every snapshot's header, see `rebuild`."""
        links = self._links
        ordered = _Links(links.applied, dict(sorted(links.seen.items())), dict(sorted(links.sent.items())), links.origin)
        return msgspec.msgpack.encode(ordered)

    def begin(self, offset: int) -> None:
        """Starts a cold machine at a ledger whose records before `offset` are gone for good."""
        self._links = _Links(applied=offset - 1, seen={}, sent={}, origin=offset)

    def rebuild(self, links: bytes) -> None:
        """Sends nothing until the position `links` of a snapshot that cannot be loaded; from there on goes on as it did."""
        self._muted = links
        self._muted_until = msgspec.msgpack.decode(links, type=_Links).applied

    def refuse(self, offsets: Iterable[int]) -> None:
        """Passes over these input offsets: they were dead-lettered because nothing survives them."""
        self._refused |= frozenset(offsets)

    def step(self, record: Record) -> list[Send]:
        """Returns what must be sent, in order, because of one record; empty when it was applied before.

        Raises:
            HoleError: a record that must exist between two stages is missing.
            VersionError: the record was written by a newer version.
        """
        if record.offset <= self._links.applied:
            return []
        body = self._open(record) if self.linked else record.value
        self._links.applied = record.offset
        sends = [] if body is None or record.offset in self._refused else self._apply(body, record)
        return sends if self._muted is None else self._keep_silent(record.offset)

    def _apply(self, body: bytes, record: Record) -> list[Send]:
        outputs = self.fold.apply(body, record.where)
        sends = [self._link(record.offset, partition, out) for partition, out in sorted(outputs.onward.items())]
        return sends + list(outputs.records)

    def _keep_silent(self, offset: int) -> list[Send]:
        assert self._muted is not None  # noqa: S101 - the only caller has just looked
        if offset >= self._muted_until:
            self._links, self._muted = msgspec.msgpack.decode(self._muted, type=_Links), None
        return []

    def _open(self, record: Record) -> bytes | None:
        link = unpack(record.value, Link, record.where)
        first = self._links.origin > 0 and link.source not in self._links.seen
        seen = self._links.seen.get(link.source, link.prev if first else -1)
        if link.offset <= seen:
            return None
        if link.prev > seen:
            raise HoleError(
                f"{record.where}: offset {link.prev} of upstream partition {link.source} must have arrived before "
                f"{link.offset}; the last seen is {seen}"
            )
        self._links.seen[link.source] = link.offset
        return link.body

    def _link(self, offset: int, partition: int, body: bytes) -> Send:
        prev = self._links.sent.get(partition, -1)
        self._links.sent[partition] = offset
        value = pack(Link(self.partition, offset, prev, body))
        return Send(self.onward, partition, f"{self.partition}/{offset}".encode(), value)

    def dump(self) -> Sections:
        """Returns the fold's sections and the links, as one snapshot."""
        return {**self.fold.dump(), LINK_SECTION: Section(LINK_VERSION, self.links)}

    def load(self, sections: Sections) -> list[str]:
        """Replaces everything by a snapshot; returns the fold's notes on sections it could not take as they were."""
        rest = dict(sections)
        self._links = msgspec.msgpack.decode(rest.pop(LINK_SECTION).data, type=_Links)
        return self.fold.load(rest)

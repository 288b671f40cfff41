"""Framer: rows in, frames out. Pure: it knows no Kafka and no clock.

What holds, whoever calls and however often:
1. A caller's rows go to one shard, in the order in which they came; a shard is one FIFO buffer, cut at MAX_ROWS or MAX_BYTES
   and wherever `flush` is called. Where the cuts fall changes nothing else.
2. Rows of one raw partition arrive with rising positions, so in every shard each row of a frame stands, per raw partition,
   below every row of the next frame: one watermark per raw partition is enough for a fold.
3. Controls, gaps and ticks go to every shard and close its buffer: what came before them is in that frame or an earlier one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import Any, Final, NamedTuple

from streams.intake.columns import Columns, Known, Row, Schema, schema_of
from streams.intake.shard import Shard
from tocsin.event import ControlEvent, InferenceEvent, LabelEvent, Source, position_of
from tocsin.frame import FRAME_VERSION, HASH, MAX_BYTES, MAX_ROWS, Control, Frame, Gap, Tick
from tocsin.ids import caller_hash, shard_of
from tocsin.rows import category_code

MAX_SOURCES: Final = 256
"""A block's source column is one byte wide."""
CACHED: Final = 1 << 16
"""Callers remembered in each of two generations; a caller seen again moves to the younger one."""


class Layout(NamedTuple):
    """How rows that name their features in one particular order fit a schema.

    Attributes:
        schema: the block they belong to.
        get: picks a row's values, given in its own order, in the schema's written order; None when they already stand so.
    """

    schema: Schema
    get: Callable[[Sequence[Any]], tuple[Any, ...]] | None


class Framer:
    """Routes rows by caller and cuts frames.

    Attributes:
        sources: every raw partition met so far; its index is its number here.
        cut: frames that are ready, as (shard, frame), in order. The caller takes them away.
        young: (id, id_kind) → the caller, for those seen lately.
    """

    def __init__(self, shards: int, key: bytes) -> None:
        """Starts empty.

        Args:
            shards: how many shards the ledger has.
            key: `tocsin.ids.derive_key(deployment key, "caller")`.
        """
        self.sources: list[Source] = []
        self.cut: list[tuple[int, Frame]] = []
        self._numbers: dict[Source, int] = {}
        self._key = key
        self._shards = [Shard() for _ in range(shards)]
        self.young: dict[tuple[str, str], Known] = {}
        self._old: dict[tuple[str, str], Known] = {}
        self._schemas: dict[tuple[str, ...], Schema] = {}
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def number(self, source: Source) -> int:
        """Returns the raw partition's number here."""
        if source not in self._numbers:
            self._numbers[source] = len(self.sources)
            self.sources.append(source)
        return self._numbers[source]

    def rows(self, shard: int) -> int:
        """Returns how many rows wait in a shard."""
        return self._shards[shard].rows

    def known(self, caller_id: str, id_kind: str) -> Known:
        """Returns the caller, hashed once while it stays in the cache; the id has been checked."""
        name = (caller_id, id_kind)
        known = self.young.get(name)
        if known is None:
            known = self._old.pop(name, None) or self._hashed(caller_id, id_kind)
            if len(self.young) >= CACHED:
                self._old, self.young = self.young, {}
            self.young[name] = known
        return known

    def _hashed(self, caller_id: str, id_kind: str) -> Known:
        hash64 = caller_hash(self._key, id_kind, caller_id)
        return Known(caller_id, id_kind, hash64, shard_of(hash64, len(self._shards)), 4 * len(caller_id) + 32)

    def add(self, schema: Schema, row: Row, extra: int = 0) -> None:
        """Takes one row.

        Args:
            schema: of the row.
            row: see `streams.intake.columns.Row`.
            extra: bytes of its label and texts.
        """
        known = row[4]
        shard = self._shards[known.shard]
        cost = schema.row_size + known.size + extra
        pile = shard.piles.get(schema)
        if pile is None or shard.rows >= MAX_ROWS or shard.bytes + cost > MAX_BYTES or row[0] not in shard.sources:
            pile = self._prepared(known.shard, schema, row[0], cost)
        pile.append(row)
        shard.rows += 1
        shard.bytes += cost

    def _prepared(self, number: int, schema: Schema, source: int, cost: int) -> list[Row]:
        """Returns the pile to add to, after cutting a frame where rows, bytes or sources would not fit."""
        shard = self._shards[number]
        crowded = source not in shard.sources and len(shard.sources) >= MAX_SOURCES
        if crowded or shard.rows >= MAX_ROWS or shard.bytes + schema.size + cost > MAX_BYTES:
            self.flush(number)
        shard.sources.add(source)
        pile = shard.piles.get(schema)
        return shard.pile(schema) if pile is None else pile

    def add_columns(self, schema: Schema, number: int, columns: Columns, costs: Sequence[int]) -> None:
        """Takes rows of one shard and one source as columns; frames are cut where they would be if rows came one by one.

        Args:
            schema: of the rows.
            number: their shard.
            columns: the rows.
            costs: bytes that each row needs in a frame.
        """
        start, source = 0, int(columns.source[0])
        while start < len(costs):
            shard, cost = self._shards[number], costs[start]
            full = shard.rows >= MAX_ROWS or shard.bytes + cost > MAX_BYTES
            if full or schema not in shard.piles or source not in shard.sources:
                self._prepared(number, schema, source, cost)
            end = min(len(costs), start + MAX_ROWS - shard.rows)
            if shard.bytes + sum(costs[start:end]) > MAX_BYTES:
                ends = [*accumulate(costs[start:end], initial=shard.bytes)]
                end = start + max(1, bisect_right(ends, MAX_BYTES) - 1)
            shard.put(schema, columns.part(start, end), sum(costs[start:end]))
            start = end

    def add_event(self, event: InferenceEvent | LabelEvent, source: int, offset: int, row: int, append_ms: int) -> None:
        """Takes one checked event with its coordinates; `source` is from `number`."""
        if isinstance(event, LabelEvent):
            known = self.known(event.labeller_id, "service")
            texts: tuple[str, ...] = (event.event_id,)
            layout = self.layout("label", event.model, (), ("event_id",))
            values: Iterable[float | None] = ()
            measured: tuple[float | None, float | None, int] = (None, None, 0)
        else:
            known, wire = self.known(event.caller_id, event.id_kind), _wire(event.features)
            spoken = bool(event.prompt or event.completion)
            texts = (event.prompt, event.completion) if spoken else ()
            layout = self.layout("inference", event.model, tuple(wire), ("prompt", "completion") if spoken else ())
            values = layout.get(tuple(wire.values())) if layout.get else wire.values()
            measured = (event.confidence, event.latency_ms, event.status)
        extra = 4 * len(event.label) + sum(len(text.encode()) for text in texts)
        position = position_of(offset, row)
        self.add(layout.schema, (source, position, event.ts, append_ms, known, values, event.label, *measured, texts), extra)

    def layout(self, kind: str, model: str, names: tuple[str, ...], texts: tuple[str, ...]) -> Layout:
        """Returns where rows with these wire names, in this order, belong.

        The order in which a schema is first written is kept for its waiting rows, so that a steady producer's values are never
        moved one by one; blocks are sorted by name, so that no order shows in a frame.
        """
        name = (kind, model, *texts, "\0", *names)
        layout = self._layouts.get(name)
        if layout is None:
            if len(self._layouts) >= CACHED:
                self._layouts.clear()
                self._schemas.clear()
            alphabetic = (kind, model, *texts, "\0", *sorted(names))
            schema = self._schemas.get(alphabetic)
            if schema is None:
                schema = self._schemas[alphabetic] = schema_of(kind, model, names, texts)
            layout = Layout(schema, None if schema.written == names else itemgetter(*map(names.index, schema.written)))
            self._layouts[name] = layout
        return layout

    def control(self, event: ControlEvent, source: int, offset: int, row: int, append_ms: int) -> None:
        """Broadcasts an order to every shard, behind what came before it."""
        position = position_of(offset, row)
        self._broadcast((source,), controls=(Control(0, position, append_ms, event.kind, event.body),))

    def gap(self, source: int, first: int, last: int, append_ms: int) -> None:
        """Tells every shard that records of a raw partition were lost before intake read them."""
        self._broadcast((source,), gaps=(Gap(0, first, last, append_ms),))

    def tick(self, reached: dict[int, int]) -> None:
        """Tells every shard how far each raw partition (source number → append_ms) has been framed."""
        if reached:
            ticks = tuple(Tick(index, append_ms) for index, append_ms in enumerate(reached.values()))
            self._broadcast(tuple(reached), ticks=ticks)

    def _broadcast(
        self,
        sources: tuple[int, ...],
        ticks: tuple[Tick, ...] = (),
        controls: tuple[Control, ...] = (),
        gaps: tuple[Gap, ...] = (),
    ) -> None:
        for number, shard in enumerate(self._shards):
            if not shard.sources <= set(sources[:MAX_SOURCES]):
                self.flush(number)
            self._cut(number, sources, ticks, controls, gaps)

    def flush(self, number: int) -> None:
        """Cuts a frame from what waits in a shard, if anything does."""
        shard = self._shards[number]
        if shard.rows:
            self._cut(number, tuple(sorted(shard.sources)))

    def _cut(
        self,
        number: int,
        sources: tuple[int, ...],
        ticks: tuple[Tick, ...] = (),
        controls: tuple[Control, ...] = (),
        gaps: tuple[Gap, ...] = (),
    ) -> None:
        shard = self._shards[number]
        numbers = {source: index for index, source in enumerate(sources)}
        named = tuple(self.sources[source] for source in sources)
        frame = Frame(FRAME_VERSION, number, len(self._shards), HASH, named, shard.blocks(numbers), ticks, controls, gaps)
        self.cut.append((number, frame))
        shard.clear()


def _wire(features: dict[str, float | str | None]) -> dict[str, float | None]:
    """Returns wire name → value: a category's name gets a leading `=`, its value is its code."""
    return {
        f"={name}" if isinstance(value, str) else name: category_code(value) if isinstance(value, str) else value
        for name, value in features.items()
    }

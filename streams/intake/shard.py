"""Shard: one FIFO buffer of rows waiting for a frame."""

from __future__ import annotations

from itertools import chain

from streams.intake.blocks import blocks_of
from streams.intake.columns import Columns, Row, Schema, joined, packed
from tocsin.frame import Block


class Shard:
    """What waits in one shard.

    Attributes:
        piles: schema → rows that came alone, behind the schema's `parts`.
        parts: schema → rows that came as columns, and rows before them.
        sources: raw partitions that the rows are from.
        rows: how many rows wait.
        bytes: what they will need on the wire at most.
    """

    __slots__ = ("bytes", "parts", "piles", "rows", "sources")

    def __init__(self) -> None:
        """Starts empty."""
        self.clear()

    def clear(self) -> None:
        """Forgets all that waits."""
        self.piles: dict[Schema, list[Row]] = {}
        self.parts: dict[Schema, list[Columns]] = {}
        self.sources: set[int] = set()
        self.rows = 0
        self.bytes = 0

    def pile(self, schema: Schema) -> list[Row]:
        """Returns a new pile."""
        pile = self.piles[schema] = []
        self.bytes += schema.size
        return pile

    def put(self, schema: Schema, columns: Columns, cost: int) -> None:
        """Takes rows of a schema that has a pile here; `cost` is what they need on the wire."""
        parts, pile = self.parts.setdefault(schema, []), self.piles[schema]
        if pile:
            parts.append(packed(pile))
            pile.clear()
        parts.append(columns)
        self.rows += len(columns.position)
        self.bytes += cost

    def blocks(self, numbers: dict[int, int]) -> tuple[Block, ...]:
        """Returns all that waits as wire blocks; `numbers` as for `blocks_of`."""
        if not self.rows:
            return ()
        if not self.parts:
            counts = [(schema, len(pile)) for schema, pile in self.piles.items()]
            return blocks_of(counts, packed(list(chain.from_iterable(self.piles.values()))), numbers)
        counts, parts = [], []
        for schema, pile in self.piles.items():
            own = [*self.parts.get(schema, ()), *([packed(pile)] if pile else ())]
            counts.append((schema, sum(len(part.position) for part in own)))
            parts += own
        return blocks_of(counts, joined(parts), numbers)

"""Strange rows: what the envelope's scouts tell of single inputs far outside, and what judge remembers of them.

They decide nothing: how many lie outside is counted in full, against the baseline's cells. They say what a person asks next:
which features, how many callers, and show me some.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from tocsin.codec import pack
from tocsin.event import Coordinates, Source
from tocsin.reading import Evidence, Reports

KEPT: Final = 256
"""Rows that judge remembers of a model."""
NAMED: Final = 5
"""Features in a finding."""
OFTEN: Final = 0.2
"""Share of the rows that a feature must be to blame for, to be in a finding."""
SHOWN: Final = 3
"""Rows that are given as examples."""


class StrangeRow(msgspec.Struct, frozen=True, array_like=True):
    """One input.

    Attributes:
        caller: hash of who sent it.
        source: place in `StrangeRows.sources`.
        offset: where it entered.
        row: likewise.
        ts: event time, Unix milliseconds.
        score: in nats.
        p: conformal p-value.
        features: indices of those to blame, the worst first.
    """

    caller: int
    source: int
    offset: int
    row: int
    ts: int
    score: float
    p: float
    features: tuple[int, ...]


class StrangeRows(msgspec.Struct, frozen=True, array_like=True):
    """The body of the scout's reports, and what judge keeps.

    Attributes:
        sources: that rows entered by.
        rows: in ledger order of their shard.
    """

    sources: tuple[Source, ...] = ()
    rows: tuple[StrangeRow, ...] = ()


NONE: Final = StrangeRows()


def body_of(told: StrangeRows) -> bytes:
    """Returns them as they travel."""
    return pack(told)


def joined(known: StrangeRows, reports: Reports) -> StrangeRows:
    """Returns the last KEPT rows of those known and those of the reports."""
    told = msgspec.msgpack.decode(reports.body, type=StrangeRows)
    sources = list(dict.fromkeys((*known.sources, *told.sources)))
    places = [sources.index(source) for source in told.sources]
    fresh = [msgspec.structs.replace(row, source=places[row.source]) for row in told.rows]
    return _without_idle_sources(sources, (*known.rows, *fresh)[-KEPT:])


def _without_idle_sources(sources: Sequence[Source], rows: tuple[StrangeRow, ...]) -> StrangeRows:
    used = sorted({row.source for row in rows})
    if len(used) == len(sources):
        return StrangeRows(tuple(sources), rows)
    place = {old: new for new, old in enumerate(used)}
    moved = tuple(msgspec.structs.replace(row, source=place[row.source]) for row in rows)
    return StrangeRows(tuple(sources[old] for old in used), moved)


def since(known: StrangeRows, ts: int) -> list[StrangeRow]:
    """Returns the rows from this event time on, all of them if there are none."""
    return [row for row in known.rows if row.ts >= ts] or list(known.rows)


def evidence_of(rows: Sequence[StrangeRow], features: tuple[str, ...]) -> Evidence:
    """Returns which features are to blame most often, with the share of these rows, and how many callers sent them."""
    if not rows:
        return {}
    blamed = Counter(feature for row in rows for feature in row.features)
    worst = sorted(blamed.items(), key=lambda one: (-one[1], one[0]))[:NAMED]
    named = [f"{features[feature]} {times / len(rows):.2f}" for feature, times in worst if times >= OFTEN * len(rows)]
    return {
        "offending_features": ", ".join(named) or "none alone",
        "strange_rows_looked_at": len(rows),
        "distinct_callers": len({row.caller for row in rows}),
        "least_p": float(f"{min(row.p for row in rows):.2g}"),
    }


def strangest(known: StrangeRows, rows: Sequence[StrangeRow]) -> tuple[Coordinates, ...]:
    """Returns where the strangest SHOWN of these rows entered."""
    ordered = sorted(rows, key=lambda row: (-row.score, row.ts, row.offset, row.row))
    return tuple(Coordinates(known.sources[row.source], row.offset, row.row) for row in ordered[:SHOWN])

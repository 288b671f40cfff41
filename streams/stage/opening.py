"""Opening: what a partition starts from, given what stands in its state topic. Pure.

Protocol: take the usable snapshot with the highest applied offset. Whatever is newer and ours but cannot be used still
tells how far outputs went, so the replay up to there is silent. Without any usable snapshot the partition starts cold, at
the log's beginning; where records between the known position and the log's beginning are gone, it does not start at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.stage.machine import Machine
from streams.stage.snapshots import Header, Shelf
from streams.stage.trial import Trial
from tocsin.errors import HoleError, StateError
from tocsin.state import Sections


@dataclass(frozen=True, slots=True)
class Restored:
    """What a partition starts from.

    Attributes:
        sections: the state, None for a cold start.
        header: of the snapshot it came from, None for a cold start.
        refused: header of the newest snapshot that is ours but unusable and newer than `header`.
        kept: (applied, chunks) of all snapshots still in the topic, oldest first.
        complaints: one line for whatever was forged, damaged or refused.
    """

    sections: Sections | None
    header: Header | None
    refused: Header | None
    kept: tuple[tuple[int, int], ...]
    complaints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Everything a partition needs to begin.

    Attributes:
        snapshot: see there.
        trial: whether earlier starts died here.
        refused: input offsets to pass over.
        low: first offset that the input partition still has.
        complaints: one line for everything forged, damaged or refused.
    """

    snapshot: Restored
    trial: Trial
    refused: frozenset[int]
    low: int
    complaints: tuple[str, ...]


def choose(shelf: Shelf) -> Restored:
    """Returns the usable snapshot with the highest applied offset, and what was wrong with newer ones."""
    complaints: list[str] = []
    headers = shelf.headers(complaints)
    kept = tuple((header.applied, header.chunks) for header in reversed(headers))
    refused: Header | None = None
    for header in headers:
        try:
            return Restored(shelf.sections(header), header, refused, kept, tuple(complaints))
        except StateError as error:
            complaints.append(str(error))
            refused = refused or header
    return Restored(None, None, refused, kept, tuple(complaints))


def begin(machine: Machine, start: Start, numbers: str, where: str) -> list[str]:
    """Brings a cold machine to where it starts; returns one line for everything that is not as it was.

    Args:
        machine: cold.
        start: what was read.
        numbers: this process's numeric self-test.
        where: `topic-partition` of the input, for messages.

    Raises:
        HoleError: retention took records that were never applied.
    """
    snapshot, notes = start.snapshot, list(start.complaints)
    known = snapshot.header or snapshot.refused
    if known is not None and known.applied + 1 < start.low:
        raise HoleError(
            f"{where}: offset {known.applied + 1} must come next; the log starts at {start.low}, retention took what is between"
        )
    if snapshot.sections is not None:
        notes += machine.load(snapshot.sections)
    elif start.low > 0:
        machine.begin(start.low)
        notes.append(f"cold start at offset {start.low}: retention took what came before")
    if machine.applied + 1 < start.low:
        raise HoleError(f"{where}: offset {machine.applied + 1} must come next; the log starts at {start.low}")
    if snapshot.refused is not None:
        machine.rebuild(snapshot.refused.links)
        notes.append(f"replaying in silence up to offset {snapshot.refused.applied}")
    if snapshot.header is not None and snapshot.header.numbers != numbers:
        notes.append("another machine's arithmetic wrote this state: a replay is equivalent, not exact")
    machine.refuse(start.refused)
    return notes

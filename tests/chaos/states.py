"""States: every snapshot in a state topic, compared with the state recomputed at the same offset."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams.stage.machine import LINK_SECTION
from streams.stage.snapshots import MANIFEST, Header, Item, Shelf
from streams.stage.trial import read_refusals
from tests.chaos.dump import Rec
from tests.chaos.verifier import Recomputed, Report
from tocsin.state import Sections

Snapshots = dict[tuple[int, int], list[tuple[int, Sections]]]
"""(partition, applied offset) → every writing of that snapshot: the manifest's offset in the state topic, and the state."""


class Sample(NamedTuple):
    """Where a stage stood at one moment of the run.

    Attributes:
        stage: its name.
        committed: input partition → committed offset, read first.
        state_ends: state partition → end of its log, read after it: every snapshot durable by then lies below.
    """

    stage: str
    committed: dict[int, int]
    state_ends: dict[int, int]


def read_snapshots(key: bytes, stage: str, records: list[Rec], report: Report) -> Snapshots:
    """Returns every snapshot whose manifest stands in the topic, in the order written; a forged one is a difference."""
    found: Snapshots = {}
    for partition in sorted({record.partition for record in records}):
        shelf = Shelf(key, stage, partition)
        for record in (r for r in records if r.partition == partition):
            name = record.key or b""
            shelf.add([Item(name, record.value)])
            if record.value is None or not name.endswith(f"/{MANIFEST}".encode()):
                continue
            header = _header(shelf, int(name.split(b"/")[1]), report)
            if header is not None:
                found.setdefault((partition, header.applied), []).append((record.offset, shelf.sections(header)))
                report.counts["snapshots"] += 1
    return found


def read_refused(key: bytes, stage: str, records: list[Rec], report: Report) -> set[tuple[int, int]]:
    """Returns (partition, offset) of everything the stage refused; a forged refusal is a difference."""
    found: set[tuple[int, int]] = set()
    for partition in sorted({record.partition for record in records}):
        values = {record.key or b"": record.value for record in records if record.partition == partition and record.value}
        found |= {(partition, offset) for offset in read_refusals(key, stage, partition, values, report.differences)}
    return found


def _header(shelf: Shelf, applied: int, report: Report) -> Header | None:
    complaints: list[str] = []
    headers = [header for header in shelf.headers(complaints) if header.applied == applied]
    report.differences += complaints
    return headers[0] if headers else None


def check_states(stage: str, made: Recomputed, snapshots: Snapshots, report: Report) -> None:
    """Every snapshot is byte for byte the recomputed state, and remembers the same links."""
    wrong = []
    for place, versions in snapshots.items():
        if place not in made.states:
            wrong.append((*place, "at an offset the input does not have"))
            continue
        sections, seen, sent = made.states[place]
        for _, version in versions:
            links = msgspec.msgpack.decode(version[LINK_SECTION].data)
            rest = {name: section for name, section in version.items() if name != LINK_SECTION}
            if rest != sections:
                names = [name for name in {**rest, **sections} if rest.get(name) != sections.get(name)]
                wrong.append((*place, f"other bytes in {names}"))
            if links[:3] != [place[1], seen, sent]:
                wrong.append((*place, f"links {links} instead of {[place[1], seen, sent]}"))
    report.counts[f"{stage} snapshots"] = len(snapshots)
    report.expect(f"{stage} snapshots with another state", extra=wrong)


def check_committed(samples: list[Sample], snapshots: dict[str, Snapshots], report: Report) -> None:
    """At no sampled moment was a committed offset beyond the newest durable snapshot by more than the record after it."""
    ahead = []
    for sample in samples:
        durable = dict.fromkeys(sample.committed, -1)
        for (partition, applied), versions in snapshots[sample.stage].items():
            if min(offset for offset, _ in versions) < sample.state_ends.get(partition, 0):
                durable[partition] = max(durable.get(partition, -1), applied)
        ahead += [(sample.stage, p, offset, durable[p]) for p, offset in sample.committed.items() if offset > durable[p] + 1]
    report.counts["commits sampled"] = sum(len(sample.committed) for sample in samples)
    report.expect("commits ahead of their snapshot", extra=ahead)

"""States: every snapshot in a state topic, compared with the state recomputed at the same offset."""

from __future__ import annotations

import msgspec

from streams.stage.machine import LINK_SECTION
from streams.stage.snapshots import MANIFEST, Header, Item, Shelf
from tests.chaos.dump import Rec
from tests.chaos.verifier import Recomputed, Report
from tocsin.state import Sections

Snapshots = dict[tuple[int, int], list[Sections]]
"""(partition, applied offset) → every version of that snapshot the topic holds."""


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
                found.setdefault((partition, header.applied), []).append(shelf.sections(header))
                report.counts["snapshots"] += 1
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
        for version in versions:
            links = msgspec.msgpack.decode(version[LINK_SECTION].data)
            rest = {name: section for name, section in version.items() if name != LINK_SECTION}
            if rest != sections:
                names = [name for name in {**rest, **sections} if rest.get(name) != sections.get(name)]
                wrong.append((*place, f"other bytes in {names}"))
            if links[:3] != [place[1], seen, sent]:
                wrong.append((*place, f"links {links} instead of {[place[1], seen, sent]}"))
    report.counts[f"{stage} snapshots"] = len(snapshots)
    report.expect(f"{stage} snapshots with another state", extra=wrong)


def check_committed(stage: str, committed: dict[int, int], snapshots: Snapshots, report: Report) -> None:
    """Committed offsets never pass the newest durable snapshot by more than the record after it."""
    newest: dict[int, int] = {}
    for partition, applied in snapshots:
        newest[partition] = max(newest.get(partition, -1), applied)
    ahead = [(p, offset, newest.get(p, -1)) for p, offset in committed.items() if offset > newest.get(p, -1) + 1]
    report.expect(f"{stage} commits ahead of their snapshot", extra=ahead)

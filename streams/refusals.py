"""Refusals: the records that a deployment passed over because they killed its worker, as a capture knows them.

The state topics say it (`streams/stage/trial.py`): input offset by stage and partition. A recheck has these very offsets. A
replay has not: its topics hold no repeats, and shards meet in another order. What stays the same is a record's path, from
its frame through the partitions it passed: one frame leads to at most one record per partition of every later topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from streams.capture_file import Captured
from streams.stage.machine import Link
from streams.stage.snapshots import MAC_BYTES, unseal
from streams.stage.trial import REFUSED
from streams.stages import STAGES
from tocsin.codec import unpack
from tocsin.errors import FileError

Refused = Mapping[tuple[str, int], frozenset[int]]
"""(stage, input partition) → input offsets that are passed over."""

Way = tuple[int, ...]
"""(frame offset, shard), then the partition of every later topic that a record stands in."""

STATES: Final = {stage.state: stage.name for stage in STAGES.values()}
WRITERS: Final = {stage.onward: stage.input for stage in STAGES.values() if stage.onward}


def is_refusal(record: Captured) -> bool:
    """Returns whether a record of a state topic is a refusal; everything else there is state."""
    return record.value is not None and REFUSED in (record.key or b"")


def refused_in(records: Iterable[Captured], key: bytes | None = None) -> Refused:
    """Returns what a capture says was refused.

    Args:
        records: of any roles.
        key: `derive_key(deployment key, "state")`, with which seals are proved. Without it they are believed, as the rest of
            the capture is.

    Raises:
        StateError: a refusal is forged.
        FileError: a refusal is damaged.
    """
    found: dict[tuple[str, int], frozenset[int]] = {}
    for record in records:
        if record.role in STATES and is_refusal(record):
            stage, value, where = STATES[record.role], record.value or b"", f"{record.topic}-{record.partition}@{record.offset}"
            sealed = value[MAC_BYTES:] if key is None else unseal(key, stage, record.key or b"", value)
            place = (stage, record.partition)
            found[place] = found.get(place, frozenset()) | {unpack(sealed, int, where)}
    return found


def paths_of(records: Sequence[Captured], refused: Refused) -> frozenset[Way]:
    """Returns the paths of refused records.

    Raises:
        FileError: a refused reading or signal, or what led to it, is not in the capture.
    """
    if not refused:
        return frozenset()
    links = {(r.role, r.partition, r.offset): r.value or b"" for r in records if r.role in WRITERS}
    inputs = ((STAGES[stage].input, partition, offset) for (stage, partition), found in refused.items() for offset in found)
    return frozenset(_path(role, partition, offset, links) for role, partition, offset in inputs)


def _path(role: str, partition: int, offset: int, links: Mapping[tuple[str, int, int], bytes]) -> Way:
    if role not in WRITERS:
        return (offset, partition)
    where = f"{role}-{partition}@{offset}"
    if (role, partition, offset) not in links:
        raise FileError(f"{where}: it was refused, or led to what was; it must be in the capture to be passed over")
    link = unpack(links[role, partition, offset], Link, where)
    return (*_path(WRITERS[role], link.source, link.offset, links), partition)

"""Frames: the ledger's unit — durable, ordered, columnar. On the wire: msgpack of raw little-endian columns.

A frame belongs to one shard. Inside stands one block per (kind, model@version, schema); rows of one raw partition are in
offset order within each block, and every row of a frame precedes every row of the next frame of that shard, so one
position per raw partition tells what a fold has already applied.

Fields are only ever appended, with a default: older readers ignore them, newer readers fill them.
"""

from __future__ import annotations

import msgspec

from tocsin.codec import pack, unpack
from tocsin.errors import VersionError
from tocsin.event import Source

FRAME_VERSION = 1
HASH = "blake2b-64"
MAX_ROWS = 1024
MAX_BYTES = 512 * 1024


class Block(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Rows of one kind, one model and one schema, as columns. `tocsin.rows.Rows` is its numpy face.

    Attributes:
        kind: `inference` or `label`.
        model: `namespace/name@version`.
        features: names; a leading `=` marks a category, whose value is a 24-bit hash of its text.
        rows: how many.
        source: uint8 (rows,), index into `Frame.sources`.
        position: int64 (rows,), see `tocsin.event.position_of`.
        ts: int64 (rows,), the event's time in Unix milliseconds.
        flags: uint8 (rows,), bits of `Flag`.
        caller: uint16 (rows,), index into `callers`.
        callers: (id, id_kind) as received.
        hashes: uint64 (callers,).
        values: float32 (features, rows); NaN means missing, and nothing else is ever NaN or infinite.
        confidence: float32 (rows,), NaN means unknown.
        latency_ms: float32 (rows,), NaN means unknown.
        status: int16 (rows,), 0 means unknown.
        label: uint16 (rows,), index into `labels`.
        labels: class names.
        text: name → (UTF-8 bytes of all rows, uint32 end offsets (rows,)); `prompt`, `completion`, or `event_id` of labels.
    """

    kind: str
    model: str
    features: tuple[str, ...]
    rows: int
    source: bytes
    position: bytes
    ts: bytes
    flags: bytes
    caller: bytes
    callers: tuple[tuple[str, str], ...]
    hashes: bytes
    values: bytes
    confidence: bytes
    latency_ms: bytes
    status: bytes
    label: bytes
    labels: tuple[str, ...]
    text: dict[str, tuple[bytes, bytes]] = {}


class Flag:
    """Bits of a row's flags."""

    SKEW = 1
    """The claimed time was more than 5 minutes from the append time, which was used instead."""
    NO_TIME = 2
    """The producer claimed no time; the append time was used."""


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """How far one raw partition has been framed.

    Attributes:
        source: index into `Frame.sources`.
        append_ms: append time of its last framed record, or now when intake stands at its end.
    """

    source: int
    append_ms: int


class Control(msgspec.Struct, frozen=True, array_like=True):
    """One control event at its place in the ledger; the same in every shard.

    Attributes:
        source: index into `Frame.sources`.
        position: see `tocsin.event.position_of`.
        ts: append time, Unix milliseconds.
        kind: see `tocsin.control`.
        body: JSON.
    """

    source: int
    position: int
    ts: int
    kind: str
    body: bytes


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """Records that retention removed before intake read them.

    Attributes:
        source: index into `Frame.sources`.
        first: first lost offset.
        last: last lost offset.
        ts: when it was noticed, append time of the next record, Unix milliseconds.
    """

    source: int
    first: int
    last: int
    ts: int


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One record of `tocsin.frames.v1`.

    Attributes:
        version: FRAME_VERSION of the writer.
        shard: this frame's shard = its partition.
        shards: how many shards the writer routes over; a mismatch is refused.
        hash: how callers were hashed.
        sources: raw partitions that the rest refers to by index.
        blocks: rows.
        ticks: progress of raw partitions.
        controls: orders to the folds.
        gaps: what retention took.
    """

    version: int
    shard: int
    shards: int
    hash: str
    sources: tuple[Source, ...]
    blocks: tuple[Block, ...] = ()
    ticks: tuple[Tick, ...] = ()
    controls: tuple[Control, ...] = ()
    gaps: tuple[Gap, ...] = ()


def encode_frame(frame: Frame) -> bytes:
    """Returns the frame's wire bytes."""
    return pack(frame)


def decode_frame(data: bytes, where: str) -> Frame:
    """Returns the frame in `data`.

    Args:
        data: a record's value.
        where: `topic-partition@offset`, for the message.

    Raises:
        VersionError: it was written by a newer version, or is no frame at all.
    """
    frame = unpack(data, Frame, where)
    if frame.version > FRAME_VERSION:
        raise VersionError(
            f"{where}: frame v{FRAME_VERSION} expected, v{frame.version} found; "
            "this worker is older than intake: upgrade it first"
        )
    return frame

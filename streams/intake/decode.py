"""Decoding with care: one record → its events and the exact reason for everything that is none.

This path judges; `envelope.py` is a shortcut that must agree with it and takes only what this one would accept.
"""

from __future__ import annotations

from typing import Any

from streams.intake.document import MAX_BATCH_ROWS, Document, as_object, documents
from streams.intake.formats import FORMATS, Event, Format, canonical
from streams.intake.formats.sniff import format_of
from streams.intake.reject import Reason, reject
from tocsin.config import RawTopic
from tocsin.errors import RejectError

Row = tuple[int | None, Event | RejectError]
"""(row, what it is); row is None for a refusal of the record as a whole."""


def decode(value: bytes | None, topic: RawTopic) -> list[Row]:
    """Returns what a record holds, row by row; a bad row does not spoil the others. Never raises."""
    try:
        rows = documents(value)
        single = len(rows) == 1 and not _is_columnar(rows[0], topic)
        if single:
            return [(0, _event(rows[0], topic))]
        return _batch(rows, topic)
    except RejectError as refusal:
        return [(None, refusal)]


def _batch(rows: list[Any], topic: RawTopic) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        try:
            parts = canonical.rows_of_columns(row) if _is_columnar(row, topic) else None
        except RejectError as refusal:
            if len(rows) == 1:
                raise
            found.append((len(found), refusal))
            continue
        for part in [row] if parts is None else parts:
            try:
                found.append((len(found), _event(part, topic)))
            except RejectError as refusal:
                found.append((len(found), refusal))
    if len(found) > MAX_BATCH_ROWS:
        raise reject(Reason.TOO_MANY_ROWS, f"record: at most {MAX_BATCH_ROWS} rows; got {len(found)}")
    return found


def _is_columnar(row: Any, topic: RawTopic) -> bool:
    features = row.get("features") if isinstance(row, dict) else None
    return (
        topic.format in {"canonical", "sniff"}
        and isinstance(features, dict)
        and canonical.sniff(row)
        and any(isinstance(column, list) for column in features.values())
    )


def _event(row: Any, topic: RawTopic) -> Event:
    document = as_object(row)
    return format_for(document, topic).decode(document, topic)


def format_for(document: Document, topic: RawTopic) -> Format:
    """Returns the topic's pinned format, or the one that recognises the object."""
    return format_of(document) if topic.format == "sniff" else FORMATS[topic.format]

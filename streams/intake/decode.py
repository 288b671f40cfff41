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
        rows = rows_in(value, columnar=topic.format in {"canonical", "sniff"})
        if len(rows) == 1:
            return [(0, _event(rows[0], topic))]
    except RejectError as refusal:
        return [(None, refusal)]
    found: list[Row] = []
    for number, row in enumerate(rows):
        try:
            found.append((number, _event(row, topic)))
        except RejectError as refusal:
            found.append((number, refusal))
    return found


def rows_in(value: bytes | None, *, columnar: bool = True) -> list[Any]:
    """Returns the rows of a record: its objects, and for each columnar batch one object per row.

    Raises:
        RejectError: the record as a whole cannot be read.
    """
    found = documents(value)
    rows: list[Any] = []
    for document in found:
        rows += _expanded(document, alone=len(found) == 1) if columnar else [document]
        if len(rows) > MAX_BATCH_ROWS:
            raise reject(Reason.TOO_MANY_ROWS, f"record: at most {MAX_BATCH_ROWS} rows; got more")
    return rows


def _expanded(document: Any, *, alone: bool) -> list[Any]:
    """Returns the rows of one document; a broken batch among others stays as it is, to be refused in its place."""
    if not isinstance(document, dict) or not canonical.sniff(document):
        return [document]
    try:
        rows = canonical.rows_of_columns(document)
    except RejectError:
        if alone:
            raise
        return [document]
    return [document] if rows is None else rows


def _event(row: Any, topic: RawTopic) -> Event:
    document = as_object(row)
    return format_for(document, topic).decode(document, topic)


def format_for(document: Document, topic: RawTopic) -> Format:
    """Returns the topic's pinned format, or the one that recognises the object."""
    return format_of(document) if topic.format == "sniff" else FORMATS[topic.format]

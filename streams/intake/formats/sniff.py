"""Sniffing: which format an object is of, when the topic pins none. Deterministic: the table's order decides."""

from __future__ import annotations

from streams.intake.document import Document
from streams.intake.formats import FORMATS, Format
from streams.intake.reject import Reason, reject, shown


def format_of(document: Document) -> Format:
    """Returns the first format that recognises the object.

    Raises:
        RejectError: none does.
    """
    for entry in FORMATS.values():
        if entry.sniff(document):
            return entry
    raise reject(Reason.UNKNOWN_FORMAT, f"event: no known format has the keys {shown(sorted(document)[:8])}")

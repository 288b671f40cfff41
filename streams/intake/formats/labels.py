"""Labels: `ml.labels.v1`, delayed ground truth.

{"schema": "ml.labels.v1", "event_id": "e-1", "ts": 1795684800000, "model": {"name": "fraud", "version": "3"},
 "label": "fraud", "labeller": "chargebacks"}
"""

from __future__ import annotations

from typing import Final

from streams.intake.check import checked_id, checked_label, time_ms
from streams.intake.document import Document
from streams.intake.formats.canonical import model_of
from streams.intake.reject import Reason, reject, shown
from tocsin.config import RawTopic
from tocsin.event import LabelEvent

SCHEMA: Final = "ml.labels.v1"


def sniff(document: Document) -> bool:
    """Returns whether the object says that it is a label, in whatever version."""
    schema = document.get("schema")
    return isinstance(schema, str) and schema.startswith("ml.labels.")


def decode(document: Document, topic: RawTopic) -> LabelEvent:
    """Returns the label in one object."""
    if document.get("schema") != SCHEMA:
        raise reject(Reason.VERSION, f"schema: {SCHEMA!r} expected; got {shown(document.get('schema'))}")
    for name in ("event_id", "label"):
        if document.get(name) in (None, ""):
            raise reject(Reason.MISSING, f"{name}: required")
    return LabelEvent(
        event_id=checked_id(document["event_id"], "event_id"),
        ts=time_ms(document.get("ts"), "ts"),
        model=model_of(document.get("model"), topic),
        label=checked_label(document["label"]),
        labeller_id=checked_id(document.get("labeller", "unknown"), "labeller"),
    )

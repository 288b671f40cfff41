"""Formats: every way in which a producer may write an event, one file each, one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from streams.intake.document import Document
from streams.intake.formats import canonical, control, fields, kong, labels, litellm
from tocsin.config import RawTopic
from tocsin.event import ControlEvent, InferenceEvent, LabelEvent

Event = InferenceEvent | LabelEvent | ControlEvent


@dataclass(frozen=True, slots=True)
class Format:
    """One row of `FORMATS`.

    Attributes:
        decode: one JSON object → one event; raises RejectError and nothing else.
        sniff: whether an object is of this format, when the topic pins none.
        says: one line for people.
        translated: one JSON object → the same in canonical form, unchecked; None where it is no inference.
    """

    decode: Callable[[Document, RawTopic], Event]
    sniff: Callable[[Document], bool]
    says: str
    translated: Callable[[Document, RawTopic], Document] | None = None


FORMATS: Final[dict[str, Format]] = {
    "canonical": Format(canonical.decode, canonical.sniff, "ml.inference.v1, also as columnar batch", canonical.translated),
    "json": Format(fields.decode, fields.sniff, "any JSON object, by the topic's `fields`", fields.translated),
    "litellm": Format(litellm.decode, litellm.sniff, "LiteLLM StandardLoggingPayload", litellm.translated),
    "kong": Format(kong.decode, kong.sniff, "Kong kafka-log, with AI payloads where logged", kong.translated),
    "labels": Format(labels.decode, labels.sniff, "ml.labels.v1, delayed ground truth"),
    "control": Format(control.decode, control.sniff, "orders to the folds"),
}
"""Every producer format. Each may also come as an array, or one object per line; sniffing tries them in this order."""

"""Typed: the second shortcut, for records whose keys vary and for foreign formats: parsed whole, then checked by one type.

Where an envelope reads bytes of one shape, this reads any JSON that `document.py` passes, lets the format put it into
canonical form, and has msgspec check all fields at once. As with envelopes, it takes nothing that `decode.py` would refuse
and reads everything in the same way; what does not fit the type, or needs a judgement, is left to be read with care.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from streams.intake.check import checked_id, model_parts, time_ms
from streams.intake.decode import format_for
from streams.intake.document import Document, as_object, documents
from streams.intake.envelope import ABSENT, FIELDS, MIXED
from tocsin.config import RawTopic

CACHED: Final = 1 << 10
"""Model ids written as one text that are remembered."""


def _struct(name: str, required: dict[str, Any], optional: dict[str, tuple[Any, Any]]) -> type[msgspec.Struct]:
    fields: list[str | tuple[str, Any] | tuple[str, Any, Any]] = [*required.items()]
    fields += [(field, kind, default) for field, (kind, default) in optional.items()]
    return msgspec.defstruct(name, fields, frozen=True, gc=False)


def _like(path: str) -> tuple[Any, Any]:
    """Returns (type, default) of a canonical field."""
    node: Any = ABSENT
    for name in path.split("."):
        node = node[name]
    return FIELDS[path] | None if node is None else FIELDS[path], node


_MODEL: Final = _struct(
    "Model",
    {"name": FIELDS["model.name"]},
    {"namespace": _like("model.namespace"), "version": _like("model.version")},
)
_CALLER: Final = _struct("Caller", {"id": FIELDS["caller.id"]}, {"id_kind": _like("caller.id_kind")})
_PREDICTION: Final = _struct(
    "Prediction",
    {},
    {
        "label": (FIELDS["prediction.label"] | None, ""),
        "score": _like("prediction.score"),
        "scores": (msgspec.UnsetType, msgspec.UNSET),
    },
)
_EVENT: Final = _struct(
    "Event",
    {"schema": FIELDS["schema"]},
    {
        **{name: _like(name) for name in ("ts", "latency_ms", "status", "prompt", "completion")},
        "event_id": (FIELDS["event_id"], ""),
        "model": (_MODEL, _MODEL(**ABSENT["model"])),
        "caller": (_CALLER, _CALLER(**ABSENT["caller"])),
        "features": (MIXED, {}),
        "prediction": (_PREDICTION, _PREDICTION()),
    },
)
"""A canonical record with whatever keys; what it does not know it skips, as reading with care does."""


def events_in(value: bytes, topic: RawTopic) -> list[Any]:
    """Returns one object per row, with the attributes of a canonical record; none where one of them is no inference.

    Raises:
        RejectError: something must be read with care.
        msgspec.ValidationError: the same.
    """
    events = []
    for row in documents(value):
        document = as_object(row)
        translated = format_for(document, topic).translated
        if translated is None:
            return []
        events.append(_event(translated(document, topic)))
    return events


def _event(document: Document) -> Any:
    given = {name: item for name, item in document.items() if item is not None}
    if "ts" in given:
        given["ts"] = time_ms(given["ts"], "ts")
    if isinstance(given.get("model"), str):
        given["model"] = _model(given["model"])
    return msgspec.convert(given, _EVENT)


@lru_cache(CACHED)
def _model(text: str) -> dict[str, str]:
    return dict(zip(("namespace", "name", "version"), model_parts(checked_id(text, "model")), strict=True))

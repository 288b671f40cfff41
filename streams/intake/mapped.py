"""Mapped: the envelope for records of a topic with a field mapping (`format = "json"`).

A producer writes the same keys again and again. From one record that `typed.py` took, a decoder is built that requires exactly
its keys, all of them known by number so that none can stand twice, and checks each mapped value by its canonical type. The
same law holds as in `envelope.py`: it takes nothing that reading with care would refuse, and reads it in the same way. So only
plain mappings are taken (the model constant, no path that is absent, no feature named twice); others are read as before.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta
from msgspec.structs import astuple

from streams.intake.check import ID_KINDS, MAX_EXACT, MAX_FEATURES
from streams.intake.document import ESCAPED_COLON, Document
from streams.intake.envelope import ABSENT, FIELDS, NUMBER, PLAIN, WHOLE, Envelope, feature_kind, features_kind, is_plain
from tocsin.config import RawTopic

_SECONDS: Final = MAX_EXACT / 2000
"""Half of what `fields.py` allows, so that no rounding matters."""
_TYPES: Final[dict[str, Any]] = {
    **{name: FIELDS[name] for name in ("event_id", "ts", "latency_ms", "status", "prompt", "completion")},
    "caller": FIELDS["caller.id"] | WHOLE,
    "id_kind": FIELDS["caller.id_kind"],
    "label": FIELDS["prediction.label"],
    "confidence": FIELDS["prediction.score"],
    "ts_s": Annotated[float, Meta(ge=-_SECONDS, le=_SECONDS)],
    "latency_s": Annotated[float, Meta(ge=0.0, le=_SECONDS)],
}
"""Every field that may be mapped to a path here, and what it takes."""
_CONSTANT: Final = frozenset({"caller", "id_kind", "label", "model", "namespace", "version"})
"""Every field that may be a constant here."""
_UNMAPPED: Final = str | bool | NUMBER | None


class _Caller(NamedTuple):
    id: str
    id_kind: str


class _Prediction(NamedTuple):
    label: Any
    score: float | None


class _Event(NamedTuple):
    """What `quick.py` reads of a canonical record; `features` holds the values alone."""

    model: Any
    caller: _Caller
    prediction: _Prediction
    features: tuple[Any, ...]
    ts: int | None
    latency_ms: float | None
    status: int
    prompt: str
    completion: str


class _Shape:
    """The keys of one record, and where in it the mapped values stand.

    Attributes:
        places: field → the attributes that lead to its value.
        samples: field → its value in the record.
        keys: how many keys there are.
        plain: whether records of this shape can be taken at all.
    """

    def __init__(self, document: Document, fields: dict[str, str]) -> None:
        """Walks the record."""
        self.places: dict[str, str] = {}
        self.samples: dict[str, Any] = {}
        self.keys = 0
        self._wanted = {path: name for name, path in fields.items()}
        self.plain = len(self._wanted) == len(fields)
        self.struct = self._walk(document, "", "")

    def _walk(self, node: Document, path: str, place: str) -> Any:
        members = []
        for number, (key, value) in enumerate(node.items()):
            self.plain = self.plain and bool(PLAIN.fullmatch(key)) and "." not in key
            members.append((f"f{number}", self._kind(value, f"{path}{key}", f"{place}f{number}")))
        if not self.plain:
            return Any
        self.keys += len(node)
        rename = {f"f{number}": key for number, key in enumerate(node)}
        return msgspec.defstruct("Record", members, rename=rename, forbid_unknown_fields=True, gc=False)

    def _kind(self, value: Any, path: str, place: str) -> Any:
        name = self._wanted.get(path)
        if name is not None:
            self.places[name], self.samples[name] = place, value
            return self._mapped(name, value)
        if isinstance(value, dict):
            return self._walk(value, f"{path}.", f"{place}.")
        self.plain = self.plain and not isinstance(value, list)
        return _UNMAPPED

    def _mapped(self, name: str, value: Any) -> Any:
        if name == "features":
            self.plain = self.plain and isinstance(value, dict) and all(map(is_plain, value, value.values()))
            self.keys += len(value) if self.plain else 0
            return features_kind(value, columnar=False, named=True) if self.plain else Any
        if name.startswith("features."):
            self.plain = self.plain and is_plain(name.removeprefix("features."), value)
            return feature_kind(value)
        self.plain = self.plain and name in _TYPES and value is not None
        return _TYPES.get(name, Any)


def mapped_envelope(document: Document, topic: RawTopic, model: Any) -> Envelope | None:
    """Returns the decoder for records with the keys of this one; None when there is no shortcut.

    Args:
        document: a record that was taken.
        topic: its topic, of format `json`.
        model: the event's model in parts.
    """
    constants = {name: path[1:] for name, path in topic.fields.items() if path.startswith("=")}
    paths = {name: path for name, path in topic.fields.items() if name not in constants}
    if not constants.keys() <= _CONSTANT or constants.get("id_kind", "unknown") not in ID_KINDS:
        return None
    if {"ts", "ts_s"} <= paths.keys() or {"latency_ms", "latency_s"} <= paths.keys():
        return None
    shape = _Shape(document, paths)
    if not shape.plain or shape.places.keys() != paths.keys():
        return None
    own = shape.samples.get("features", {})
    more = {name.removeprefix("features."): shape.samples[name] for name in paths if name.startswith("features.")}
    values = {**own, **more}
    if len(values) != len(own) + len(more) or len(values) > MAX_FEATURES:
        return None
    return Envelope(
        signature=(*((path, "") for path in sorted(shape.places)), ("keys", repr(list(values)))),
        decode=_decoder(shape, constants, model, tuple(f"features.{name}" for name in more)),
        keys=shape.keys,
        names=tuple(values),
        texts=tuple(index for index, value in enumerate(values.values()) if isinstance(value, str)),
        columnar=False,
        judged=True,
    )


def _decoder(shape: _Shape, constants: dict[str, str], model: Any, more: tuple[str, ...]) -> Callable[[bytes], _Event]:
    """Returns the decoder, which also judges whether a key stands twice."""
    record = msgspec.json.Decoder(shape.struct).decode
    names = tuple(shape.places)
    read = [attrgetter(shape.places[name]) for name in names]
    keys = shape.keys

    def decode(value: bytes) -> _Event:
        found = record(value)
        colons = value.count(b":")
        if colons != keys and (ESCAPED_COLON in value or msgspec.json.encode(found).count(b":") != colons):
            raise msgspec.DecodeError("a key may stand twice")
        told: dict[str, Any] = {**constants, **{name: get(found) for name, get in zip(names, read, strict=True)}}
        return _event(told, model, more)

    return decode


def _event(told: dict[str, Any], model: Any, more: tuple[str, ...]) -> _Event:
    features = astuple(told["features"]) if "features" in told else ()
    get = told.get
    caller, ts, latency = get("caller"), get("ts"), get("latency_ms")
    if "ts_s" in told:
        ts = int(told["ts_s"] * 1000)
    if "latency_s" in told:
        latency = told["latency_s"] * 1000
    return _Event(
        model,
        _UNKNOWN if caller is None else _Caller(caller if type(caller) is str else str(caller), get("id_kind", "unknown")),
        _Prediction(get("label", ""), get("confidence")),
        (*features, *[told[name] for name in more]) if more else features,
        ts,
        latency,
        get("status", 0),
        get("prompt", ""),
        get("completion", ""),
    )


_UNKNOWN: Final = _Caller(**ABSENT["caller"])

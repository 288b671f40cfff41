"""Envelopes: the shortcut for canonical records, many times cheaper than reading with care.

A producer writes the same keys again and again. From one record that passed with care a typed decoder is built that takes
exactly those keys, each required, none other, each type and range checked by msgspec in C. It must accept nothing that
`decode.py` would refuse, and read everything as `decode.py` reads it, whatever records came before. Therefore:

1. Every limit on a number or a length stands in the types below; what is a matter of characters (ids, names, labels) is judged
   by `check.py` once per distinct text, in `quick.py`.
2. Duplicate keys: a text has one colon per key and one per colon inside a string (unless it is escaped: such a text
   is read with care). The keys outside `features`, and inside where their names are part of the shape, are known
   by number. If the sum is right, no key stands twice.
3. Whatever does not fit is read with care. So what has been learned decides the cost, never the result.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import GenericAlias
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from streams.intake.check import MAX_EXACT, MAX_FEATURES, MAX_ID
from streams.intake.document import ESCAPED_COLON, Document
from tocsin.event import IdKind

_LIMIT: Final = MAX_EXACT - 1
"""One less than `check.py` allows: 2**53 + 1 becomes 2**53 on its way to a float, and must be read with care."""
NUMBER = Annotated[float, Meta(ge=-_LIMIT, le=_LIMIT)]
WHOLE = Annotated[int, Meta(ge=-(2**53), le=2**53)]
_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
_Text = Annotated[str, Meta(max_length=MAX_ID)]
_NUMBERS = Annotated[dict[str, NUMBER], Meta(max_length=MAX_FEATURES)]
MIXED = Annotated[dict[str, NUMBER | _Text | None], Meta(max_length=MAX_FEATURES)]
_COLUMNS = Annotated[dict[str, list[NUMBER | None]], Meta(max_length=MAX_FEATURES)]
FIELDS: Final[dict[str, Any]] = {
    "schema": Literal["ml.inference.v1"],
    "event_id": _Id,
    "request_id": str,
    "trace_id": str,
    "phase": str,
    "kind": str,
    "ts": WHOLE,
    "latency_ms": Annotated[float, Meta(ge=0.0, le=_LIMIT)],
    "status": Annotated[int, Meta(ge=0, le=999)],
    "prompt": str,
    "completion": str,
    "model.namespace": _Id,
    "model.name": _Id,
    "model.version": _Id,
    "caller.id": _Id,
    "caller.id_kind": IdKind,
    "prediction.label": _Text | WHOLE,
    "prediction.score": Annotated[float, Meta(ge=0.0, le=1.0)],
}
"""Every field that the shortcut knows, and what it takes; the same limits as `check.py`."""
PLAIN: Final = re.compile(r"[^\x00-\x1f\"\\:=\x7f-\x9f][^\x00-\x1f\"\\:\x7f-\x9f]*")
"""Names of features that JSON writes as they are and that hold no colon."""
ABSENT: Final[dict[str, Any]] = {
    "ts": None,
    "latency_ms": None,
    "status": 0,
    "prompt": "",
    "completion": "",
    "features": {},
    "model": {"namespace": "default", "name": "", "version": "0"},
    "caller": {"id": "unknown", "id_kind": "unknown"},
    "prediction": {"label": "", "score": None},
}
"""What stands where a field is absent."""
_NULL: Final = frozenset({"event_id", "ts", "latency_ms", "prediction.score"})
"""Fields for which null means absent."""
_PER_ROW: Final = frozenset({"event_id", "ts", "latency_ms", "status", "caller.id", "prediction.label", "prediction.score"})
"""What may differ from row to row of a columnar batch; the rest must hold for all of its rows."""
_NOT_COLUMNAR: Final = frozenset({"prompt", "completion"})


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """A decoder for records with one set of keys.

    Attributes:
        signature: what the decoder was made for; equal signatures are equal decoders.
        decode: bytes → an object with the attributes of a canonical record, defaults where the record has none; raises
            msgspec.DecodeError or UnicodeDecodeError when the record is another.
        keys: how many keys are known by number: those outside `features`, and inside when `names` says which.
        names: of the features, when the decoder is for these and yields them as a Struct; None when they may be any, yielded
            as a dict.
        texts: where in `names` the categories stand.
        columnar: whether it reads a batch of columns.
        judged: whether `decode` itself raises where a key may stand twice; its features come as a tuple then.
    """

    signature: tuple[tuple[str, str], ...]
    decode: Callable[[bytes], Any]
    keys: int
    names: tuple[str, ...] | None
    texts: tuple[int, ...]
    columnar: bool
    judged: bool = False

    def each_key_once(self, event: Any, value: bytes) -> bool:
        """Returns whether no object in the text names a key twice; also False when this way cannot tell."""
        inside = 0 if self.names is not None else len(event.features)
        colons = value.count(b":")
        if colons == self.keys + inside:
            return True
        return ESCAPED_COLON not in value and colons == msgspec.json.encode(event).count(b":")


def envelope_of(document: Document, *, named: bool) -> Envelope | None:
    """Returns the decoder for records with the keys of this one, which passed with care; None when there is no shortcut.

    Args:
        document: the record.
        named: whether the names of its features may be made part of the shape, which is cheaper.
    """
    features = document.get("features", {})
    if features is None:
        return None
    columnar = any(isinstance(column, list) for column in features.values())
    if isinstance(document.get("caller"), dict) and "id" not in document["caller"]:
        return None
    named = named and "features" in document and not columnar and all(map(is_plain, features, features.values()))
    kinds: dict[str, Any] = {}
    for path, value in _paths(document):
        kind = features_kind(features, columnar=columnar, named=named) if path == "features" else _kind(path, value, columnar)
        if kind is None:
            return None
        kinds[path] = kind
    parts = [name for name in ("model", "caller", "prediction") if name in document]
    texts = tuple(index for index, item in enumerate(features.values()) if isinstance(item, str)) if named else ()
    told = {**kinds, "features": (*features, texts)} if named else kinds
    return Envelope(
        signature=tuple(sorted((path, repr(kind)) for path, kind in told.items())),
        decode=msgspec.json.Decoder(_struct("", kinds, ABSENT)).decode,
        keys=len(kinds) + len(parts) + (len(features) if named else 0),
        names=tuple(features) if named else None,
        texts=texts,
        columnar=columnar,
    )


def _paths(document: Document) -> list[tuple[str, Any]]:
    """Returns (path, value) of all fields, those of the three parts one by one; a part that is empty has itself as path."""
    paths: list[tuple[str, Any]] = []
    for name, value in document.items():
        if name in {"model", "caller", "prediction"} and isinstance(value, dict) and value:
            paths += [(f"{name}.{inner}", item) for inner, item in value.items()]
        else:
            paths.append((name, value))
    return paths


def _kind(path: str, value: Any, columnar: bool) -> Any:
    kind = FIELDS.get(path)
    if columnar and path in _NOT_COLUMNAR:
        return None
    if value is None:
        return type(None) if path in _NULL else None
    if isinstance(value, list):
        return GenericAlias(list, (kind,)) if columnar and path in _PER_ROW else None
    return kind


def features_kind(features: Document, *, columnar: bool, named: bool) -> Any:
    """Returns the type of a record's features; a Struct of exactly these when `named`; None when there is no shortcut."""
    if named:
        fields = [(f"f{index}", feature_kind(item)) for index, item in enumerate(features.values())]
        rename = {f"f{index}": name for index, name in enumerate(features)}
        return msgspec.defstruct("Features", fields, rename=rename, forbid_unknown_fields=True, gc=False)
    if columnar:
        items = [item for column in features.values() for item in (column if isinstance(column, list) else [""])]
        return _COLUMNS if all(item is None or _is_number(item) for item in items) else None
    return _NUMBERS if all(_is_number(item) for item in features.values()) else MIXED


def feature_kind(item: Any) -> Any:
    """Returns the type of one feature that is a number or a category."""
    return _Text if isinstance(item, str) else NUMBER


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)


def is_plain(name: str, item: Any) -> bool:
    """Returns whether a feature may be part of a shape."""
    return bool(PLAIN.fullmatch(name)) and (_is_number(item) or isinstance(item, str))


def _struct(prefix: str, kinds: dict[str, Any], absent: dict[str, Any]) -> type[msgspec.Struct]:
    """Returns a Struct that requires exactly these fields, and has the others as constants."""
    fields: dict[str, Any] = {}
    defaults = dict(absent)
    for name in dict.fromkeys(path.removeprefix(prefix).partition(".")[0] for path in kinds if path.startswith(prefix)):
        path = prefix + name
        fields[name] = kinds[path] if path in kinds else _struct(f"{path}.", kinds, absent[name])
        defaults.pop(name, None)
    for name, default in defaults.items():
        if isinstance(default, dict) and name != "features":
            defaults[name] = _struct(f"{name}.", {}, default)()
    return msgspec.defstruct("Record", list(fields.items()), namespace=defaults, forbid_unknown_fields=True, gc=False)

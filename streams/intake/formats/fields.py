"""Fields: any JSON object, by a mapping in the configuration, so that an existing topic needs no new code.

    [[topic]]
    name = "payments.scored"
    format = "json"
    model = "prod/fraud@3"
    fields = { ts_s = "time", caller = "user.id", id_kind = "=user", features = "tx", confidence = "result.score",
               "features.country" = "geo.country" }

The left side is one of FIELDS, or `features.NAME`; the right side is a path of keys (and array indexes), or `=TEXT` for a
constant. `ts` is milliseconds or ISO 8601, `ts_s` seconds, `latency_s` seconds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

from streams.intake.check import MAX_EXACT, number
from streams.intake.document import Document
from streams.intake.formats import canonical
from streams.intake.reject import Reason, reject
from tocsin.config import RawTopic
from tocsin.errors import ConfigError
from tocsin.event import InferenceEvent

FIELDS: Final = (
    "event_id", "ts", "ts_s", "model", "namespace", "version", "caller", "id_kind", "features", "label", "confidence",
    "latency_ms", "latency_s", "status", "prompt", "completion",
)  # fmt: skip


def check_mapping(topic: RawTopic) -> None:
    """Passes when every field named is one we know.

    Raises:
        ConfigError: it names the topic, the field and what is allowed.
    """
    for name in topic.fields:
        if name not in FIELDS and not name.startswith("features."):
            raise ConfigError(f"topic {topic.name!r}: fields: one of {', '.join(FIELDS)} or features.NAME; got {name!r}")


def sniff(document: Document) -> bool:  # noqa: ARG001 - one signature for every format
    """Returns False: a mapping is always pinned."""
    return False


def decode(document: Document, topic: RawTopic) -> InferenceEvent:
    """Returns the event that the topic's mapping finds in one object."""
    return canonical.decode(translated(document, topic), topic)


def translated(document: Document, topic: RawTopic) -> Document:
    """Returns the same in canonical form, unchecked."""
    plan = _plan(tuple(topic.fields.items()))
    found = dict(plan.constants)
    for name, keys in plan.paths:
        node: Any = document
        for key in keys:
            node = node.get(key) if type(node) is dict else _element(node, key)
        found[name] = node
    features = found.get("features")
    if plan.features and (features is None or isinstance(features, dict)):
        features = dict(features or {})
        for name, feature in plan.features:
            features[feature] = found[name]
    caller = found.get("caller")
    return {
        "schema": canonical.SCHEMA,
        "event_id": found.get("event_id"),
        "ts": _scaled(found, "ts", "ts_s", -MAX_EXACT),
        "model": _model(found),
        "caller": None if caller is None else {"id": _text(caller), "id_kind": found.get("id_kind") or "unknown"},
        "features": features,
        "prediction": {"label": found.get("label"), "score": found.get("confidence")},
        "latency_ms": _scaled(found, "latency_ms", "latency_s", 0.0),
        "status": found.get("status"),
        "prompt": found.get("prompt"),
        "completion": found.get("completion"),
    }


class _Plan(NamedTuple):
    """A mapping, taken apart.

    Attributes:
        constants: field → its text.
        paths: (field, the keys that lead to it).
        features: (field, the feature it names).
    """

    constants: dict[str, Any]
    paths: tuple[tuple[str, tuple[str, ...]], ...]
    features: tuple[tuple[str, str], ...]


@lru_cache(256)
def _plan(fields: tuple[tuple[str, str], ...]) -> _Plan:
    return _Plan(
        {name: path[1:] for name, path in fields if path.startswith("=")},
        tuple((name, tuple(path.split("."))) for name, path in fields if not path.startswith("=")),
        tuple((name, name.removeprefix("features.")) for name, _ in fields if name.startswith("features.")),
    )


def _element(node: Any, key: str) -> Any:
    """Returns the element of an array that a key counts out; None where there is none."""
    return node[int(key)] if isinstance(node, list) and key.isdecimal() and int(key) < len(node) else None


def _scaled(found: Document, name: str, seconds: str, low: float) -> Any:
    value = found.get(seconds)
    return found.get(name) if value is None else number(value, seconds, low / 1000, MAX_EXACT / 1000) * 1000


def _model(found: Document) -> Any:
    if found.get("model") is None or not found.keys() & {"namespace", "version"}:
        return found.get("model")
    return {"name": found["model"], "namespace": found.get("namespace", "default"), "version": _text(found.get("version", "0"))}


def _text(value: Any) -> Any:
    """Returns numbers as text, as ids often are numbers; anything else is left to be refused by its type."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if abs(value) > MAX_EXACT:
        raise reject(Reason.INT_RANGE, "id: an integer within 2**53, or text, expected")
    return str(value)

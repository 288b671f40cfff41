"""Kong: one `kafka-log` object per request; with AI Gateway logging on it also carries prompt and completion."""

from __future__ import annotations

from typing import Any

import orjson

from streams.intake.document import Document
from streams.intake.formats import canonical
from streams.intake.reject import Reason, reject, shown
from tocsin.config import RawTopic
from tocsin.event import InferenceEvent


def sniff(document: Document) -> bool:
    """Returns whether the keys that only Kong writes together are there."""
    return document.keys() >= {"client_ip", "latencies", "request"}


def decode(document: Document, topic: RawTopic) -> InferenceEvent:
    """Returns the event in one log entry; the model is the AI proxy's, else the service or route, else the topic's."""
    return canonical.decode(translated(document, topic), topic)


def translated(document: Document, topic: RawTopic) -> Document:  # noqa: ARG001 - one signature for every format
    """Returns the same in canonical form, unchecked."""
    proxy = _part(_part(document, "ai"), "proxy")
    payload, usage = _part(proxy, "payload"), _part(proxy, "usage")
    caller_id, id_kind = _caller(document)
    return {
        "schema": canonical.SCHEMA,
        "event_id": _part(document, "request").get("id"),
        "ts": document.get("started_at"),
        "model": _model(document, _part(proxy, "meta")),
        "caller": {"id": caller_id, "id_kind": id_kind},
        "features": {key: usage[key] for key in ("prompt_tokens", "completion_tokens") if usage.get(key) is not None},
        "latency_ms": _part(document, "latencies").get("request"),
        "status": _part(document, "response").get("status"),
        "prompt": _text(payload.get("request")),
        "completion": _text(payload.get("response")),
    }


def _part(document: Document, name: str) -> Document:
    part = document.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise reject(Reason.TYPE, f"{name}: an object expected; got {shown(part)}")
    return part


def _model(document: Document, meta: Document) -> Any:
    name = meta.get("response_model") or meta.get("request_model")
    if name:
        return {"namespace": meta.get("provider_name") or "kong", "name": name, "version": "0"}
    for part in ("service", "route"):
        if _part(document, part).get("name"):
            return {"namespace": "kong", "name": document[part]["name"], "version": "0"}
    return None


def _caller(document: Document) -> tuple[Any, str]:
    consumer = _part(document, "consumer")
    if consumer.get("id"):
        return consumer["id"], "service"
    if document.get("client_ip"):
        return document["client_ip"], "ip"
    return "unknown", "unknown"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()

"""LiteLLM: the StandardLoggingPayload, one per call to a language model.

Times are epoch seconds. The caller is the API key's hash where there is one; `messages` and `response` may be redacted.
"""

from __future__ import annotations

from typing import Any

import orjson

from streams.intake.check import MAX_EXACT, number
from streams.intake.document import Document
from streams.intake.formats import canonical
from streams.intake.reject import Reason, reject, shown
from tocsin.config import RawTopic
from tocsin.event import InferenceEvent

_CALLERS = (
    ("user_api_key_hash", "api_key_hash"),
    ("user_api_key_user_id", "user"),
    ("user_api_key_team_id", "service"),
)
_TOKENS = ("prompt_tokens", "completion_tokens", "response_cost")


def sniff(document: Document) -> bool:
    """Returns whether the keys that only LiteLLM writes are there."""
    return document.keys() >= {"call_type", "startTime", "model_group"}


def decode(document: Document, topic: RawTopic) -> InferenceEvent:
    """Returns the event in one payload: its features are the token counts and the cost."""
    return canonical.decode(translated(document, topic), topic)


def translated(document: Document, topic: RawTopic) -> Document:  # noqa: ARG001 - one signature for every format
    """Returns the same in canonical form, unchecked."""
    start, end = (_seconds(document, name) for name in ("startTime", "endTime"))
    name = document.get("model_group") or document.get("model")
    caller_id, id_kind = _caller(document)
    return {
        "schema": canonical.SCHEMA,
        "event_id": document.get("id"),
        "ts": None if start is None else start * 1000,
        "model": _model(name, document),
        "caller": {"id": caller_id, "id_kind": id_kind},
        "features": {key: document[key] for key in _TOKENS if document.get(key) is not None},
        "latency_ms": None if start is None or end is None else (end - start) * 1000,
        "status": _status(document),
        "prompt": _text(document.get("messages")),
        "completion": _text(document.get("response")),
    }


def _seconds(document: Document, name: str) -> float | None:
    value = document.get(name)
    return None if value is None else number(value, name, -MAX_EXACT, MAX_EXACT)


def _model(name: Any, document: Document) -> Any:
    if name is None or name == "":
        return None
    provider, version = document.get("custom_llm_provider"), document.get("model_id")
    return {"namespace": provider or "litellm", "name": name, "version": version or "0"}


def _caller(document: Document) -> tuple[Any, str]:
    metadata = document.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise reject(Reason.TYPE, f"metadata: an object expected; got {shown(metadata)}")
    for key, id_kind in _CALLERS:
        if metadata and metadata.get(key):
            return metadata[key], id_kind
    if document.get("end_user"):
        return document["end_user"], "user"
    if document.get("requester_ip_address"):
        return document["requester_ip_address"], "ip"
    return "unknown", "unknown"


def _status(document: Document) -> int:
    if document.get("status") != "failure":
        return 200 if document.get("status") == "success" else 0
    information = document.get("error_information")
    code = information.get("error_code") if isinstance(information, dict) else None
    text = str(code) if isinstance(code, str | int) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) == 3 else 500


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()

"""Canonical: `ml.inference.v1`, our own format and the cheapest to read.

    {"schema": "ml.inference.v1", "event_id": "e-1", "ts": 1795598400123,
     "model": {"namespace": "prod", "name": "fraud", "version": "3"},
     "caller": {"id": "acct-8841", "id_kind": "api_key_hash"},
     "features": {"amount": 12.5, "country": "DE"},
     "prediction": {"label": "ok", "score": 0.93}, "latency_ms": 8.2, "status": 200}

Only `schema`, and `model` unless the topic names one, are required. Language models add `prompt` (or `messages`) and
`completion`. A columnar batch is the same object with arrays of one length in `features` and, where they differ per row, in
any other place; a value that is no array holds for every row.
"""

from __future__ import annotations

import math
from typing import Any, Final

import orjson

from streams.intake.check import (
    MAX_EXACT,
    MAX_ID,
    checked_id,
    checked_kind,
    checked_label,
    checked_status,
    checked_text,
    features,
    model_id,
    number,
    optional,
    parsed_model,
    time_ms,
)
from streams.intake.document import MAX_BATCH_ROWS, Document
from streams.intake.reject import Reason, reject, shown
from tocsin.config import RawTopic
from tocsin.event import InferenceEvent

SCHEMA: Final = "ml.inference.v1"


def sniff(document: Document) -> bool:
    """Returns whether the object says that it is ours, in whatever version."""
    schema = document.get("schema")
    return isinstance(schema, str) and schema.startswith("ml.inference.")


def decode(document: Document, topic: RawTopic) -> InferenceEvent:
    """Returns the event in one object."""
    if document.get("schema") != SCHEMA:
        raise reject(Reason.VERSION, f"schema: {SCHEMA!r} expected; got {shown(document.get('schema'))}")
    prediction = _part(document, "prediction")
    _check_scores(prediction.get("scores"))
    caller_id, id_kind = _caller(document.get("caller"))
    return InferenceEvent(
        event_id=_event_id(document.get("event_id")),
        ts=time_ms(document.get("ts"), "ts"),
        model=model_of(document.get("model"), topic),
        caller_id=caller_id,
        id_kind=checked_kind(id_kind),
        features=features(document.get("features")),
        label=checked_label(prediction.get("label")),
        confidence=optional(prediction.get("score"), "prediction.score", 0.0, 1.0),
        latency_ms=optional(document.get("latency_ms"), "latency_ms", 0.0, MAX_EXACT),
        status=checked_status(document.get("status")),
        prompt=_prompt(document),
        completion=checked_text(document.get("completion"), "completion"),
    )


def translated(document: Document, topic: RawTopic) -> Document:  # noqa: ARG001 - one signature for every format
    """Returns the object with `messages` as its prompt, where it has such; it is canonical already."""
    return {**document, "prompt": _prompt(document)} if "messages" in document else document


def rows_of_columns(document: Document) -> list[Document] | None:
    """Returns one object per row of a columnar batch, None when the object is no such batch.

    Raises:
        RejectError: its columns differ in length, or are too long.
    """
    columns = document.get("features")
    if not isinstance(columns, dict) or not any(isinstance(column, list) for column in columns.values()):
        return None
    rows = len(next(column for column in columns.values() if isinstance(column, list)))
    if rows > MAX_BATCH_ROWS:
        raise reject(Reason.TOO_MANY_ROWS, f"features: at most {MAX_BATCH_ROWS} rows; got {rows}")
    if not rows:
        raise reject(Reason.EMPTY, "features: at least one row expected; got []")
    _check_lengths(document, rows, "")
    return [_row(document, row) for row in range(rows)]


def _check_lengths(node: Document, rows: int, where: str) -> None:
    for name, value in node.items():
        if isinstance(value, list) and len(value) != rows:
            raise reject(Reason.LENGTH, f"{where}{shown(name)}: {rows} rows expected, as in features; got {len(value)}")
        if isinstance(value, dict) and not where:
            _check_lengths(value, rows, f"{name[:40]}.")


def _row(node: Document, row: int, depth: int = 0) -> Document:
    picked = {}
    for name, value in node.items():
        if isinstance(value, list):
            picked[name] = value[row]
        else:
            picked[name] = _row(value, row, 1) if isinstance(value, dict) and not depth else value
    return picked


def _part(document: Document, name: str) -> Document:
    part = document.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise reject(Reason.TYPE, f"{name}: an object expected; got {shown(part)}")
    return part


def model_of(model: Any, topic: RawTopic) -> str:
    """Returns the model id in a record's `model`: an object, or one text; the topic's own when there is none."""
    if model is None:
        if not topic.model:
            raise reject(Reason.MISSING, "model: required, because the topic's configuration names none")
        return parsed_model(topic.model)
    if isinstance(model, str):
        return parsed_model(model)
    if not isinstance(model, dict):
        raise reject(Reason.TYPE, f"model: an object or 'namespace/name@version' expected; got {shown(model)}")
    if "name" not in model:
        raise reject(Reason.MISSING, "model.name: required")
    return model_id(model.get("namespace", "default"), model["name"], model.get("version", "0"))


def _caller(caller: Any) -> tuple[str, Any]:
    if caller is None:
        return "unknown", "unknown"
    if isinstance(caller, str):
        return checked_id(caller, "caller"), "unknown"
    if not isinstance(caller, dict):
        raise reject(Reason.TYPE, f"caller: an object expected; got {shown(caller)}")
    if "id" not in caller:
        return "unknown", "unknown"
    return checked_id(caller["id"], "caller.id"), caller.get("id_kind", "unknown")


def _event_id(event_id: Any) -> str:
    """Returns the producer's id, its characters unjudged: frames carry coordinates in its place, so nobody ever shows it."""
    if event_id is None:
        return ""
    if not isinstance(event_id, str):
        raise reject(Reason.TYPE, f"event_id: text expected; got {shown(event_id)}")
    if not 0 < len(event_id) <= MAX_ID:
        raise reject(Reason.BAD_ID, f"event_id: 1 to {MAX_ID} characters expected; got {len(event_id)}")
    return event_id


def _check_scores(scores: Any) -> None:
    if not isinstance(scores, dict | list):
        return
    values = [
        number(score, "prediction.scores", 0.0, 1.0) for score in (scores if isinstance(scores, list) else scores.values())
    ]
    if values and not math.isclose(sum(values), 1.0, abs_tol=1e-3):
        raise reject(Reason.OUT_OF_DOMAIN, f"prediction.scores: a sum of 1 within 0.001 expected; got {sum(values):g}")


def _prompt(document: Document) -> str:
    if "messages" in document and "prompt" not in document:
        messages = document["messages"]
        return messages if isinstance(messages, str) else orjson.dumps(messages).decode()
    return checked_text(document.get("prompt"), "prompt")

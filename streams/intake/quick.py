"""Quick: canonical records of one topic, by shortcut. Whatever it cannot take it leaves to `decode.py`, untouched."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np

from streams.intake.check import checked_id, checked_label, feature, feature_name, model_id, parsed_model
from streams.intake.columns import Columns, Known, event_time
from streams.intake.document import MAX_BATCH_ROWS, documents
from streams.intake.envelope import Envelope, envelope_of
from streams.intake.formats import canonical
from streams.intake.framer import Framer, Layout
from tocsin.config import RawTopic
from tocsin.errors import RejectError
from tocsin.event import ROW_BITS, position_of
from tocsin.rows import category_code

MAX_ENVELOPES: Final = 4
"""Shapes of records tried per topic before one is read with care."""
MAX_TRIES: Final = 64
"""Records read with care that may fail to teach a new shape before a topic is no longer learned from."""
CACHED: Final = 1 << 14
"""Texts, and orders of features, remembered per topic."""


class Quick:
    """The shortcut for one topic; what it remembers changes its cost and nothing else."""

    def __init__(self, topic: RawTopic, framer: Framer) -> None:
        """Starts knowing no shape of record."""
        self._topic = topic
        self._framer = framer
        self._add = framer.add
        self._tries = MAX_TRIES if topic.format in {"canonical", "sniff"} else 0
        self._envelopes: list[Envelope] = []
        self._layouts: dict[tuple[str | bool, ...], Layout] = {}
        self._labels: dict[str | int, str] = {}

    def take(self, source: int, offset: int, append_ms: int, value: bytes) -> int:
        """Returns how many rows went to the framer; 0 leaves the record to be read with care."""
        for envelope in self._envelopes:
            try:
                event = envelope.decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if value.count(b":") != envelope.keys + len(event.features) and not envelope.each_key_once(event, value):
                return 0
            if envelope is not self._envelopes[0]:
                self._envelopes.remove(envelope)
                self._envelopes.insert(0, envelope)
            try:
                if envelope.columnar:
                    return self._columns(event, source, offset, append_ms)
                return self._row(event, envelope, source, offset, append_ms)
            except RejectError:
                return 0
        return 0

    def learn(self, value: bytes) -> None:
        """Takes the shape of a record that has just passed with care; gives up on a topic that teaches nothing new."""
        if not self._tries:
            return
        rows = documents(value)
        envelope = envelope_of(rows[0]) if len(rows) == 1 and canonical.sniff(rows[0]) else None
        if envelope and all(envelope.signature != old.signature for old in self._envelopes):
            self._envelopes = [envelope, *self._envelopes][:MAX_ENVELOPES]
        else:
            self._tries -= 1

    def _row(self, event: Any, envelope: Envelope, source: int, offset: int, append_ms: int) -> int:
        model, caller, prediction = event.model, event.caller, event.prediction
        features = _wire(event.features) if envelope.mixed else event.features
        texts = (event.prompt, event.completion) if envelope.spoken and (event.prompt or event.completion) else ()
        layout = self._layouts.get((envelope.mixed, not texts, model.namespace, model.name, model.version, *features))
        if layout is None:
            layout = self._learn_layout(envelope.mixed, not texts, model, features)
        label = self._labels.get(prediction.label)
        if label is None:
            label = self._learn_label(prediction.label)
        known = self._framer.young.get((caller.id, caller.id_kind))
        if known is None:
            known = self._meet(caller.id, caller.id_kind)
        schema, get = layout
        row = (
            source, offset << ROW_BITS, event.ts, append_ms, known, features.values() if get is None else get(features), label,
            prediction.score, event.latency_ms, event.status, texts,
        )  # fmt: skip
        extra = 4 * len(label)
        if texts:
            extra += sum(len(text.encode()) for text in texts)
        self._add(schema, row, extra)
        return 1

    def _columns(self, event: Any, source: int, offset: int, append_ms: int) -> int:
        lengths = {len(column) for column in event.features.values()}
        rows = max(lengths, default=0)
        if len(lengths) != 1 or not 0 < rows <= MAX_BATCH_ROWS:
            return 0
        caller, prediction = event.caller, event.prediction
        given = (event.ts, caller.id, prediction.label, prediction.score, event.latency_ms, event.status)
        if any(isinstance(column, list) and len(column) != rows for column in (*given, getattr(event, "event_id", None))):
            return 0
        claimed, ids, names, scores, latencies, statuses = (
            column if isinstance(column, list) else [column] * rows for column in given
        )
        key = (False, True, event.model.namespace, event.model.name, event.model.version, *event.features)
        layout = self._layouts.get(key) or self._learn_layout(False, True, event.model, event.features)
        recall, kind = self._framer.young.get, caller.id_kind
        whole = np.empty((4, rows), np.int64)
        whole[0] = source
        whole[1] = np.arange(rows) + position_of(offset, 0)
        whole[2], whole[3] = event_time(claimed, np.full(rows, append_ms, np.int64))
        values = event.features.values() if layout.get is None else layout.get(event.features)
        real = np.empty((3 + len(layout.schema.written), rows), np.float32)
        for index, column in enumerate((scores, latencies, statuses, *values)):
            real[index] = column
        columns = Columns(
            whole,
            real,
            [recall((name, kind)) or self._meet(name, kind) for name in ids],
            [self._labels[name] if name in self._labels else self._learn_label(name) for name in names],
            [()] * rows,
        )
        self._framer.add_columns(layout.schema, source, columns)
        return rows

    def _meet(self, caller_id: str, id_kind: str) -> Known:
        return self._framer.known(checked_id(caller_id, "caller.id"), id_kind)

    def _learn_label(self, label: str | int) -> str:
        if len(self._labels) >= CACHED:
            self._labels.clear()
        name = self._labels[label] = checked_label(label)
        return name

    def _learn_layout(self, mixed: bool, silent: bool, model: Any, features: dict[str, Any]) -> Layout:
        for name in features:
            feature_name(name[1:] if mixed and name.startswith("=") else name)
        named = model_id(model.namespace, model.name, model.version) if model.name else parsed_model(self._topic.model)
        layout = self._framer.layout("inference", named, tuple(features), () if silent else ("prompt", "completion"))
        if len(self._layouts) >= CACHED:
            self._layouts.clear()
        self._layouts[mixed, silent, model.namespace, model.name, model.version, *features] = layout
        return layout


@lru_cache(CACHED)
def _category(text: str) -> float:
    feature(text, "category")
    return category_code(text)


def _wire(features: dict[str, float | str | None]) -> dict[str, float | None]:
    wire: dict[str, float | None] = {}
    for name, value in features.items():
        if isinstance(value, str):
            wire["=" + name] = _category(value)
        else:
            wire[feature_name(name) if name[:1] == "=" else name] = value
    return wire

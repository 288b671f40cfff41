"""Quick: records of one topic by shortcut: `envelope.py`, then `typed.py`. What neither takes is left to `decode.py`, whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from streams.intake.batch import Batch, per_row, rows_in
from streams.intake.check import checked_id, checked_label, feature, feature_name, model_id, parsed_model
from streams.intake.columns import Known, Row, Schema
from streams.intake.document import documents
from streams.intake.envelope import Envelope, envelope_of
from streams.intake.formats import canonical
from streams.intake.framer import Framer, Layout
from streams.intake.mapped import mapped_envelope
from streams.intake.typed import events_in
from tocsin.config import RawTopic
from tocsin.errors import RejectError
from tocsin.event import ROW_BITS, position_of
from tocsin.rows import category_code

MAX_ENVELOPES: Final = 6
"""Shapes of records tried per topic before one is read otherwise."""
MAX_NAMED: Final = 4
"""Of these, shapes that include the features' names; a topic with more has too many kinds of records for that."""
JudgedMs = Callable[[int, int, int | None], int]
"""(source, append_ms, claimed ts) → the time by which a row is judged; called once per row that is taken."""
MAX_TRIES: Final = 64
"""Records read with care that may fail to teach a new shape before a topic is no longer learned from."""
CACHED: Final = 1 << 14
"""Texts, and orders of features, remembered per topic."""


class Quick:
    """The shortcuts for one topic; what it remembers changes its cost and nothing else."""

    def __init__(self, topic: RawTopic, framer: Framer, judged_ms: JudgedMs | None) -> None:
        """Starts knowing no shape of record.

        Args:
            topic: what is read.
            framer: where rows go.
            judged_ms: see `JudgedMs`; None when that is always the append time.
        """
        self._topic = topic
        self._framer = framer
        self._add = framer.add
        self._judged_ms = judged_ms
        self._tries = MAX_TRIES if topic.format in {"canonical", "sniff"} else 0
        self._mapped_tries = MAX_TRIES if topic.format == "json" else 0
        self._envelopes: list[Envelope] = []
        self._layouts: dict[tuple[Any, ...], Layout] = {}
        self._labels: dict[str | int | None, str] = {}
        self._batch: Batch | None = None

    def take(self, source: int, offset: int, append_ms: int, value: bytes) -> int:
        """Returns how many rows went to the framer, or will at `settle`; 0 leaves the record to be read with care."""
        for envelope in self._envelopes:
            try:
                event = envelope.decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            keys_known = envelope.judged or (envelope.names is not None and value.count(b":") == envelope.keys)
            if not keys_known and not envelope.each_key_once(event, value):
                return 0
            if envelope is not self._envelopes[0]:
                self._envelopes.remove(envelope)
                self._envelopes.insert(0, envelope)
            try:
                if envelope.columnar:
                    return self._columns(event, source, offset, append_ms)
                schema, row, extra = self._row(event, envelope, source, offset << ROW_BITS, append_ms)
            except RejectError:
                return 0
            self.settle()
            self._add(schema, row if self._judged_ms is None else self._judged(row), extra)
            return 1
        return 0 if self._tries else self._typed(source, offset, append_ms, value)

    def learn(self, value: bytes) -> None:
        """Takes the shape of a record that has just passed with care; gives up on a topic that teaches nothing new."""
        if not self._tries:
            return
        rows = documents(value)
        named = sum(envelope.names is not None for envelope in self._envelopes) < MAX_NAMED
        envelope = envelope_of(rows[0], named=named) if len(rows) == 1 and canonical.sniff(rows[0]) else None
        if envelope and all(envelope.signature != old.signature for old in self._envelopes):
            self._tries -= len(self._envelopes) == MAX_ENVELOPES
            self._envelopes = [envelope, *self._envelopes][:MAX_ENVELOPES]
        else:
            self._tries -= 1

    def _typed(self, source: int, offset: int, append_ms: int, value: bytes) -> int:
        try:
            events = events_in(value, self._topic)
            rows = [self._row(e, None, source, position_of(offset, row), append_ms) for row, e in enumerate(events)]
        except (RejectError, msgspec.ValidationError):
            return 0
        self.settle()
        for schema, row, extra in rows:
            self._add(schema, row if self._judged_ms is None else self._judged(row), extra)
        if self._mapped_tries and len(rows) == 1:
            self._learn_mapped(value, events[0].model)
        return len(rows)

    def _learn_mapped(self, value: bytes, model: Any) -> None:
        """Takes the shape of a mapped record that has just passed; gives up on a topic that teaches too many, or none."""
        self._mapped_tries -= 1
        envelope = mapped_envelope(documents(value)[0], self._topic, model)
        if envelope is not None:
            self._envelopes = [envelope, *self._envelopes][:MAX_ENVELOPES]

    def _judged(self, row: Row) -> Row:
        """Returns the row with the time by which it is judged; only for one that is certain to be taken."""
        source, _, claimed, append_ms, *_ = row
        judged_ms = append_ms if self._judged_ms is None else self._judged_ms(source, append_ms, claimed)
        return (*row[:3], judged_ms, *row[4:])

    def _row(
        self, event: Any, envelope: Envelope | None, source: int, position: int, append_ms: int
    ) -> tuple[Schema, Row, int]:
        """Returns what `Framer.add` takes."""
        model, caller, prediction, features = event.model, event.caller, event.prediction, event.features
        texts = (event.prompt, event.completion) if event.prompt or event.completion else ()
        if envelope is not None and envelope.names is not None:
            values, written = features if envelope.judged else astuple(features), envelope.texts
            key: tuple[Any, ...] = (envelope, not texts, model.namespace, model.name, model.version)
        else:
            values = tuple(features.values())
            written = _where_text(values) if str in map(type, values) else ()
            key = (written, not texts, model.namespace, model.name, model.version, *features)
        layout = self._layouts.get(key)
        if layout is None:
            names = features if envelope is None or envelope.names is None else envelope.names
            layout = self._learn_layout(key, model, tuple(names), written, silent=not texts)
        if written:
            values = _coded(values, written)
        label = self._labels.get(prediction.label)
        if label is None:
            label = self._learn_label(prediction.label)
        known = self._framer.young.get((caller.id, caller.id_kind))
        if known is None:
            known = self._meet(caller.id, caller.id_kind)
        schema, get = layout
        row = (
            source, position, event.ts, append_ms, known, values if get is None else get(values), label,
            prediction.score, event.latency_ms, event.status, texts,
        )  # fmt: skip
        extra = 4 * len(label)
        if texts:
            extra += sum(len(text.encode()) for text in texts)
        return schema, row, extra

    def _columns(self, event: Any, source: int, offset: int, append_ms: int) -> int:
        """Returns how many rows of a columnar batch were collected for the framer; 0 leaves it to be read with care."""
        rows = rows_in(event)
        if not rows:
            return 0
        model, kind, names = event.model, event.caller.id_kind, tuple(event.features)
        claimed, ids, labels, *_ = per_row(event, rows)
        key = ((), True, model.namespace, model.name, model.version, *names)
        layout = self._layouts.get(key) or self._learn_layout(key, model, names, (), silent=True)
        known, named = self._callers(ids, kind), self._names(labels)
        judge = self._judged_ms
        judged = [append_ms] * rows if judge is None else [judge(source, append_ms, ts) for ts in claimed]
        if self._batch is None or not self._batch.fits(layout, source):
            self.settle()
            self._batch = Batch(layout, source)
        self._batch.add(event, offset, judged, known, named)
        return rows

    def settle(self) -> None:
        """Gives the framer what is collected of columnar batches; to be called before anything else is added to it or read."""
        if self._batch is not None:
            self._batch.deal(self._framer)
            self._batch = None

    def _callers(self, ids: Sequence[str], kind: str) -> list[Known]:
        """Returns the callers, most of whom are known."""
        known = map(self._framer.young.get, zip(ids, repeat(kind), strict=False))
        return [self._meet(name, kind) if one is None else one for one, name in zip(known, ids, strict=True)]

    def _names(self, labels: Sequence[Any]) -> list[str]:
        """Returns the checked class names, most of which are known."""
        names = map(self._labels.get, labels)
        return [self._learn_label(label) if name is None else name for name, label in zip(names, labels, strict=True)]

    def _meet(self, caller_id: str, id_kind: str) -> Known:
        return self._framer.known(checked_id(caller_id, "caller.id"), id_kind)

    def _learn_label(self, label: str | int) -> str:
        if len(self._labels) >= CACHED:
            self._labels.clear()
        name = self._labels[label] = checked_label(label)
        return name

    def _learn_layout(
        self, key: tuple[Any, ...], model: Any, names: tuple[str, ...], written: tuple[int, ...], *, silent: bool
    ) -> Layout:
        """Returns where rows of this model and these features belong.

        Args:
            key: by which it is remembered.
            model: its id in parts; without a name it is the topic's.
            names: of the features, in the order of the values.
            written: which of them are categories.
            silent: whether the rows have neither prompt nor completion.
        """
        wire = tuple(f"={feature_name(name)}" if index in written else feature_name(name) for index, name in enumerate(names))
        named = model_id(model.namespace, model.name, model.version) if model.name else parsed_model(self._topic.model)
        if len(self._layouts) >= CACHED:
            self._layouts.clear()
        layout = self._layouts[key] = self._framer.layout("inference", named, wire, () if silent else ("prompt", "completion"))
        return layout


@lru_cache(CACHED)
def _category(text: str) -> float:
    feature(text, "category")
    return category_code(text)


def _coded(values: tuple[Any, ...], texts: tuple[int, ...]) -> tuple[Any, ...]:
    coded = list(values)
    for index in texts:
        coded[index] = _category(coded[index])
    return tuple(coded)


def _where_text(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple([index for index, value in enumerate(values) if type(value) is str])

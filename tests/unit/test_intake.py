"""Intake's pure parts: routing, cutting, times, what goes to every shard, and how it is bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from streams.intake import core as core_module
from streams.intake import framer as framer_module
from streams.intake.core import UNTIMED_MS, Core, frames_of, raw_topics, records_of_lines
from streams.intake.decode import Row, decode
from streams.intake.framer import MAX_SOURCES, Framer
from streams.intake.quick import MAX_ENVELOPES, MAX_TRIES
from streams.intake.record import RawRecord, Rejected
from tocsin.config import Config, Detection, RawTopic
from tocsin.errors import ConfigError
from tocsin.event import InferenceEvent, LabelEvent, Source
from tocsin.frame import MAX_BYTES, MAX_ROWS, Flag, Frame, encode_frame
from tocsin.ids import DEVELOPMENT_KEY, caller_hash, derive_key, shard_of
from tocsin.rows import category_code, rows_of

KEY = derive_key(DEVELOPMENT_KEY, "caller")
T0 = 1_795_598_400_000
CONFIG = Config(topic=(RawTopic("raw", "canonical"),))


def event(**changes: Any) -> InferenceEvent:
    given: dict[str, Any] = {
        "event_id": "e",
        "ts": T0,
        "model": "prod/fraud@3",
        "caller_id": "acct-1",
        "id_kind": "user",
        "features": {"amount": 1.0},
    }
    return InferenceEvent(**{**given, **changes})


def json_of(number: int, **changes: Any) -> bytes:
    return orjson.dumps(
        {
            "schema": "ml.inference.v1",
            "ts": T0 + number,
            "model": {"name": "fraud"},
            "caller": {"id": f"acct-{number % 7}"},
            "features": {"amount": number},
            **changes,
        }
    )


def framer(shards: int = 1) -> Framer:
    made = Framer(shards, KEY)
    made.number(Source("id", "raw", 0))
    return made


def flushed(made: Framer) -> list[tuple[int, Frame]]:
    for shard in range(4):
        if shard < len(made._shards):
            made.flush(shard)
    cut, made.cut = made.cut, []
    return cut


def test_a_caller_goes_to_the_shard_that_its_keyed_hash_chooses() -> None:
    made = framer(4)
    for number in range(100):
        made.add_event(event(caller_id=f"acct-{number}"), 0, number, 0, T0)
    for shard, frame in flushed(made):
        for block in frame.blocks:
            for (caller_id, id_kind), hash64 in zip(block.callers, np.frombuffer(block.hashes, "<u8").tolist(), strict=True):
                assert hash64 == caller_hash(KEY, id_kind, caller_id)
                assert shard_of(hash64, 4) == shard


def test_a_frame_is_cut_at_its_row_limit_and_loses_none() -> None:
    made = framer()
    for number in range(MAX_ROWS * 2 + 1):
        made.add_event(event(), 0, number, 0, T0)
    assert [sum(block.rows for block in frame.blocks) for _, frame in flushed(made)] == [MAX_ROWS, MAX_ROWS, 1]


def test_long_texts_cut_a_frame_by_bytes() -> None:
    made = framer()
    for number in range(10):
        made.add_event(event(prompt="é" * 60_000), 0, number, 0, T0)
    frames = [frame for _, frame in flushed(made)]
    assert sum(block.rows for frame in frames for block in frame.blocks) == 10
    assert all(len(encode_frame(frame)) <= MAX_BYTES for frame in frames)


def test_many_wide_rows_cut_a_frame_by_bytes() -> None:
    made = framer()
    for number in range(600):
        made.add_event(event(features={f"f{index}": float(index) for index in range(512)}), 0, number, 0, T0)
    assert all(len(encode_frame(frame)) <= MAX_BYTES for _, frame in flushed(made))


def test_a_frame_names_no_more_sources_than_one_byte_can_index() -> None:
    made = Framer(1, KEY)
    for number in range(MAX_SOURCES + 10):
        source = made.number(Source("id", "raw", number))
        made.add_event(event(), source, 7, 0, T0)
    frames = [frame for _, frame in flushed(made)]
    assert [len(frame.sources) for frame in frames] == [MAX_SOURCES, 10]
    seen = [
        view.sources[source].partition
        for frame in frames
        for view in [rows_of(frame.blocks[0], frame.sources)]
        for source in view.source
    ]
    assert seen == list(range(MAX_SOURCES + 10))


@pytest.mark.parametrize(
    ("claimed", "ts", "flags"),
    [
        (T0 - 300_000, T0 - 300_000, 0),
        (T0 + 300_000, T0 + 300_000, 0),
        (T0 - 300_001, T0, Flag.SKEW),
        (T0 + 300_001, T0, Flag.SKEW),
        (None, T0, Flag.NO_TIME),
    ],
)
def test_a_claimed_time_is_believed_within_five_minutes_of_the_append(claimed: int | None, ts: int, flags: int) -> None:
    made = framer()
    made.add_event(event(ts=claimed), 0, 0, 0, T0)
    made.add_event(event(ts=T0), 0, 1, 0, T0)
    ((_, frame),) = flushed(made)
    view = rows_of(frame.blocks[0], frame.sources)
    assert (view.ts.tolist(), view.flags.tolist()) == ([ts, T0], [flags, 0])


def test_features_are_sorted_whatever_order_the_producer_writes() -> None:
    made = framer()
    made.add_event(event(features={"b": 1.0, "a": 2.0, "c": None}), 0, 0, 0, T0)
    made.add_event(event(features={"a": 3.0, "c": 4.0, "b": 5.0}), 0, 1, 0, T0)
    ((_, frame),) = flushed(made)
    (block,) = frame.blocks
    assert block.features == ("a", "b", "c")
    np.testing.assert_array_equal(rows_of(block, frame.sources).values, [[2, 3], [1, 5], [np.nan, 4]])


def test_a_text_feature_becomes_a_category() -> None:
    made = framer()
    made.add_event(event(features={"country": "DE", "amount": 2.0}), 0, 0, 0, T0)
    ((_, frame),) = flushed(made)
    (block,) = frame.blocks
    assert block.features == ("=country", "amount")
    assert rows_of(block, frame.sources).values[0, 0] == category_code("DE")


def test_a_label_is_a_row_of_its_labeller() -> None:
    made = framer()
    made.add_event(LabelEvent("e-7", T0, "prod/fraud@3", "fraud", "chargebacks"), 0, 0, 0, T0)
    ((_, frame),) = flushed(made)
    (block,) = frame.blocks
    view = rows_of(block, frame.sources)
    assert (block.kind, block.callers, block.labels) == ("label", (("chargebacks", "service"),), ("fraud",))
    assert view.texts("event_id") == ["e-7"]


def test_texts_of_language_models_travel_whole() -> None:
    made = framer()
    made.add_event(event(prompt="hé", completion="hello", features={}), 0, 0, 0, T0)
    made.add_event(event(completion="bye", features={}), 0, 1, 0, T0)
    ((_, frame),) = flushed(made)
    view = rows_of(frame.blocks[0], frame.sources)
    assert (view.texts("prompt"), view.texts("completion")) == (["hé", ""], ["hello", "bye"])


def test_ticks_and_gaps_and_orders_reach_every_shard_behind_what_came_before() -> None:
    core = Core(Config(topic=(RawTopic("raw", "canonical"), RawTopic("orders", "control"))), KEY)
    raw, orders = core.framer.number(Source("a", "raw", 0)), core.framer.number(Source("b", "orders", 0))
    core.feed(raw, 0, T0, json_of(0))
    core.feed(orders, 3, T0 + 1, b'{"kind": "remove_silence", "body": {"id": "s", "author": "a"}}')
    core.framer.gap(raw, 5, 9, T0 + 2)
    core.framer.tick({raw: T0 + 3, orders: T0 + 1})
    frames, _ = core.take()
    for shard in range(4):
        mine = [frame for number, frame in frames if number == shard]
        assert [len(frame.controls) for frame in mine if frame.controls] == [1]
        assert [(gap.first, gap.last) for frame in mine for gap in frame.gaps] == [(5, 9)]
        ticks = [(frame.sources[tick.source].topic, tick.append_ms) for frame in mine for tick in frame.ticks]
        assert ticks == [("raw", T0 + 3), ("orders", T0 + 1)]
    order = [(bool(frame.blocks), bool(frame.controls)) for _, frame in frames if frame.blocks or frame.controls]
    assert order[0] == (True, False)


def test_a_forgotten_caller_comes_back_with_the_same_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framer_module, "CACHED", 3)
    made = framer()
    hashes = [made.known(f"c{number % 10}", "user").hash for number in range(40)]
    assert hashes == [caller_hash(KEY, "user", f"c{number % 10}") for number in range(40)]
    assert len(made.young) <= 3


def test_more_schemas_than_are_remembered_lose_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framer_module, "CACHED", 2)
    made = framer()
    for number in range(20):
        made.add_event(event(model=f"m/{number % 5}@1"), 0, number, 0, T0)
    assert sum(block.rows for _, frame in flushed(made) for block in frame.blocks) == 20


def test_a_bad_row_of_a_batch_is_refused_alone_with_its_number() -> None:
    rejected: list[Rejected] = []
    value = b"[" + json_of(0) + b", 7, " + json_of(2) + b"]"
    frames = list(frames_of([RawRecord("raw", "id", 3, 9, T0, value)], CONFIG, KEY, rejected))
    assert [(refusal.source.partition, refusal.offset, refusal.row, refusal.reason) for refusal in rejected] == [
        (3, 9, 1, "NOT_OBJECT")
    ]
    positions = [
        view.position.tolist() for _, frame in frames for block in frame.blocks for view in [rows_of(block, frame.sources)]
    ]
    assert sorted(position for some in positions for position in some) == [9 << 16, 9 << 16 | 2]


def test_replay_ticks_once_a_second_of_append_time() -> None:
    records = [RawRecord("raw", "id", 0, number, T0 + 400 * number, json_of(number)) for number in range(11)]
    ticks = [frame.ticks[0].append_ms - T0 for shard, frame in frames_of(records, CONFIG, KEY) if shard == 0 and frame.ticks]
    assert ticks == [0, 1200, 2400, 3600, 4000]


def test_event_time_is_the_clock_where_the_configuration_says_so() -> None:
    config = Config(topic=(RawTopic("raw", "canonical"),), clock="event")
    old = [json_of(1000 * number, ts=1_000_000 + 1000 * number) for number in range(5)]
    frames = list(frames_of(records_of_lines([*old, b"", b"{"], "raw"), config, KEY))
    ticks = [frame.ticks[0].append_ms for shard, frame in frames if shard == 0 and frame.ticks]
    assert ticks[-1] == 1_004_000
    flags = [view.flags.tolist() for _, frame in frames for block in frame.blocks for view in [rows_of(block, frame.sources)]]
    assert [flag for some in flags for flag in some] == [0] * 5


CONFIG_OF_ONE_SHARD = Config(topic=(RawTopic("raw", "canonical"),), clock="event", detection=Detection(shards=1))
EVENT_CLOCK = Config(topic=(RawTopic("raw", "canonical"),), clock="event")


def ticked(lines: list[bytes]) -> list[int]:
    return [
        frame.ticks[0].append_ms
        for shard, frame in frames_of(records_of_lines(lines, "raw"), EVENT_CLOCK, KEY)
        if shard == 0 and frame.ticks
    ]


def test_a_busy_file_ticks_once_a_second_of_event_time() -> None:
    assert ticked([json_of(4 * number) for number in range(1001)]) == [
        T0,
        T0 + 1000,
        T0 + 2000,
        T0 + 3000,
        T0 + 4000,
        T0 + 4000,
    ]


def test_a_quiet_file_ticks_every_minute_that_had_some_events_and_every_ten_minutes_otherwise() -> None:
    lines = [json_of(3_000 * number) for number in range(61)]
    assert ticked(lines) == [T0, *(T0 + 60_000 * n for n in (1, 2, 3)), T0 + 180_000]
    lines = [json_of(60_000 * number) for number in range(21)]
    assert ticked(lines) == [T0, T0 + 600_000, T0 + 1_200_000, T0 + 1_200_000]
    assert ticked([json_of(0), json_of(86_400_000)]) == [T0, T0 + 86_400_000, T0 + 86_400_000]


def without_time(number: int) -> bytes:
    return orjson.dumps({name: value for name, value in orjson.loads(json_of(number)).items() if name != "ts"})


def test_in_a_file_without_times_a_second_passes_with_every_event() -> None:
    assert ticked([without_time(number) for number in range(121)]) == [1_000, 61_000, 121_000, 121_000]


def test_an_event_without_a_time_among_others_is_judged_by_the_time_reached() -> None:
    assert ticked([json_of(0), without_time(1), json_of(900_000)]) == [T0, T0 + 900_000, T0 + 900_000]


def test_without_ticking_frames_are_cut_by_their_size_alone() -> None:
    records = records_of_lines([json_of(1000 * number) for number in range(3_000)], "raw")
    frames = list(frames_of(records, CONFIG_OF_ONE_SHARD, KEY, ticking=False))
    assert [sum(block.rows for block in frame.blocks) for _, frame in frames] == [MAX_ROWS, MAX_ROWS, 3_000 - 2 * MAX_ROWS]


def test_a_file_without_one_event_ends_with_one_frame_per_shard() -> None:
    rejected: list[Rejected] = []
    frames = list(frames_of(records_of_lines([b"{}"] * 1000, "raw"), EVENT_CLOCK, KEY, rejected))
    assert len(rejected) == 1000
    assert [shard for shard, _ in frames] == [0, 1, 2, 3]


def careful_reads(monkeypatch: pytest.MonkeyPatch, config: Config, values: list[bytes]) -> int:
    """Feeds the records and returns how many of them no shortcut took."""
    read: list[bytes | None] = []

    def counted(value: bytes | None, topic: RawTopic) -> list[Row]:
        read.append(value)
        return decode(value, topic)

    monkeypatch.setattr(core_module, "decode", counted)
    core = Core(config, KEY)
    source = core.framer.number(Source("id", "raw", 0))
    core.feed_run(source, ((offset, T0, value) for offset, value in enumerate(values)))
    core.framer.tick({source: T0})
    assert sum(block.rows for _, frame in core.take()[0] for block in frame.blocks) == len(values)
    return len(read)


@pytest.mark.parametrize("config", [CONFIG, EVENT_CLOCK])
def test_only_the_first_record_of_a_shape_is_read_with_care(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    plain = [json_of(number) for number in range(50)]
    mixed = [json_of(number, features={"amount": number, "country": "D:E"}, prompt='say: "hi"\n') for number in range(50)]
    assert careful_reads(monkeypatch, config, [*plain, *mixed]) == 2


def test_a_topic_of_more_kinds_of_records_than_are_tried_is_read_by_shortcuts_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = [json_of(number, features={f"f{number % 40}": 1.0}) for number in range(400)]
    assert careful_reads(monkeypatch, CONFIG, values) < 10
    values = [json_of(number, **{f"more{number}": 1.0}) for number in range(400)]
    assert careful_reads(monkeypatch, CONFIG, values) <= MAX_TRIES + MAX_ENVELOPES


def test_a_refused_line_leaves_no_mark_on_the_clock_by_which_the_others_are_judged() -> None:
    topic = RawTopic("raw", "json", model="m", fields={"caller": "id", "ts": "ts", "label": "label"})
    lines = [{"id": "a"}, {"id": "a", "ts": T0}, {"id": "a", "ts": T0 + 1000, "label": "../"}, {"id": "a"}]
    value = b"\n".join(map(orjson.dumps, lines))
    for shortcuts in (True, False):
        core = Core(Config(topic=(topic,), clock="event", detection=Detection(shards=1)), KEY, shortcuts=shortcuts)
        core.feed(core.framer.number(Source("id", "raw", 0)), 0, T0, value)
        core.framer.flush(0)
        [(_, frame)], [refusal] = core.take()
        assert (refusal.row, refusal.reason) == (2, "BAD_ID")
        assert rows_of(frame.blocks[0], frame.sources).ts.tolist() == [UNTIMED_MS, T0, T0]


def test_null_in_any_field_that_may_be_null_is_read_like_its_absence() -> None:
    fields = ("event_id", "ts", "model", "caller", "features", "prediction", "latency_ms", "status", "prompt", "completion")
    config = Config(topic=(RawTopic("raw", "canonical", model="prod/fraud@3"),))
    records = [RawRecord("raw", "id", 0, n, T0, json_of(0, **{name: None})) for n, name in enumerate([*fields, *fields])]
    rejected: list[Rejected] = []
    frames = list(frames_of(records, config, KEY, rejected))
    assert sum(block.rows for _, frame in frames for block in frame.blocks) == 2 * len(fields)
    assert not rejected


def test_no_record_of_a_mapped_topic_needs_care(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = RawTopic("raw", "json", model="prod/fraud@3", fields={"caller": "who.id", "features": "x", "features.at": "at"})
    values = [orjson.dumps({"who": {"id": number}, "x": {"a": 1}, "at": "12:30", "other": [1]}) for number in range(20)]
    assert careful_reads(monkeypatch, Config(topic=(topic,)), values) == 0


def test_the_shape_of_a_mapped_record_is_learned_once_and_never_from_one_that_cannot_be_counted() -> None:
    fields = {"caller": "who.id", "features": "x", "features.at": "at", "latency_s": "took", "id_kind": "=user"}
    good = {"who": {"id": 7}, "x": {"a": 1, "b": "DE"}, "at": "12:30", "took": 0.5, "more": {"n": None}}
    for record, shapes in ((good, 1), ({**good, "other": [1]}, 0), ({**good, "took": None}, 0), ({**good, "x": {"at": 1}}, 0)):
        core = Core(Config(topic=(RawTopic("raw", "json", model="m", fields=fields),)), KEY)
        source = core.framer.number(Source("id", "raw", 0))
        core.feed_run(source, ((offset, T0, orjson.dumps(record)) for offset in range(3)))
        assert len(core._quick["raw"]._envelopes) == shapes
        core.framer.tick({source: T0})
        assert sum(block.rows for _, frame in core.take()[0] for block in frame.blocks) == 3


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (rb'{"schema": "ml.inference.v1", "model": "m", "ts": 1, "ts": 2}', "DUP_KEY"),
        (rb'{"schema": "ml.inference.v1", "model": "m", "x\u003ay": 1, "x\u003ay": 2}', "DUP_KEY"),
        (rb'{"schema": "ml.inference.v1", "model": "m", "x": "a\u003ab", "ts": 1, "ts": 2}', "DUP_KEY"),
        (rb'{"schema": "ml.inference.v1", "model": "m", "x": {"a:b": "c:d"}, "y": "\u003a"}', None),
    ],
)
def test_a_key_that_stands_twice_is_seen_however_colons_are_written(value: bytes, reason: str | None) -> None:
    rejected: list[Rejected] = []
    frames = list(frames_of([RawRecord("raw", "id", 0, 0, T0, value)], CONFIG, KEY, rejected))
    assert [refusal.reason for refusal in rejected] == ([reason] if reason else [])
    assert sum(block.rows for _, frame in frames for block in frame.blocks) == (not reason)


def test_an_unknown_format_is_refused_at_the_start_by_name() -> None:
    with pytest.raises(ConfigError, match=r"topic 'raw': format: one of sniff, canonical.*'xml'"):
        raw_topics(Config(topic=(RawTopic("raw", "xml"),)))


def test_labels_and_orders_are_read_without_being_configured() -> None:
    assert {name: topic.format for name, topic in raw_topics(CONFIG).items()} == {
        "raw": "canonical",
        "ml.labels.v1": "labels",
        "tocsin.control.v1": "control",
    }

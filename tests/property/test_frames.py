"""What intake promises whatever arrives: it never raises, the shortcut changes nothing, and cuts and repeats change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.intake.core import Core, frames_of
from streams.intake.decode import decode
from streams.intake.formats import FORMATS
from streams.intake.quick import MAX_ENVELOPES, MAX_TRIES
from streams.intake.record import RawRecord, Rejected
from streams.intake.reject import Reason
from tocsin.config import Config, RawTopic
from tocsin.errors import RejectError
from tocsin.event import Source
from tocsin.frame import MAX_BYTES, MAX_ROWS, Frame, decode_frame, encode_frame
from tocsin.ids import DEVELOPMENT_KEY, derive_key
from tocsin.rows import rows_of

KEY = derive_key(DEVELOPMENT_KEY, "caller")
T0 = 1_795_598_400_000
SHARDS = 4
CONFIG = Config(topic=(RawTopic("raw", "canonical", model="prod/default@1"),))
EVENT_CLOCK = msgspec.structs.replace(CONFIG, clock="event")

texts = st.text(max_size=12) | st.sampled_from(["acct:1", "a\\b", "../x", "", "x" * 257, "=x", "NaN", "é", "a\x7f", "\x00"])
numbers = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**54), 2**54)
    | st.sampled_from([2**53, 2**53 + 1, -(2**53), 2.0**53 + 2, 1e300, -0.0, 5e-324, 3.5e38])
)
scalars = numbers | texts | st.none() | st.booleans()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)

GOOD: dict[str, Any] = {
    "schema": "ml.inference.v1",
    "event_id": "e-1",
    "ts": T0,
    "model": {"namespace": "prod", "name": "fraud", "version": "3"},
    "caller": {"id": "acct-1", "id_kind": "api_key_hash"},
    "features": {"amount": 12.5, "age": 3, "country": "DE"},
    "prediction": {"label": "ok", "score": 0.9},
    "latency_ms": 8.25,
    "status": 200,
    "prompt": "",
}
BATCH: dict[str, Any] = {
    **GOOD,
    "caller": {"id": ["a", "b", "a"]},
    "features": {"amount": [1, 2, 3], "age": [4.5, None, 6]},
    "prediction": {"label": ["ok", "ok", 1], "score": [0.1, 0.2, 0.3]},
}
del BATCH["prompt"]
PATHS = [
    "ts", "event_id", "latency_ms", "status", "prompt", "schema",
    "extra", "model", "model.name", "model.version", "caller", "caller.id",
    "caller.id_kind", "features", "features.amount", "features.age", "features.=x", "prediction",
    "prediction.label", "prediction.score",
]  # fmt: skip
FOREIGN_KEYS = [
    "id", "call_type", "startTime", "endTime", "model_group", "model", "metadata",
    "status", "error_information", "messages", "client_ip", "latencies", "request", "response",
    "service", "consumer", "ai", "schema", "label", "labeller", "event_id",
    "kind", "body", "user_api_key_hash", "proxy", "meta", "usage", "payload",
    "ts",
]  # fmt: skip


@st.composite
def almost_good(draw: st.DrawFn) -> bytes:
    """A good record with up to two places changed, removed, or written twice."""
    document = orjson.loads(orjson.dumps(draw(st.sampled_from([GOOD, BATCH]))))
    for name in draw(st.lists(st.sampled_from(PATHS), max_size=2)):
        path = name.split(".")
        node = document
        for key in path[:-1]:
            node = node[key] if isinstance(node.get(key), dict) else document
        if draw(st.booleans()):
            node.pop(path[-1], None)
        else:
            node[path[-1]] = draw(values)
    try:
        text = orjson.dumps(document)
    except (orjson.JSONEncodeError, TypeError):
        text = b"{"
    if draw(st.integers(0, 9)) == 0:
        text = text[:-1] + draw(st.sampled_from([b',"ts":1}', b',"status":7}', b' ,"ts" :1}', b"}", b"} "]))
    return text


def core(*, quick: bool, config: Config = CONFIG) -> Core:
    made = Core(config, KEY, shortcuts=quick)
    made.framer.number(Source("id", "raw", 0))
    return made


def fed(
    values: Sequence[bytes], *, quick: bool, cuts: frozenset[int] = frozenset(), config: Config = CONFIG
) -> tuple[list[tuple[int, Frame]], list[Rejected]]:
    intake = core(quick=quick, config=config)
    for offset, value in enumerate(values):
        intake.feed(0, offset, T0, value)
        if offset in cuts:
            intake.framer.flush(offset % SHARDS)
    for shard in range(SHARDS):
        intake.framer.flush(shard)
    return intake.take()


def rows(frames: Sequence[tuple[int, Frame]], shard: int) -> list[tuple[Any, ...]]:
    """All that is said about each row of a shard, in ledger order per raw partition."""
    found: list[tuple[Any, ...]] = []
    for number, frame in frames:
        if number != shard:
            continue
        for block in frame.blocks:
            view = rows_of(block, frame.sources)
            for row in range(len(view)):
                told = (
                    view.sources[view.source[row]].partition, int(view.position[row]), block.kind, block.model, block.features,
                    int(view.ts[row]), int(view.flags[row]), view.caller_of(row), view.values[:, row].tobytes(),
                    view.confidence[row].tobytes(), view.latency_ms[row].tobytes(), int(view.status[row]),
                    block.labels[view.label[row]], tuple(view.texts(name)[row] for name in sorted(block.text)),
                )  # fmt: skip
                found.append(told)
    return sorted(found, key=lambda told: told[:2])


def all_rows(frames: Sequence[tuple[int, Frame]]) -> list[list[tuple[Any, ...]]]:
    return [rows(frames, shard) for shard in range(SHARDS)]


@given(st.binary(max_size=200) | values.map(lambda value: orjson.dumps(value, default=str) if _dumps(value) else b"["))
def test_no_bytes_make_a_format_raise_anything_but_a_refusal(value: bytes) -> None:
    for name in (*FORMATS, "sniff"):
        for _, found in decode(value, RawTopic("raw", name, fields={"caller": "a.b", "features": "f"})):
            assert not isinstance(found, RejectError) or found.reason in set(Reason)


def _dumps(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except (orjson.JSONEncodeError, TypeError):
        return False
    return True


@given(
    st.sampled_from(["litellm", "kong", "labels", "control", "json"]),
    st.dictionaries(st.sampled_from(FOREIGN_KEYS), values, max_size=8),
)
def test_no_object_makes_a_foreign_format_raise_anything_but_a_refusal(name: str, document: dict[str, Any]) -> None:
    fields = {
        "caller": "id",
        "features": "metadata",
        "ts_s": "startTime",
        "latency_s": "endTime",
        "model": "model",
        "version": "ts",
    }
    for part in ({}, {"schema": "ml.labels.v1"}, {"kind": "close"}):
        if _dumps({**document, **part}):
            ((_, found), *_) = decode(orjson.dumps({**document, **part}), RawTopic("raw", name, fields=fields))
            assert not isinstance(found, RejectError) or found.reason in set(Reason)


def assert_shortcuts_change_nothing(values: Sequence[bytes], config: Config) -> None:
    quick, quickly_refused = fed(values, quick=True, config=config)
    careful, refused = fed(values, quick=False, config=config)
    assert quickly_refused == refused
    assert all_rows(quick) == all_rows(careful)


WARM = [orjson.dumps(GOOD), orjson.dumps(BATCH), orjson.dumps({**GOOD, "features": {"amount": 1}})]


def test_arrays_without_a_feature_among_them_are_no_batch_for_either() -> None:
    assert_shortcuts_change_nothing([*WARM, orjson.dumps({**BATCH, "features": {}})], CONFIG)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(almost_good(), min_size=1, max_size=4), st.sampled_from([CONFIG, EVENT_CLOCK]))
def test_the_shortcut_takes_and_reads_exactly_what_reading_with_care_does(values: list[bytes], config: Config) -> None:
    assert_shortcuts_change_nothing(WARM + values, config)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(almost_good(), min_size=1, max_size=4), st.sampled_from([CONFIG, EVENT_CLOCK]))
def test_so_does_the_second_shortcut_when_a_topic_teaches_no_more_shapes(values: list[bytes], config: Config) -> None:
    lines = b"\n".join([orjson.dumps(GOOD), *values])
    unlike = [orjson.dumps({**GOOD, f"more{number}": 1}) for number in range(MAX_TRIES + MAX_ENVELOPES)]
    quick, careful = (core(quick=shortcuts, config=config) for shortcuts in (True, False))
    for intake in (quick, careful):
        intake.feed_run(0, ((offset, T0, value) for offset, value in enumerate([*unlike, *values, lines])))
        intake.framer.tick(intake.reached)
    (frames, refused), (careful_frames, carefully_refused) = quick.take(), careful.take()
    assert refused == carefully_refused
    assert all_rows(frames) == all_rows(careful_frames)


FOREIGN: dict[str, dict[str, Any]] = {
    "json": {"id": 7, "when": T0, "tx": {"amount": 1.5, "country": "DE"}, "out": {"p": 0.5, "class": 1, "note": "12:30"}},
    "litellm": {
        "call_type": "acompletion", "startTime": T0 / 1000, "endTime": T0 / 1000 + 1, "model_group": "gpt", "model_id": "7",
        "metadata": {"user_api_key_hash": "abc"}, "prompt_tokens": 3, "status": "success", "messages": [{"content": "a: b"}],
    },
    "kong": {
        "client_ip": "10.0.0.1", "latencies": {"request": 12}, "request": {"id": "r"}, "response": {"status": 200},
        "started_at": T0, "service": {"name": "s"}, "ai": {"proxy": {"usage": {"prompt_tokens": 3}}},
    },
}  # fmt: skip
MAPPING = {
    "caller": "id", "id_kind": "=user", "ts": "when", "features": "tx", "features.note": "out.note", "confidence": "out.p",
    "label": "out.class", "model": "model",
}  # fmt: skip
LEARNABLE = {name: path for name, path in MAPPING.items() if name != "model"}
"""A mapping of which each path is there in `FOREIGN`, so that its shape is learned."""
IN_SECONDS = {"ts_s": "when", "latency_s": "out.p", "caller": "id", "features": "tx", "label": "out.class"}


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(FOREIGN)), st.sampled_from(["append", "event"]), st.data())
def test_foreign_records_are_read_alike_by_shortcut_and_with_care(name: str, clock: Any, data: st.DataObject) -> None:
    document = orjson.loads(orjson.dumps(FOREIGN[name]))
    for _ in range(data.draw(st.integers(0, 2))):
        parts = [document, *(part for part in document.values() if isinstance(part, dict))]
        node = data.draw(st.sampled_from(parts))
        node[data.draw(st.sampled_from([*node, "model"]))] = data.draw(values)
    mapping = data.draw(st.sampled_from([MAPPING, LEARNABLE, IN_SECONDS]))
    topic = RawTopic("raw", name, model="prod/default@1", fields=mapping)
    records = [orjson.dumps(one) for one in (FOREIGN[name], document) if _dumps(one)]
    if data.draw(st.integers(0, 3)) == 0:
        records.append(records[0][:-1] + data.draw(st.sampled_from([b',"id":7}', b',"when" :1}', b',"z":1}', b"} "])))
    assert_shortcuts_change_nothing([*records, b"\n".join(records)], Config(topic=(topic,), clock=clock))


@st.composite
def traffic(draw: st.DrawFn) -> list[bytes]:
    """Some records of three models, single and in batches."""
    found = []
    for number in range(draw(st.integers(1, 40))):
        base = BATCH if draw(st.integers(0, 4)) == 0 else GOOD
        event = {**base, "ts": T0 + number, "model": {"name": f"m{draw(st.integers(0, 2))}"}}
        if base is GOOD:
            event["caller"] = {"id": f"acct-{draw(st.integers(0, 5))}"}
        found.append(orjson.dumps(event))
    return found


@given(traffic(), st.frozensets(st.integers(0, 40)))
def test_any_cut_gives_the_same_rows_per_shard_in_the_same_order(values: list[bytes], cuts: frozenset[int]) -> None:
    assert all_rows(fed(values, quick=True, cuts=cuts)[0]) == all_rows(fed(values, quick=True)[0])


@given(traffic(), st.frozensets(st.integers(0, 40)))
def test_rows_of_a_shard_rise_from_frame_to_frame_and_within_every_block(values: list[bytes], cuts: frozenset[int]) -> None:
    last = dict.fromkeys(range(SHARDS), -1)
    for shard, frame in fed(values, quick=True, cuts=cuts)[0]:
        positions = [rows_of(block, frame.sources).position for block in frame.blocks]
        assert all((np.diff(position) > 0).all() for position in positions)
        assert min(int(position[0]) for position in positions) > last[shard]
        last[shard] = max(int(position[-1]) for position in positions)
        assert sum(map(len, positions)) <= MAX_ROWS
        assert len(encode_frame(frame)) <= MAX_BYTES


@given(traffic(), st.integers(0, 40), st.integers(0, 40), st.frozensets(st.integers(0, 40)))
def test_a_re_read_from_an_older_offset_adds_nothing_above_the_watermark(
    values: list[bytes], crash: int, back: int, cuts: frozenset[int]
) -> None:
    before = fed(values[:crash], quick=True, cuts=cuts)[0]
    intake = core(quick=True)
    for offset, value in list(enumerate(values))[max(0, min(crash, len(values)) - back) :]:
        intake.feed(0, offset, T0, value)
    intake.framer.tick({0: T0})
    again = intake.take()[0]
    for shard in range(SHARDS):
        first = rows(before, shard)
        watermark = first[-1][1] if first else -1
        rest = [told for told in rows(again, shard) if told[1] > watermark]
        assert first + rest == rows(fed(values, quick=True)[0], shard)


@st.composite
def long_batches(draw: st.DrawFn) -> list[bytes]:
    """Batches of up to a few thousand rows, so that frames are cut by rows or bytes, with single records between them."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        rows, label = draw(st.sampled_from([1, 63, 700, 1025, 3000])), draw(st.sampled_from(["ok", "long" * 64]))
        names = draw(st.permutations(["amount", "age"]))
        prediction = {"label": label, "score": [row % 7 / 7 for row in range(rows)]}
        features = {name: [None if row % 50 == 49 else row for row in range(rows)] for name in names}
        callers = {"id": [f"acct-{row % 97}" for row in range(rows)], "id_kind": "user"}
        model = {"name": f"m{draw(st.integers(0, 1))}"}
        batch = {**BATCH, "ts": T0, "model": model, "caller": callers, "features": features, "prediction": prediction}
        found.append(orjson.dumps(batch))
        if draw(st.booleans()):
            found.append(orjson.dumps({**GOOD, "model": model, "features": {"age": number, "amount": 1}}))
    return found


@settings(max_examples=25, deadline=None)
@given(long_batches())
def test_batches_that_never_become_rows_give_the_very_frames_that_their_rows_give(values: list[bytes]) -> None:
    taken = []
    for shortcuts in (True, False):
        intake = core(quick=shortcuts)
        intake.feed_run(0, ((offset, T0, value) for offset, value in enumerate([orjson.dumps(BATCH), *values])))
        intake.framer.tick(intake.reached)
        frames, refused = intake.take()
        assert not refused
        taken.append([[encode_frame(frame) for number, frame in frames if number == shard] for shard in range(SHARDS)])
    assert taken[0] == taken[1]


@given(traffic())
def test_a_frame_survives_the_wire(values: list[bytes]) -> None:
    for _, frame in fed(values, quick=True)[0]:
        assert decode_frame(encode_frame(frame), "here") == frame


@given(traffic())
def test_the_same_records_give_the_same_bytes(values: list[bytes]) -> None:
    records = [RawRecord("raw", "id", number % 2, number // 2, T0 + 300 * number, value) for number, value in enumerate(values)]
    first, second = ([encode_frame(frame) for _, frame in frames_of(records, CONFIG, KEY)] for _ in range(2))
    assert first == second

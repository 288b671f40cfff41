"""What intake's shell decides, without Kafka: commits, waits, starts, dead letters, field mappings."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from streams.intake.acks import Acks
from streams.intake.dead_letters import dead_letter, letter_of, send_of
from streams.intake.decode import decode, rows_in
from streams.intake.formats.fields import check_mapping
from streams.intake.linger import LONGEST_S, SHORTEST_S, Linger
from streams.intake.record import Rejected
from streams.intake.start import Start, start_of
from tocsin.config import RawTopic
from tocsin.errors import ConfigError, HoleError, RejectError
from tocsin.event import InferenceEvent, Source

T0 = 1_795_598_400_000


def test_nothing_is_committed_before_all_that_was_sent_is_acknowledged() -> None:
    acks: Acks[str] = Acks()
    first, second = acks.sent(), acks.sent()
    acks.close({"p": 10})
    acks.acknowledged(second)
    assert acks.durable() == {}
    acks.acknowledged(first)
    assert acks.durable() == {"p": 10}
    assert acks.durable() == {}


def test_a_later_epoch_waits_for_an_earlier_one() -> None:
    acks: Acks[str] = Acks()
    slow = acks.sent()
    acks.close({"p": 10})
    quick = acks.sent()
    acks.close({"p": 20, "q": 5})
    acks.acknowledged(quick)
    assert acks.durable() == {}
    acks.acknowledged(slow)
    assert acks.durable() == {"p": 20, "q": 5}


def test_an_epoch_in_which_nothing_was_sent_may_be_committed_at_once() -> None:
    acks: Acks[str] = Acks()
    acks.close({"p": 3})
    assert acks.durable() == {"p": 3}


def test_rows_wait_no_longer_than_the_linger() -> None:
    linger = Linger(2)
    assert not linger.waits(0, 5, now=1.0)
    assert not linger.waits(0, 9, now=1.0 + SHORTEST_S / 2)
    assert linger.waits(0, 9, now=1.0 + SHORTEST_S * 1.01)
    assert not linger.waits(1, 0, now=9.0)


def test_a_shard_that_was_cut_starts_its_wait_anew() -> None:
    linger = Linger(1)
    linger.waits(0, 5, now=1.0)
    linger.cut(0, rows=512, blocks=1)
    assert not linger.waits(0, 5, now=1.0 + SHORTEST_S * 1.01)


def test_blocks_of_few_rows_stretch_the_linger_and_full_ones_shorten_it_again() -> None:
    linger = Linger(1)
    for _ in range(100):
        linger.cut(0, rows=40, blocks=40)
    assert linger.wait_s == pytest.approx(LONGEST_S, rel=0.01)
    for _ in range(100):
        linger.cut(0, rows=512, blocks=1)
    assert linger.wait_s == pytest.approx(SHORTEST_S, rel=0.01)


def test_a_tick_without_rows_leaves_the_linger_alone() -> None:
    linger = Linger(1)
    linger.cut(0, rows=0, blocks=0)
    assert linger.wait_s == SHORTEST_S


@pytest.mark.parametrize(
    ("committed", "metadata", "first", "start"),
    [
        (-1001, None, 0, Start(0)),
        (-1001, None, 40, Start(40)),
        (7, "id", 0, Start(7)),
        (7, "id", 7, Start(7)),
        (7, "id", 9, Start(9, (7, 8))),
        (7, "another id", 0, Start(0)),
        (7, "", 3, Start(3)),
        (99, "another id", 0, Start(0)),
    ],
)
def test_reading_starts_where_nothing_is_skipped_silently(
    committed: int, metadata: str | None, first: int, start: Start
) -> None:
    assert start_of(committed, metadata, "id", first, end=50) == start


def test_a_commit_beyond_the_end_of_the_same_topic_is_a_hole() -> None:
    with pytest.raises(HoleError, match="committed offset 60"):
        start_of(60, "id", "id", 0, end=50)


def refused(**changes: Any) -> Rejected:
    given: dict[str, Any] = {
        "source": Source("id", "raw", 2),
        "offset": 7,
        "row": None,
        "append_ms": T0,
        "value": b"\x00\x1b" + b"x" * 400,
        "reason": "JSON",
        "detail": "record: nothing",
    }
    return Rejected(**{**given, **changes})


def test_a_dead_letter_carries_coordinates_and_little_of_the_record() -> None:
    letter = dead_letter(refused())
    assert (letter.topic, letter.topic_id, letter.partition, letter.offset, letter.row) == ("raw", "id", 2, 7, None)
    assert (letter.size, len(letter.prefix), letter.reason, letter.ts) == (402, 344, "JSON", T0)


def test_the_same_refusal_is_the_same_bytes_under_the_same_key() -> None:
    first, second = send_of(dead_letter(refused())), send_of(dead_letter(refused()))
    assert first == second
    assert first.key == b"id:2:7"
    assert send_of(dead_letter(refused(row=3))).key == b"id:2:7:3"


def test_a_dead_letter_is_read_back_as_it_was() -> None:
    letter = dead_letter(refused(row=3))
    assert letter_of(send_of(letter).value) == letter


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b'{"reason": 3}'])
def test_what_is_no_dead_letter_is_refused(value: bytes) -> None:
    with pytest.raises(RejectError, match="dead letter"):
        letter_of(value)


def test_a_dead_row_can_be_taken_out_of_its_batch() -> None:
    batch = b'{"schema": "ml.inference.v1", "model": {"name": "m"}, "features": {"a": [1, 2]}, "ts": [3, 4]}'
    assert rows_in(batch)[1] == {"schema": "ml.inference.v1", "model": {"name": "m"}, "features": {"a": 2}, "ts": 4}


MAPPED = RawTopic(
    "payments",
    "json",
    model="prod/fraud@3",
    fields={
        "ts_s": "time",
        "caller": "user.id",
        "id_kind": "=user",
        "features": "tx",
        "features.country": "geo.0.country",
        "confidence": "result.score",
        "latency_s": "took",
    },
)


def one(value: dict[str, Any], topic: RawTopic = MAPPED) -> InferenceEvent | RejectError:
    ((_, found),) = decode(orjson.dumps(value), topic)
    assert isinstance(found, InferenceEvent | RejectError)
    return found


def test_a_mapping_reads_an_existing_topic_without_new_code() -> None:
    found = one(
        {
            "time": T0 / 1000,
            "user": {"id": 77},
            "tx": {"amount": 3},
            "geo": [{"country": "DE"}],
            "result": {"score": 0.5},
            "took": 0.012,
        }
    )
    assert found == InferenceEvent(
        event_id="",
        ts=T0,
        model="prod/fraud@3",
        caller_id="77",
        id_kind="user",
        features={"amount": 3.0, "country": "DE"},
        confidence=0.5,
        latency_ms=12.0,
    )


def test_a_mapping_that_finds_nothing_leaves_the_fields_unknown() -> None:
    found = one({"user": "x"})
    assert isinstance(found, InferenceEvent)
    assert (found.caller_id, found.ts, found.confidence, found.features) == ("unknown", None, None, {"country": None})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"time": "soon"}, "TYPE"),
        ({"user": {"id": True}}, "TYPE"),
        ({"tx": {"amount": True}}, "TYPE"),
        ({"result": {"score": 2}}, "OUT_OF_DOMAIN"),
        ({"took": -1}, "OUT_OF_DOMAIN"),
        ({"user": {"id": 2**60}}, "INT_RANGE"),
    ],
)
def test_what_a_mapping_finds_is_checked_like_everything_else(value: dict[str, Any], reason: str) -> None:
    found = one(value)
    assert isinstance(found, RejectError)
    assert found.reason == reason


def test_a_mapping_may_put_a_model_together() -> None:
    topic = RawTopic("t", "json", fields={"model": "m", "version": "v", "namespace": "=prod"})
    found = one({"m": "churn", "v": 12}, topic)
    assert isinstance(found, InferenceEvent)
    assert found.model == "prod/churn@12"


def test_a_mapping_to_a_field_that_does_not_exist_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"topic 't': fields: one of event_id.*'colour'"):
        check_mapping(RawTopic("t", "json", fields={"colour": "c"}))

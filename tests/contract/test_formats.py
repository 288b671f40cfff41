"""Every format against the corpus of hostile records: what is taken, what is refused, and for exactly which reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.intake.core import Core
from streams.intake.decode import decode
from streams.intake.formats import FORMATS
from streams.intake.reject import Reason
from tocsin.config import Config, RawTopic
from tocsin.errors import RejectError
from tocsin.event import ControlEvent, Source
from tocsin.frame import Frame
from tocsin.ids import DEVELOPMENT_KEY, derive_key
from tocsin.rows import rows_of

CORPUS = Path(__file__).parents[1] / "corpus"
CASES: list[dict[str, Any]] = json.loads((CORPUS / "expected.json").read_text())
T0 = 1_795_598_400_000
KEY = derive_key(DEVELOPMENT_KEY, "caller")


def value_of(case: dict[str, Any]) -> bytes | None:
    if case.get("null"):
        return None
    data: bytes = (CORPUS / "events" / case["file"]).read_bytes()
    if not case["file"].endswith(".recipe.json"):
        return data
    return "".join(text * times for text, times in json.loads(data)).encode()


def framed(case: dict[str, Any], warm: list[bytes] | None = None) -> tuple[list[Frame], list[tuple[int | None, str]]]:
    core = Core(Config(topic=(RawTopic("raw", case["format"]),)), KEY)
    source = core.framer.number(Source("id", "raw", 0))
    for offset, value in enumerate(warm or []):
        core.feed(source, offset, T0, value)
    for shard in range(4):
        core.framer.flush(shard)
    core.take()
    core.feed(source, 1000, T0, value_of(case))
    for shard in range(4):
        core.framer.flush(shard)
    frames, rejected = core.take()
    return [frame for _, frame in frames], [(refusal.row, refusal.reason) for refusal in rejected]


def warm_records() -> list[bytes]:
    shapes = ("E24c", "E37", "C01", "E42", "E30", "E62")
    return [value or b"" for case in CASES if case["case"] in shapes for value in [value_of(case)]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['case']}-{case['file'].split('.')[0]}")
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_hostile_record_is_judged_as_the_corpus_says(case: dict[str, Any], warm: bool) -> None:
    frames, rejected = framed(case, warm_records() if warm and case["format"] == "canonical" else None)
    expected = case["expect"]
    assert [reason for _, reason in rejected] == [reason for reason in expected if reason not in {"ok", "control"}]
    rows = sorted(
        int(position) & 0xFFFF
        for frame in frames
        for block in frame.blocks
        for position in rows_of(block, frame.sources).position
    )
    assert rows == [row for row, reason in enumerate(expected) if reason == "ok"]
    assert [len(frame.controls) for frame in frames] == [1] * 4 * expected.count("control") or "control" not in expected
    if len(expected) > 1:
        assert [row for row, _ in rejected] == [row for row, reason in enumerate(expected) if reason != "ok"]
    else:
        assert all(row is None for row, _ in rejected)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.keys() & {"flags", "caller", "model", "status"}], ids=lambda c: c["case"]
)
def test_an_accepted_record_means_what_the_corpus_says(case: dict[str, Any]) -> None:
    frames, _ = framed(case)
    (block,) = (block for frame in frames for block in frame.blocks)
    rows = rows_of(block, frames[0].sources)
    if "flags" in case:
        assert rows.flags.tolist() == [case["flags"]]
    if "caller" in case:
        assert block.callers == (tuple(case["caller"]),)
    if "model" in case:
        assert block.model == case["model"]
    if "status" in case:
        assert rows.status.tolist() == [case["status"]]
    assert rows.ts.tolist() == [T0]


def test_every_reason_has_a_case_in_the_corpus() -> None:
    seen = {reason for case in CASES for reason in case["expect"]} - {"ok", "control"}
    assert seen == set(Reason)


def test_every_format_has_a_case_that_is_taken() -> None:
    taken = {case["format"] for case in CASES if set(case["expect"]) & {"ok", "control"}}
    assert taken == {*FORMATS, "sniff"} - {"json"}  # a mapping needs a configuration: test_intake_fields.py


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_recognises_no_empty_object_and_refuses_it_with_a_reason(name: str) -> None:
    entry = FORMATS[name]
    assert not entry.sniff({})
    assert entry.says
    with pytest.raises(RejectError) as refusal:
        entry.decode({}, RawTopic("raw", name))
    assert refusal.value.reason in set(Reason)


def test_orders_are_never_sniffed() -> None:
    order = b'{"kind": "remove_silence", "body": {"id": "s", "author": "a"}}'
    ((_, found),) = decode(order, RawTopic("raw", "control"))
    assert isinstance(found, ControlEvent)
    ((_, refused),) = decode(order, RawTopic("raw", "sniff"))
    assert isinstance(refused, RejectError)


def test_nothing_that_is_taken_is_infinite() -> None:
    for case in CASES:
        for frame in framed(case)[0]:
            for block in frame.blocks:
                rows = rows_of(block, frame.sources)
                assert not np.isinf(rows.values).any()
                assert not np.isinf(rows.confidence).any()
                assert not np.isinf(rows.latency_ms).any()

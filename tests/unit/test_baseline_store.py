"""Baselines by content hash: cut into records, put together, never taken on trust."""

from __future__ import annotations

import msgspec
import pytest

from models.baseline import Baseline, hash_of
from streams.baselines.chunks import Chunk, baselines_in, chunks_of, name_in
from streams.baselines.store import MemoryBaselines
from tests.helpers.baselines import baseline_of
from tests.helpers.frames import rows
from tocsin.errors import HoleError, VersionError


def baseline(origin: str = "test") -> Baseline:
    return msgspec.structs.replace(baseline_of(rows(range(300))), origin=origin)


def records(*chunks: Chunk) -> list[tuple[bytes, bytes]]:
    return [(chunk.key, chunk.value) for chunk in chunks]


def test_a_baseline_larger_than_a_record_comes_back_whole_from_its_chunks() -> None:
    made = baseline()
    chunks = chunks_of(made, size=100)
    assert len(chunks) > 3
    assert max(len(chunk.value) for chunk in chunks) <= 100
    assert baselines_in(records(*reversed(chunks)), "here") == {hash_of(made): made}


def test_a_baseline_with_a_part_missing_is_not_there() -> None:
    assert baselines_in(records(*chunks_of(baseline(), size=100)[1:]), "here") == {}


def test_content_under_another_hash_is_refused() -> None:
    [one], [other] = chunks_of(baseline("one")), chunks_of(baseline("other"))
    with pytest.raises(VersionError, match="content has its hash expected"):
        baselines_in([(one.key, other.value)], "here")


@pytest.mark.parametrize("key", [b"", b"abc", b"abc/1", b"abc/2/2", b"abc/x/2", b"\xff/0/\xff"])
def test_a_key_that_is_not_ours_is_passed_over(key: bytes) -> None:
    assert name_in(key) is None


def test_a_baseline_that_is_not_at_hand_is_named() -> None:
    held = MemoryBaselines([baseline()])
    assert held.get(hash_of(baseline())) == baseline()
    with pytest.raises(HoleError, match=r"baseline abc of prod/fraud@7 must be at hand; 1 others are"):
        held.get("abc", "prod/fraud@7")


def test_the_hash_survives_the_journey_even_where_a_whole_number_stands_for_a_fraction() -> None:
    made = msgspec.structs.replace(baseline(), rates={"calls": 3}, boundary=1)
    assert list(baselines_in(records(*chunks_of(made)), "here")) == [hash_of(made)]
    [decoded] = baselines_in(records(*chunks_of(made)), "here").values()
    assert hash_of(decoded) == hash_of(made)

"""Every part of the detection benchmark is there and speaks the same way."""

from __future__ import annotations

import importlib
import inspect

import msgspec
import pytest

from bench.detection.__main__ import PARTS
from bench.detection.result import Result


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_table_yields_results_quick_or_not(part: str) -> None:
    run = importlib.import_module(f"bench.detection.{part}").run
    assert list(inspect.signature(run).parameters) == ["quick"]
    assert PARTS[part]


def test_a_result_is_one_json_object_with_six_fields() -> None:
    line = msgspec.json.encode(Result("null", "calm", "bank", "alarms", 1.0, 7))
    assert sorted(msgspec.json.decode(line)) == ["dataset", "method", "metric", "part", "seed", "value"]

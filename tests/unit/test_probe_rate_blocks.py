"""Many models' blocks in one step are what they are one after the other, to the last bit of state."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.baseline import Baseline
from models.caller_pace import COLUMNS
from models.caller_table import CallerTable
from models.probe_rate import ProbeRate
from tests.helpers.rates import baseline_of_rates, rates_of
from tests.helpers.traffic import Times, Whos, cut, join, poisson, rows_at, steady, trickle
from tocsin.clock import Clock
from tocsin.reading import Reading
from tocsin.rows import Rows

ATTACKER = 9_999
MODELS = ("a/a@1", "b/b@1", "c/c@1")
GOLDEN = baseline_of_rates(rates_of(poisson(1, 300, 0.002, 86_400)) | {"span_min": 1_440.0})


def frames_of(streams: dict[str, tuple[Times, Whos]], size: int, late_ms: int = 0) -> list[list[Rows]]:
    """Returns frames, each with a block of `size` rows of every model that has some left."""
    cuts = [list(cut(rows_at(*stream, model=model), size)) for model, stream in streams.items()]
    cuts[-1] = [replace(rows, ts=rows.ts + late_ms) for rows in cuts[-1]]
    return [[blocks[n] for blocks in cuts if n < len(blocks)] for n in range(max(map(len, cuts)))]


def both(frames: list[list[Rows]], sets: int = 8_192) -> list[tuple[list[Reading], bytes]]:
    """Returns the readings and the state of one that takes frames whole, and of one that takes block after block."""
    found = []
    for at_once in (True, False):
        baselines: dict[str, Baseline] = {}
        detector = ProbeRate(2.0, 1, baselines)
        detector.table = CallerTable(sets, COLUMNS)
        readings: list[Reading] = []
        for number, frame in enumerate(frames):
            if number == len(frames) // 2:
                baselines[MODELS[1]] = msgspec.structs.replace(GOLDEN, model=MODELS[1])
            if at_once:
                readings += detector.observe_blocks(frame, Clock())
            else:
                readings += [reading for rows in frame for reading in detector.observe(rows, Clock())]
        found.append((readings, detector.dump()))
    return found


def traffic(seed: int, callers: int) -> dict[str, tuple[Times, Whos]]:
    return {model: poisson(seed + n, callers, 0.05, 6_000 / callers) for n, model in enumerate(MODELS)}


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 999), callers=st.integers(5, 200), size=st.integers(1, 40), late_ms=st.integers(-90_000, 90_000))
def test_calm_blocks(seed: int, callers: int, size: int, late_ms: int) -> None:
    whole, pieces = both(frames_of(traffic(seed, callers), size, late_ms))
    assert whole == pieces


@pytest.mark.parametrize("size", [5, 60])
def test_blocks_with_attackers_of_two_models(size: int) -> None:
    streams = {model: poisson(n, 400, 0.1, 75) for n, model in enumerate(MODELS)}
    for model, begin in ((MODELS[0], 45.0), (MODELS[1], 50.0)):
        streams[model] = join(streams[model], steady(ATTACKER, begin, 30, 400))
    whole, pieces = both(frames_of(streams, size))
    assert {reading.model for reading in whole[0]} == {MODELS[0], MODELS[1]}
    assert whole == pieces


def test_blocks_that_drive_callers_out_of_a_small_table() -> None:
    streams = {model: join(stream, trickle(7, 3_000, 60)) for model, stream in traffic(2, 60).items()}
    whole, pieces = both(frames_of(streams, 50), sets=4)
    assert whole == pieces


def test_several_blocks_of_one_model_in_one_frame() -> None:
    rows = rows_at(*join(poisson(3, 400, 0.1, 75), steady(ATTACKER, 45, 20, 500)), model=MODELS[0])
    blocks = list(cut(rows, 30))
    whole, pieces = both([blocks[n : n + 4] for n in range(0, len(blocks), 4)])
    assert {reading.caller.id for reading in whole[0] if reading.caller} == {f"key_{ATTACKER}"}
    assert whole == pieces


def test_blocks_of_another_age_do_not_disturb_each_other() -> None:
    whole, pieces = both(frames_of(traffic(4, 50), 20, late_ms=-20 * 365 * 86_400_000))
    assert whole == pieces


def test_a_frame_of_nothing_says_nothing() -> None:
    detector, rows = ProbeRate(), rows_at(*steady(1, 0, 1, 10))
    assert detector.observe_blocks([], Clock()) == []
    assert detector.observe_blocks([rows.select(np.zeros(10, np.bool_)), rows], Clock()) == []
    assert [usual.rows for usual in detector.models.values()] == [10]

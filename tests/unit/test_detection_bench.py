"""The detection benchmark's own arithmetic: whom it counts as flagged, which frames it feeds, what it takes for found."""

from __future__ import annotations

import numpy as np

from bench.detection.query import BLOCK, _numbers, _share
from bench.detection.query_watchers import PerEvent
from bench.detection.scale_process import CALLERS, SHARDS, Deployment, frames
from streams.baselines.store import MemoryBaselines
from tocsin.config import Config, Detection
from tocsin.rows import rows_of


def test_of_every_two_calls_of_the_flood_one_is_by_a_caller_never_seen_before() -> None:
    rows = [rows_of(block, frame.sources) for _, frame in frames(12_000, 2, 0) for block in frame.blocks]
    hashes, counts = np.unique(np.concatenate([some.hash for some in rows]), return_counts=True)
    assert counts.sum() == 12_000
    assert 6_000 < len(hashes) <= 6_000 + CALLERS
    assert (counts == 1).sum() >= 6_000


def test_regulars_are_a_few_callers_and_every_event_is_in_one_frame_of_its_shard() -> None:
    seen: list[int] = []
    for shard, frame in frames(11_000, 0, 0):
        for block in frame.blocks:
            rows = rows_of(block, frame.sources)
            assert set(((rows.hash >> np.uint64(40)) % np.uint64(SHARDS)).tolist()) == {shard}
            seen += rows.position.tolist()
    assert len(set(seen)) == len(seen) == 11_000


def test_a_deployment_carries_frames_through_sense_and_judge_and_counts_no_fault() -> None:
    deployment = Deployment(Config(detection=Detection(shards=SHARDS, groups=1)), MemoryBaselines())
    deployment.start()
    for shard, frame in frames(20_000, 2, 0):
        deployment.push(shard, frame)
    assert deployment.offsets["judge", 0] > 0
    assert deployment.spent["sense"] > deployment.spent["judge"] > 0
    assert deployment.broken == 0


def test_calls_are_numbered_among_their_callers() -> None:
    assert _numbers(np.array([7, 9, 7, 7, 9])).tolist() == [0, 0, 1, 2, 1]


def test_a_share_is_of_the_clients_of_one_kind() -> None:
    assert _share({0, 3, BLOCK + 1}, 0, 10) == 0.2
    assert _share({0, 3, BLOCK + 1}, 1, 10) == 0.1


def test_a_bench_may_stake_one_per_question_whatever_the_time() -> None:
    assert PerEvent().stakes("fraud/card@3", np.array([5, 5, 5])).tolist() == [1.0, 1.0, 1.0]

"""Stages: what runs between the topics, one line each. The worker, replay and the verifier all build from this table."""

from __future__ import annotations

from typing import Final

from streams.judge import JudgeFold
from streams.sense import SenseFold
from streams.stage.stage import Stage
from streams.triage import TriageFold

__all__ = ["STAGES", "Stage"]

STAGES: Final[dict[str, Stage]] = {
    stage.name: stage
    for stage in (
        Stage(
            "sense",
            "frames",
            False,
            "readings",
            "state_sense",
            lambda shard, config, baselines: SenseFold(shard, config.detection, baselines=baselines),
        ),
        Stage(
            "judge",
            "readings",
            True,
            "signals",
            "state_judge",
            lambda _group, config, baselines: JudgeFold(config.detection, baselines=baselines),
        ),
        Stage("triage", "signals", True, "", "state_triage", lambda _partition, config, _baselines: TriageFold(config)),
    )
}

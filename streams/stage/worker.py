"""Worker: `tocsin worker` — the stages of `streams.stages.STAGES` under the runner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from streams.baselines.topic import KafkaBaselines
from streams.stage.hooks import Hooks
from streams.stage.pace import Pace
from streams.stage.runner import run_stages
from streams.stages import STAGES
from tocsin.config import Config


def run_worker(
    config: Config, stages: Sequence[str], key: bytes, hooks: Hooks | None = None, pace: Pace | None = None
) -> NoReturn:
    """Runs stages until SIGTERM or SIGINT; never returns, the process ends with one of `tocsin.errors.Exit`.

    Args:
        config: of the deployment; `config.instance` must be unique per process and stable over restarts.
        stages: names in `streams.stages.STAGES`.
        key: the deployment's key.
        hooks: who keeps the numbers.
        pace: durations and sizes.
    """
    run_stages(config, [STAGES[name] for name in stages], key, hooks, pace, KafkaBaselines(config.kafka))

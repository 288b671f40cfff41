"""Runner: stages of one deployment as stock Faust apps in one process, and how that process starts, stops and dies.

Consumer groups differ per stage, so every stage has its own `faust.App`; all share one event loop and one idempotent
producer. Nothing of Faust is subclassed or patched: no tables, no sinks, no web server, at-least-once, manual
acknowledgements only. Ends: 0 after SIGTERM with everything saved and committed, else by `fatal.die`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NoReturn

import faust
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from mode.supervisors import CrashingSupervisor

from streams.baselines.store import NO_BASELINES, Baselines
from streams.clients import SESSION_S, aiokafka_settings, faust_settings, group_name, topic_name
from streams.stage import selftest
from streams.stage.fatal import die, guarded, spawn
from streams.stage.hooks import Hooks, Silent
from streams.stage.pace import Pace
from streams.stage.shell import Shell
from streams.stage.snapshots import Origin
from streams.stage.stage import Stage
from streams.topics import partitions_of
from tocsin import __version__
from tocsin.codec import pack
from tocsin.config import Config
from tocsin.errors import BrokerError, Exit
from tocsin.ids import derive_key

FAUST = "0.15.3"
"""What the protocol was proved on; acknowledging by hand leans on its internals."""


@dataclass(frozen=True, slots=True)
class Run:
    """One stage of this process: its framework and its shell."""

    app: Any
    shell: Shell


def run_stages(
    config: Config,
    stages: Sequence[Stage],
    key: bytes,
    hooks: Hooks | None = None,
    pace: Pace | None = None,
    baselines: Baselines = NO_BASELINES,
) -> NoReturn:
    """Runs stages until SIGTERM or SIGINT; never returns, the process ends with one of `tocsin.errors.Exit`.

    Args:
        config: of the deployment; `config.instance` must be unique per process and stable over restarts.
        stages: rows of `streams.stages.STAGES`, or a test's own.
        key: the deployment's key.
        hooks: who keeps the numbers.
        pace: durations and sizes.
        baselines: where folds find what promotions name.
    """
    asyncio.run(guarded(_main(config, stages, key, hooks or Silent(), pace or Pace(), baselines)))
    die(Exit.FAULT, "the worker returned")


def origin_of(stage: str, config: Config, numbers: str) -> Origin:
    """Returns what this process's snapshots say about their writer."""
    detection = hashlib.sha256(pack(config.detection)).hexdigest()[:16]
    return Origin(stage, __version__, version("river"), numbers, detection)


async def _main(config: Config, stages: Sequence[Stage], key: bytes, hooks: Hooks, pace: Pace, baselines: Baselines) -> None:
    log = structlog.get_logger("streams.stage")
    if version("faust-streaming") != FAUST:
        log.warning("faust_version", wanted=FAUST, found=version("faust-streaming"))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    numbers, secret = selftest.digest(), derive_key(key, "state")
    runs = [_build(stage, config, secret, numbers, pace, hooks, baselines) for stage in stages]
    producer = AIOKafkaProducer(
        **aiokafka_settings(config.kafka),
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=pace.chunk_bytes,
    )
    try:
        await producer.start()
    except KafkaError as error:
        raise BrokerError(f"Kafka at {config.kafka.brokers}: {error}") from error
    for run in runs:
        run.shell.producer = producer
    starting = [spawn(run.app.start()) for run in runs]
    ends = [spawn(_until_stopped(run)) for run in runs]
    for run in runs:
        spawn(run.shell.pulse())
        spawn(run.shell.watch())
    await stop.wait()
    log.info("stopping")
    try:
        async with asyncio.timeout(pace.stop_s):
            await asyncio.gather(*(run.shell.stop() for run in runs))
    except TimeoutError:
        die(Exit.UNDELIVERED, f"a graceful stop must take at most {pace.stop_s} s; what was not saved will be repeated")
    del starting, ends
    log.info("stopped")
    # Everything is durable and committed. The framework's own way out takes seconds and is known to hang.
    os._exit(Exit.OK)


async def _until_stopped(run: Run) -> None:
    """Ends the process when the framework gave up by itself."""
    await run.app.wait_until_stopped()
    die(Exit.FAULT, f"Faust stopped: {run.app.crash_reason!r}", run.app.crash_reason)


def _build(stage: Stage, config: Config, key: bytes, numbers: str, pace: Pace, hooks: Hooks, baselines: Baselines) -> Run:
    app = faust.App(
        group_name(config.kafka, stage.name),
        **faust_settings(config.kafka),
        store="memory://",
        datadir=os.path.join(config.data_dir, "faust"),
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        table_standby_replicas=0,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=config.instance,
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=1.0,
        broker_request_timeout=SESSION_S + 2.0,
        broker_rebalance_timeout=10.0,
        broker_commit_interval=0.5,
        stream_wait_empty=False,
        stream_buffer_maxsize=256,
        agent_supervisor=CrashingSupervisor,
        key_serializer="raw",
        value_serializer="raw",
        worker_redirect_stdouts=False,
    )
    shell = Shell(app, stage, config, key, origin_of(stage.name, config, numbers), pace, hooks, baselines)
    partitions = partitions_of(stage.input, config.detection.shards, config.detection.groups)
    source = app.topic(
        topic_name(config.kafka, stage.input), partitions=partitions, key_serializer="raw", value_serializer="raw"
    )
    app.agent(source, name=stage.name, concurrency=1)(shell.run)

    async def assigned(_sender: Any, tps: Any, *_args: Any, **_signal: Any) -> None:
        await guarded(shell.assigned(tp.partition for tp in tps))

    async def revoked(_sender: Any, *_args: Any, **_signal: Any) -> None:
        await guarded(shell.revoked())

    app.on_partitions_assigned.connect(assigned, weak=False)  # type: ignore[arg-type]
    app.on_partitions_revoked.connect(revoked, weak=False)  # type: ignore[arg-type]
    return Run(app, shell)

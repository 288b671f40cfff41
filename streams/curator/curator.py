"""Curator: the shell around `core.py`. Reads frames without a group, publishes baselines, sends promotions, tells health.

It keeps nothing on disk: the ledger is read again from the beginning of its retention, and what was done before stands in the
control topic. Before each deed the control topic is read again, so two curators do no harm: the second finds the deed done,
and in the rare race both send the same content under the same hash, which the folds obey once.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import structlog
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from models.baseline import Baseline
from streams.baselines.learning import built_from
from streams.baselines.promoting import promote
from streams.baselines.topic import KafkaBaselines
from streams.clients import confluent_settings, topic_name
from streams.curator.core import Core, Due
from streams.curator.merge import merge_of
from streams.curator.notes import Notes
from streams.curator.standing import AUTHOR, Order, Standing, standings_of
from streams.health import Health
from tocsin.codec import json_bytes
from tocsin.config import BaselinePolicy, Config
from tocsin.errors import BrokerError, ConfigError, Exit, HoleError, VersionError
from tocsin.reading import Ladder

POLL_S: Final = 0.5
BATCH: Final = 200
MOST_WAITING: Final = 200
"""Frames of one shard that wait for the others before no more of it are fetched."""
LIVE_MS: Final = 60_000
"""Frames older than this are caught up with, not told about."""

HELD_OUT_DAYS: Final = 0.5
"""Of traffic the gate must have tried a baseline on before it is armed, or proposed for it: about two days in all. Minutes of
traffic show no night, and whoever sends the first events would choose what is normal."""

log = structlog.get_logger("streams.curator")


def is_fit(baseline: Baseline) -> bool:
    """Returns whether the gate found a detector fit to be armed, over held-out traffic long enough to know what a day is."""
    return any(gate.armed and gate.held_out_days >= HELD_OUT_DAYS for gate in baseline.gate)


def rung_of(baseline: Baseline, policy: BaselinePolicy) -> Ladder:
    """Returns where policy puts a baseline."""
    return "armed" if policy.arm == "auto" and is_fit(baseline) else "provisional"


class Curator:
    """One curator process."""

    def __init__(self, config: Config, health: Health, now_ms: Callable[[], int]) -> None:
        """Connects; see `run_curator`."""
        shards = config.detection.shards
        self._config, self._health, self._now_ms = config, health, now_ms
        self._topic = topic_name(config.kafka, "frames")
        self._core = Core(config.baseline, shards, standings_of(config.kafka))
        self._merge = merge_of(shards)
        self._notes = Notes()
        self._baselines = KafkaBaselines(config.kafka)
        self._paused: list[int] = []
        settings = {"group.id": "tocsin-curator", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        bounds = {"queued.max.messages.kbytes": 16_384, "fetch.queue.backoff.ms": 20, "log_level": 0}
        self._consumer: Any = Consumer({**confluent_settings(config.kafka), **settings, **bounds})
        self._consumer.assign([TopicPartition(self._topic, shard, 0) for shard in range(shards)])
        self._producer = Producer({**confluent_settings(config.kafka), "message.timeout.ms": 30_000, "log_level": 0})
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="baseline")

    def turn(self) -> None:
        """One round: fetch, learn, act, tell.

        Raises:
            BrokerError: Kafka refuses.
            VersionError: a newer version wrote the ledger.
        """
        for message in self._consumer.consume(BATCH, POLL_S):
            if message.error() is not None:
                log.warning("consume", error=message.error().str())
                continue
            self._merge.add(message.partition(), message.offset(), max(message.timestamp()[1], 0), message.value() or b"")
        live = False
        for arrived in self._merge.ready():
            for due in self._core.apply(arrived, f"{self._topic}-{arrived.shard}@{arrived.offset}"):
                self._take(due)
            live = arrived.append_ms >= self._now_ms() - LIVE_MS
        if live:
            self._tell()
        self._hold()
        self._health.beat()
        self._producer.poll(0)

    def close(self) -> None:
        """Lets go of everything."""
        self._builder.shutdown(wait=False, cancel_futures=True)
        self._consumer.close()
        self._baselines.close()
        self._producer.flush(2)

    def _hold(self) -> None:
        """Fetches no more of shards that are far ahead of the others."""
        ahead = self._merge.full(MOST_WAITING)
        if ahead != self._paused:
            self._consumer.resume([TopicPartition(self._topic, shard) for shard in self._paused if shard not in ahead])
            self._consumer.pause([TopicPartition(self._topic, shard) for shard in ahead if shard not in self._paused])
            self._paused = ahead

    def _take(self, due: Due) -> None:
        """Builds, publishes and promotes what a step asks for, unless that was done or a person was faster."""
        if not self._wanted(due):
            return
        try:
            baseline = self._built(due)
        except ConfigError as error:
            log.warning("no baseline yet", model=due.model, step=due.step, why=str(error))
            self._notes.problem(due.model, str(error))
            return
        except (BrokerError, HoleError, VersionError):
            raise
        except Exception as error:
            # The same traffic would raise again after every restart; the other models' work goes on.
            log.exception("building a baseline failed", model=due.model, step=due.step)
            self._notes.problem(due.model, f"{type(error).__name__}: {error}"[:200])
            return
        if not self._wanted(due):
            return
        rung, reason = rung_of(baseline, self._config.baseline), f"{due.step}: {baseline.rows} rows"
        order, offset = promote(self._config.kafka, baseline, rung, AUTHOR, reason)
        log.info("promoted", model=due.model, baseline=order.baseline, ladder=rung, step=due.step, rows=baseline.rows)
        self._core.obey(Order(offset, self._now_ms(), order))
        self._health.count("baselines")

    def _wanted(self, due: Due) -> bool:
        for standing in standings_of(self._config.kafka).values():
            for order in standing.orders:
                self._core.obey(order)
        return self._core.wants(due)

    def _built(self, due: Due) -> Baseline:
        """Returns the baseline; it takes a while, in a thread of its own, while this one shows that it lives."""
        inherits = self._baselines.get(due.inherits, due.model) if due.inherits else None
        building = self._builder.submit(built_from, due.sample, self._config, f"curator, {due.step}", inherits)
        while not building.done():
            self._health.beat()
            time.sleep(0.05)
        return building.result()

    def _tell(self) -> None:
        """Sends what has become worth telling about each model to health."""
        topic = topic_name(self._config.kafka, "health")
        for note in self._notes.due(self._core, self._waiting):
            self._producer.produce(topic, json_bytes(note), key=note.source.encode(), partition=0)

    def _waiting(self, standing: Standing) -> str:
        """Returns the hash that a person is asked to promote, "" for none."""
        if self._config.baseline.arm == "auto" or not standing.open or not standing.baseline:
            return ""
        baseline = self._baselines.get(standing.baseline, standing.orders[-1].body.model)
        return standing.baseline if is_fit(baseline) else ""


def run_curator(config: Config, health: Health, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> int:
    """Runs until SIGTERM or SIGINT and returns the exit code.

    Args:
        config: of the deployment.
        health: where it says how it is.
        now_ms: the wall clock, Unix milliseconds: only to tell old frames from new ones.

    Raises:
        BrokerError: Kafka cannot be reached or refuses.
        VersionError: a newer version wrote the ledger.
    """
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stop.append(received))
    curator = Curator(config, health, now_ms)
    try:
        while not stop:
            curator.turn()
    except KafkaException as error:
        raise BrokerError(f"Kafka at {config.kafka.brokers}: curator: {error.args[0].str()}") from error
    finally:
        curator.close()
    return int(Exit.OK)

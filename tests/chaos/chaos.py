"""Chaos: one deployment on a real Kafka under kill -9, joins, a broker's death and a recreated topic; then the verifier.

The curator is one of those killed: in the middle of each run it promotes a baseline for every model.

Faults are drawn from a seed, so a failing run can be repeated as far as timing allows.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from confluent_kafka import KafkaException

from streams.admin import create_topic, create_topics, delete_topics, raw_settings, topic_ids
from streams.brokers.local import LocalKafka
from streams.clients import group_name, topic_name
from streams.positions import committed, watermarks
from streams.stages import STAGES
from tests.chaos.processes import Child
from tests.chaos.states import Sample
from tests.chaos.verifier import Fed, Report
from tests.chaos.verify import read_log, sample, verify
from tocsin.config import Config, Detection, Http, Kafka, RawTopic
from tocsin.errors import BrokerError

KEY = bytes(range(32))
SHARDS, GROUPS = 4, 2
STARTED = 3
"""Children that run from the beginning: intake, a worker, the curator."""
STEP_S = 0.05
DRAIN_S = 240.0
SAMPLE_S = 1.0


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        events: fed in all, split over the generations of the raw topic.
        rate: events a second.
        kills: kill -9s of intake and workers in all.
        gap_s: least and most seconds between two faults.
        broker_outages_s: how long the broker stays dead, once per entry.
        recreate: whether the raw topic is deleted and created again half way.
        second_worker: whether a second worker joins and leaves.
        baseline_rows: events of a model after which the curator promotes a baseline for it.
        broken: name of a break in `tests.chaos.broken.BREAKS`, "" for the real build.
        seed: of the faults and the events.
    """

    events: int = 100_000
    rate: float = 1_600.0
    kills: int = 12
    gap_s: tuple[float, float] = (0.3, 6.0)
    broker_outages_s: tuple[float, ...] = (3.0,)
    recreate: bool = True
    second_worker: bool = True
    baseline_rows: int = 2_500
    broken: str = ""
    seed: int = 1


@dataclass
class Deployment:
    """The processes of one run and where they write."""

    kafka: LocalKafka
    plan: Plan
    folder: Path
    config: Config
    rng: random.Random = field(init=False)
    children: list[Child] = field(default_factory=list)
    fed: Fed = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    next_sample: float = 0.0

    def __post_init__(self) -> None:
        """Prepares topics, configuration files and processes; starts nothing."""
        self.rng = random.Random(self.plan.seed)
        create_topics(self.config)
        names = [("intake", "intake"), ("worker-1", "worker"), ("curator", "curator")]
        names += [("worker-2", "worker")] * self.plan.second_worker
        for name, command in names:
            broken = self.plan.broken if command == "worker" else ""
            self.children.append(Child(name, command, self._config_file(name), self.folder / f"{name}.log", broken))

    def _config_file(self, name: str) -> Path:
        path = self.folder / f"{name}.toml"
        key = self.folder / "tocsin.key"
        key.write_text(KEY.hex())
        key.chmod(0o600)
        kafka, raw = self.config.kafka, self.config.topic[0]
        path.write_text(
            f'instance = "{name}"\nkey_file = "{key}"\ndata_dir = "{self.folder / name}"\n'
            f'[kafka]\nbrokers = "{kafka.brokers}"\nprefix = "{kafka.prefix}"\n'
            f"[detection]\nshards = {SHARDS}\ngroups = {GROUPS}\n[baseline]\nrows = {self.plan.baseline_rows}\n"
            f"[http]\nintake_port = -1\nworker_port = -1\ncurator_port = -1\n"
            f'[[topic]]\nname = "{raw.name}"\nformat = "{raw.format}"\n'
        )
        return path

    def run(self) -> Report:
        """Feeds, kills, drains, stops, verifies."""
        generations = 2 if self.plan.recreate else 1
        plan = replace(self.plan, events=self.plan.events // generations, kills=self.plan.kills // generations)
        try:
            for generation in range(generations):
                self._generation(generation, plan)
            # Ticks end with intake, so that every stage can finish all there is and nothing may be missing at all.
            self.children[0].leave(signal.SIGTERM)
            self._drain(None)
        finally:
            for child in self.children:
                child.leave(signal.SIGTERM)
        report = verify(self.config, KEY, self.fed, self.samples)
        report.counts["kills"] = sum(child.kills for child in self.children)
        report.counts["broker outages"] = len(self.plan.broker_outages_s)
        return report

    def _generation(self, generation: int, plan: Plan) -> None:
        raw = self.config.topic[0].name
        if generation:
            delete_topics(self.config.kafka, [raw])
        create_topic(self.config.kafka, raw, 4, raw_settings())
        topic_id = topic_ids(self.config.kafka, [raw])[raw]
        log = self.folder / f"fed-{generation}.jsonl"
        seed = str(plan.seed * 100 + generation)
        feeder = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.chaos.feeder",
                self.kafka.bootstrap,
                raw,
                str(plan.events),
                str(plan.rate),
                seed,
                log,
            ],
            cwd=Path(__file__).parents[2],
        )
        try:
            if not generation:
                for child in self.children[:STARTED]:
                    child.start()
            self._attack(plan, feeder, outages=() if generation else plan.broker_outages_s)
            if feeder.wait(timeout=DRAIN_S) != 0:
                raise RuntimeError(f"the feeder failed with {feeder.returncode}")
            self._drain(raw)
        finally:
            feeder.kill()
            feeder.wait()
        self.fed |= read_log(log, topic_id)

    def _attack(self, plan: Plan, feeder: subprocess.Popen[bytes], outages: tuple[float, ...]) -> None:
        faults = ["kill"] * plan.kills + ["join"] * (3 * plan.second_worker) + [f"broker {seconds}" for seconds in outages]
        self.rng.shuffle(faults)
        for fault in faults:
            self._wait(self.rng.uniform(*plan.gap_s))
            self._strike(fault)
            if feeder.poll() not in (None, 0):
                raise RuntimeError(f"the feeder failed with {feeder.returncode}")

    def _sample(self) -> None:
        with contextlib.suppress(BrokerError, KafkaException):
            self.samples += [sample(self.config, stage) for stage in STAGES]

    def _strike(self, fault: str) -> None:
        if fault == "kill":
            self.rng.choice([child for child in self.children if child.wanted]).kill()
        elif fault == "join":
            second = self.children[STARTED]
            if second.wanted:
                second.leave(self.rng.choice([signal.SIGKILL, signal.SIGTERM]))
            else:
                second.start()
        else:
            self.kafka.kill()
            self._wait(float(fault.split()[1]))
            self.kafka.start()

    def _wait(self, seconds: float) -> None:
        """Lets time pass, as the supervisor would, and looks at commits now and then."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for child in self.children:
                child.tend()
            if time.monotonic() >= self.next_sample and self.kafka.alive:
                self._sample()
                self.next_sample = time.monotonic() + SAMPLE_S
            time.sleep(STEP_S)

    def _drain(self, raw: str | None) -> None:
        """Waits until intake has committed all of the raw topic, or, without one, until every stage has committed its input."""
        until = time.monotonic() + DRAIN_S
        while time.monotonic() < until:
            self._wait(1.0)
            try:
                if self._raw_is_done(raw) if raw else all(self._lag(stage) == 0 for stage in STAGES):
                    return
            except (BrokerError, KafkaException) as error:
                sys.stderr.write(f"drain: {error}\n")
        raise RuntimeError(f"not drained after {DRAIN_S} s; see {self.folder}")

    def _raw_is_done(self, raw: str) -> bool:
        kafka = self.config.kafka
        done = committed(kafka, group_name(kafka, "intake"), [raw])
        return all(found.end == done.get(place, 0) for place, found in watermarks(kafka, [raw]).items())

    def _lag(self, stage: str) -> int:
        kafka, topic = self.config.kafka, topic_name(self.config.kafka, STAGES[stage].input)
        done = committed(kafka, group_name(kafka, stage), [topic])
        return max(found.end - done.get(place, 0) for place, found in watermarks(kafka, [topic]).items())


def chaos(kafka: LocalKafka, plan: Plan, folder: Path) -> Report:
    """Returns the report of one run in its own topics on a running broker."""
    prefix = f"chaos{plan.seed}{plan.broken}."
    config = Config(
        kafka=Kafka(brokers=kafka.bootstrap, prefix=prefix),
        topic=(RawTopic(name=f"{prefix}raw", format="canonical"),),
        detection=Detection(shards=SHARDS, groups=GROUPS),
        http=Http(intake_port=-1, worker_port=-1),
        key_file=str(folder / "tocsin.key"),
    )
    return Deployment(kafka, plan, folder, config).run()

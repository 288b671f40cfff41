"""Learning: recorded traffic becomes baselines, by the same intake and the same columns as live traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from models.baseline import Baseline, hash_of
from models.golden import Sample, build_baseline
from streams.capture import capture_topic
from streams.clients import topic_name
from streams.intake.core import frames_of
from streams.intake.record import RawRecord
from streams.raw_events import events_of_file
from tocsin.codec import json_bytes
from tocsin.config import Config
from tocsin.control import Promote
from tocsin.errors import ConfigError, TocsinError
from tocsin.frame import Frame
from tocsin.ids import derive_key
from tocsin.rows import Rows, rows_of


@dataclass(frozen=True, slots=True)
class Learned:
    """What recorded traffic was good for.

    Attributes:
        baselines: one per model with enough traffic, in order of appearance.
        refused: model → why there is none.
    """

    baselines: tuple[Baseline, ...]
    refused: dict[str, str]


def learn(
    frames: Iterable[tuple[int, Frame]],
    config: Config,
    origin: str,
    model: str = "",
    training: Mapping[str, Rows] | None = None,
) -> Learned:
    """Returns the baselines of the models in these frames.

    Args:
        frames: (shard, frame) pairs.
        config: for the time zone and the alert budget.
        origin: one line for people: where the traffic comes from.
        model: only this one, `namespace/name@version`; all otherwise.
        training: model → rows that it was trained on.
    """
    baselines: list[Baseline] = []
    refused: dict[str, str] = {}
    for name, sample in samples_of(frames, model).items():
        sample.training = None if training is None else training.get(name)
        try:
            baselines.append(built_from(sample, config, origin))
        except TocsinError as error:
            refused[name] = str(error)
    return Learned(tuple(baselines), refused)


def built_from(sample: Sample, config: Config, origin: str, inherits: Baseline | None = None) -> Baseline:
    """Returns the baseline of a sample under a deployment's settings: see `models.golden.build_baseline`.

    Raises:
        ConfigError: the sample is too small, or there is nothing in it to watch.
    """
    budget = config.detection.alerts_per_model_month
    return build_baseline(sample, zone=config.baseline.zone, alerts_per_model_month=budget, origin=origin, inherits=inherits)


def learn_records(
    records: Iterable[RawRecord],
    config: Config,
    key: bytes,
    origin: str,
    model: str = "",
    training: Mapping[str, Rows] | None = None,
) -> Learned:
    """Returns what raw records, in ledger order, teach: see `learn`; `key` is the deployment's."""
    return learn(_frames(records, config, key), config, origin, model, training)


def training_of(path: Path, config: Config, key: bytes, *, topic: str = "", model: str = "") -> dict[str, Rows]:
    """Returns model → the rows that a file of its training records holds, which have the form of events.

    Args:
        path: see `streams.replay.replay_file`.
        config: of the deployment.
        key: by which callers are hashed.
        topic: for lines: the configured topic whose format they have.
        model: only this one.

    Raises:
        FileError: it is damaged or cannot be read.
        ConfigError: the topic is not in the configuration, or the file holds too few records of a model.
    """
    settings, events = events_of_file(path, config, topic)
    samples = samples_of(_frames(events.records(), settings, key), model)
    if not samples:
        raise ConfigError(f"{path.name}: training records of {model or 'a model'} expected, as events; found none")
    return {name: sample.golden().rows for name, sample in samples.items()}


def _frames(records: Iterable[RawRecord], config: Config, key: bytes) -> Iterator[tuple[int, Frame]]:
    """Returns few frames of one shard: learning needs rows in order, and no clock."""
    one = msgspec.structs.replace(config, detection=msgspec.structs.replace(config.detection, shards=1))
    return frames_of(records, one, derive_key(key, "caller"), ticking=False)


def samples_of(frames: Iterable[tuple[int, Frame]], model: str = "", since_ts: int = 0) -> dict[str, Sample]:
    """Returns one golden sample per model, in order of appearance, of the inferences in these frames.

    Args:
        frames: (shard, frame) pairs.
        model: only this one; all otherwise.
        since_ts: only events from this time on, Unix milliseconds.
    """
    samples: dict[str, Sample] = {}
    for _, frame in frames:
        for block in frame.blocks:
            if block.kind == "inference" and block.rows and model in ("", block.model):
                rows = rows_of(block, frame.sources)
                late = rows.ts >= since_ts
                samples.setdefault(block.model, Sample()).add(rows if late.all() else rows.select(late))
    return samples


def learn_file(
    path: Path,
    config: Config,
    key: bytes,
    *,
    part: float = 1.0,
    topic: str = "",
    model: str = "",
    training: Mapping[str, Rows] | None = None,
) -> Learned:
    """Returns what a file of events or a capture teaches.

    Args:
        path: see `streams.replay.replay_file`.
        config: of the deployment.
        key: by which callers are hashed.
        part: in (0, 1]: only the first part of its records.
        topic: for lines: the configured topic whose format they have.
        model: only this one.
        training: model → rows that it was trained on.

    Raises:
        FileError: it is damaged or cannot be read.
        ConfigError: the topic is not in the configuration.
    """
    settings, events = events_of_file(path, config, topic)
    count = round(sum(1 for _ in events.records()) * part)
    origin = f"{path.name}, the first {count} records" if part < 1 else path.name
    return learn_records(islice(events.records(), count), settings, key, origin, model, training)


def learn_topic(
    topic: str, config: Config, key: bytes, *, part: float = 1.0, model: str = "", training: Mapping[str, Rows] | None = None
) -> Learned:
    """Returns what a configured raw topic, as it stands, teaches.

    Raises:
        ConfigError: it is not in the configuration.
        BrokerError: it cannot be read.
    """
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / topic
        capture_topic(config, topic, path)
        return learn_file(path, config, key, part=part, model=model, training=training)


def learn_first(
    records: Callable[[], Iterator[RawRecord]], part: float, config: Config, key: bytes
) -> tuple[Learned, Iterator[RawRecord]]:
    """Returns what the first part of the records teaches, and all records with the promotions where it ends.

    Args:
        records: yields them from the start, each time it is called.
        part: in (0, 1), of all records.
        config: of the replay.
        key: the deployment's key.
    """
    count = round(sum(1 for _ in records()) * part)
    learned = learn_records(islice(records(), count), config, key, f"the first {count} records")
    return learned, _with_orders(records(), count, promotions(learned.baselines, config))


def with_baselines(records: Iterator[RawRecord], baselines: Sequence[Baseline], config: Config) -> Iterator[RawRecord]:
    """Yields the records, the promotions of these baselines first."""
    return _with_orders(records, 0, promotions(baselines, config))


def promotions(baselines: Sequence[Baseline], config: Config) -> list[RawRecord]:
    """Returns the control records that put baselines in force, armed: what a replay uses in place of an operator."""
    topic = topic_name(config.kafka, "control")
    orders = [Promote(baseline.model, hash_of(baseline), "armed", "replay") for baseline in baselines]
    return [
        RawRecord(topic, topic, 0, offset, 1 + offset, json_bytes({"kind": "promote", "body": order}))
        for offset, order in enumerate(orders)
    ]


def _with_orders(records: Iterator[RawRecord], count: int, orders: Iterable[RawRecord]) -> Iterator[RawRecord]:
    yield from islice(records, count)
    yield from orders
    yield from records

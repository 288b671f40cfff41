"""Exposure: one model's traffic, from a file or as it stands in the frames topic, into a report that people can read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from alerts.privacy import show
from models.baseline import Baseline
from models.exposure import Exposed, Exposure, Holder
from streams.capture import captured
from streams.intake.core import frames_of
from streams.ledger import Ledger
from streams.raw_events import events_of_file
from tocsin.config import Config, Privacy
from tocsin.frame import Frame, decode_frame
from tocsin.ids import derive_key
from tocsin.rows import rows_of


def exposure_of_file(path: Path, baseline: Baseline, config: Config, key: bytes, topic: str = "") -> Exposed:
    """Returns how much of the baseline's model the events of a file have given away.

    Args:
        path: a capture with raw records, or lines of events.
        baseline: the model's.
        config: of the deployment.
        key: callers are hashed with.
        topic: the configured topic whose format the lines have; sniffed otherwise.

    Raises:
        FileError: the file is damaged or cannot be read.
        ConfigError: the topic is not in the configuration, or the baseline has no features.
    """
    settings, events = events_of_file(path, config, topic)
    return exposed(frames_of(events.records(), settings, derive_key(key, "caller"), ticking=False), baseline)


def exposure_of_topic(config: Config, baseline: Baseline) -> Exposed:
    """Returns how much of the baseline's model has been given away since the frames topic begins.

    Raises:
        BrokerError: Kafka cannot be reached, or stops answering.
        ConfigError: the baseline has no features.
    """
    return exposed(_frames(config), baseline)


def exposed(frames: Iterable[tuple[int, Frame]], baseline: Baseline) -> Exposed:
    """Returns the report on these frames, (shard, frame), each shard's in order; a row that stands in two counts once.

    Raises:
        ConfigError: the baseline has no features.
    """
    exposure, ledgers = Exposure(baseline), dict[int, Ledger]()
    for shard, frame in frames:
        ledger = ledgers.setdefault(shard, Ledger())
        watermarks = ledger.watermarks(frame)
        fresh = [ledger.fresh(rows_of(block, frame.sources), watermarks) for block in frame.blocks]
        for rows in fresh:
            exposure.add(rows)
        ledger.advance(frame, fresh)
    return exposure.report()


def facts_of(report: Exposed, privacy: Privacy) -> dict[str, Any]:
    """Returns the report as JSON holds it; callers are shown as findings show them."""
    curve = report.curve
    return {
        "model": report.model,
        "callers": report.callers,
        "together": _holder(report.together),
        "majority": None if curve is None else round(curve.majority, 4),
        "curve": [] if curve is None else [{"answers": n, "coverage": c, "fidelity": f} for n, c, f in curve.points],
        "top": [
            {"caller": show(one.caller, privacy), "id_kind": one.caller.id_kind, **_holder(one)}
            for one in report.holders
            if one.caller is not None
        ],
        "says": says(report),
    }


def says(report: Exposed) -> str:
    """Returns in one sentence what callers have seen together, and what it is worth."""
    who = f"{report.callers} callers together have" if report.callers != 1 else "one caller has"
    seen = f"{who} seen {report.together.coverage:.0%} of what {report.model} was asked in golden traffic"
    if report.curve is None or report.together.fidelity is None:
        return f"{seen}; what that is worth cannot be told: too few of their questions came with answers"
    return (
        f"{seen}; somebody who holds all these answers can imitate about {report.together.fidelity:.0%} of its decisions "
        f"(always giving its most frequent answer: {report.curve.majority:.0%})"
    )


def _holder(holder: Holder) -> dict[str, Any]:
    fidelity = None if holder.fidelity is None else round(holder.fidelity, 4)
    return {"questions": holder.questions, "coverage": round(holder.coverage, 4), "fidelity": fidelity}


def _frames(config: Config) -> Iterator[tuple[int, Frame]]:
    for record in captured(config, ("frames",)):
        if record.value is not None:
            yield record.partition, decode_frame(record.value, f"{record.topic}-{record.partition}@{record.offset}")

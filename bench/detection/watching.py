"""Watching: rows of one model through the product's own folds of sense, judge and triage, and what they say counted.

One shard and one group, the ledger's clock advanced with every frame; a baseline comes into force, armed, before the first
row. Nothing here knows of any detector: whatever the registry holds is at work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
import numpy as np

from alerts.finding import Finding
from alerts.severity import Severity, is_sound
from alerts.triage import Triage
from models.baseline import Baseline, hash_of
from models.replay import cuts
from streams.baselines.store import MemoryBaselines
from streams.judge import JudgeFold
from streams.sense import SenseFold
from tocsin.codec import json_bytes
from tocsin.config import Detection, Privacy
from tocsin.control import Promote
from tocsin.event import Source, position_of
from tocsin.frame import FRAME_VERSION, HASH, Control, Frame, Tick, encode_frame
from tocsin.rows import Rows, block_of
from tocsin.signal import Signals

CONTROL: Final = Source("control", "control", 0)
FRAME_ROWS: Final = 64
FRAME_MS: Final = 3_600_000
"""A frame holds so many rows or so much time, whichever is less."""


@dataclass(slots=True)
class Said:
    """What was said about some rows.

    Attributes:
        alerts: detector → when it signalled so that it may wake people: armed, of known false alarms, against what does not
            move; event times, Unix milliseconds.
        informs: detector → signals that only inform.
        incidents: opened, and of medium severity or above in the end.
        proposals: how often something was proposed to be done, by action.
        faults: detectors that raised, with what.
    """

    alerts: dict[str, list[int]] = field(default_factory=dict)
    informs: Counter[str] = field(default_factory=Counter)
    incidents: set[str] = field(default_factory=set)
    proposals: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def watched(baseline: Baseline, rows: Rows, budget: float = 1.0, disabled: tuple[str, ...] = ()) -> Said:
    """Returns what the product says about these rows under this baseline.

    Args:
        baseline: of the rows' model.
        rows: in time order.
        budget: false alerts a model-month, and a month of the fleet.
        disabled: detectors to leave out.
    """
    settings = Detection(shards=1, groups=1, alerts_per_model_month=budget, alerts_fleet_month=budget, disabled=disabled)
    store = MemoryBaselines([baseline])
    sense, judge, triage = SenseFold(0, settings, baselines=store), JudgeFold(settings, baselines=store), Triage(Privacy())
    said = Said()
    for number, frame in enumerate(_frames(baseline, rows)):
        for readings in sense.apply(encode_frame(frame), f"frames-0@{number}").onward.values():
            for body in judge.apply(readings, f"readings-0@{number}").onward.values():
                signals = msgspec.msgpack.decode(body, type=Signals)
                _heard(said, signals)
                _read(said, triage.apply(signals))
    return said


def _frames(baseline: Baseline, rows: Rows) -> Iterator[Frame]:
    """Yields the rows as frames, each with a tick; the first puts the baseline in force."""
    order = Promote(baseline.model, hash_of(baseline), "armed", "bench")
    begin_ms = int(rows.ts[0])
    control = Control(1, position_of(0, 0), begin_ms, "promote", json_bytes(order))
    sources = (rows.sources[0], CONTROL)
    yield Frame(FRAME_VERSION, 0, 1, HASH, sources, ticks=(Tick(0, begin_ms), Tick(1, begin_ms)), controls=(control,))
    ends = cuts(rows.ts, FRAME_ROWS, FRAME_MS)
    for begin, end in zip([0, *ends], ends, strict=False):
        some, now = _named(rows.select(slice(begin, end))), int(rows.ts[end - 1])
        yield Frame(FRAME_VERSION, 0, 1, HASH, sources, (block_of(some),), (Tick(0, now), Tick(1, now)))


def _named(rows: Rows) -> Rows:
    """Returns the rows with one name for each hash, as intake would give them."""
    distinct, which = np.unique(rows.hash, return_inverse=True)
    callers = tuple((f"{hash64:016x}", "api_key_hash") for hash64 in distinct.tolist())
    return replace(rows, callers=callers, caller=which.astype(np.uint16))


def _heard(said: Said, signals: Signals) -> None:
    for signal in signals.signals:
        if is_sound(signal):
            said.alerts.setdefault(signal.detector, []).append(signal.ts)
        else:
            said.informs[signal.detector] += 1
    said.faults += [f"{fault.detector}: {fault.error}" for fault in signals.faults]


def _read(said: Said, findings: list[Finding]) -> None:
    said.incidents |= {finding.incident for finding in findings if finding.severity >= Severity.MEDIUM}
    said.proposals.update(finding.proposal.action for finding in findings if finding.proposal)

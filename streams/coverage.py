"""Coverage: per model, what Tocsin watches in earnest, what it only mentions, what it cannot see, and why.

Sources, all in Kafka, so that whoever may read health can ask: the curator's last note on each model (`coverage` on health,
at most ten minutes old: events seen, fields they lack, ladder), disabled detectors that triage reported there, promotions in
the control topic, and the gate's word in the baseline itself. Without a running curator nothing is known about a model but
its promotions, and `told_ts` says how old the knowledge is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from models.baseline import Baseline
from models.detector import Entry
from models.registry import DETECTORS
from streams.baselines.topic import KafkaBaselines
from streams.clients import topic_name
from streams.counting import CENSUS
from streams.curator.notes import KIND, Note
from streams.curator.standing import Standing, standings_of
from streams.scan import scan
from tocsin.config import Config
from tocsin.reading import Ladder

State = Literal["live", "advisory", "blind", "starved", "disabled"]
"""Alarms in earnest; only informs; the field it reads is missing; too little traffic or no baseline yet; off."""

ORDER: Final[tuple[State, ...]] = ("live", "advisory", "starved", "blind", "disabled")
"""From most to least covered."""

LACKING: Final = 0.99
"""Share of events without a field from which on its detectors are blind."""

FEW_ROWS: Final = 1_000
DISABLED_KIND: Final = "disabled_detector"


class Disabled(msgspec.Struct, frozen=True):
    """A record of health that a detector raised: `source` is the detector, `model` "" when it concerns all."""

    source: str
    time: int
    detail: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class DetectorCoverage:
    """One detector on one model.

    Attributes:
        detector: id.
        state: see `State`.
        why: one line.
        techniques: ATLAS ids.
    """

    detector: str
    state: State
    why: str
    techniques: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelCoverage:
    """One model.

    Attributes:
        model: `namespace/name@version`.
        ladder: where it stands.
        baseline: content hash, "" for none.
        author: who promoted it.
        promoted_ts: when, Unix milliseconds, 0 for none.
        golden_ts: time of the latest event in the baseline, 0 for none: its age counts from there.
        told_ts: ledger time of what is known of its events, 0 when nothing is.
        rows: events seen.
        says: the curator's line: progress of learning, or what it waits for.
        waits: hash that waits for `tocsin baseline promote`, "" for none.
        detectors: in the registry's order.
        techniques: ATLAS id → best state of the detectors that point at it.
    """

    model: str
    ladder: Ladder
    baseline: str
    author: str
    promoted_ts: int
    golden_ts: int
    told_ts: int
    rows: int
    says: str
    waits: str
    detectors: tuple[DetectorCoverage, ...]
    techniques: dict[str, State]


def coverage(config: Config) -> list[ModelCoverage]:
    """Returns the coverage of every model that was promoted or seen, in name order.

    Raises:
        BrokerError: Kafka cannot be reached or refuses.
        HoleError: a baseline in force is not in the topic.
    """
    notes: dict[str, Note] = {}
    disabled: list[Disabled] = []
    for message in scan(config.kafka, topic_name(config.kafka, "health")):
        value = message.value() or b""
        if f'"{KIND}"'.encode() in value:
            note = msgspec.json.decode(value, type=Note)
            notes[note.model] = note
        elif f'"{DISABLED_KIND}"'.encode() in value:
            disabled.append(msgspec.json.decode(value, type=Disabled))
    standings, store = standings_of(config.kafka), KafkaBaselines(config.kafka)
    try:
        held = {model: store.get(one.baseline, model) for model, one in standings.items() if one.baseline}
    finally:
        store.close()
    return [
        coverage_of(
            model,
            notes.get(model),
            standings.get(model, Standing()),
            held.get(model),
            disabled,
            config.detection.disabled,
        )
        for model in sorted({*notes, *standings})
    ]


def coverage_of(
    model: str,
    note: Note | None,
    standing: Standing,
    baseline: Baseline | None,
    disabled: Iterable[Disabled],
    left_out: tuple[str, ...] = (),
    entries: Mapping[str, Entry] = DETECTORS,
) -> ModelCoverage:
    """Returns one model's coverage.

    Args:
        model: `namespace/name@version`.
        note: the curator's last word on it.
        standing: its promotions.
        baseline: what is in force.
        disabled: what health says about any model.
        left_out: detectors that the operator has turned off.
        entries: the registry.
    """
    since = standing.orders[-1].ts if standing.baseline else 0
    raised = {one.source: one for one in disabled if one.model in ("", model)}
    found = []
    for name, entry in entries.items():
        if name in left_out:
            state, why = _as("disabled", "left out by detection.disabled")
        elif broken := _broken(name, entry, raised, since):
            state, why = _as("disabled", broken.detail)
        else:
            state, why = _sees(name, entry, note, standing.ladder, baseline)
        found.append(DetectorCoverage(name, state, why, entry.techniques))
    best: dict[str, State] = {}
    for one in found:
        for technique in one.techniques:
            best[technique] = min(one.state, best.get(technique, one.state), key=ORDER.index)
    return ModelCoverage(
        model=model,
        ladder=standing.ladder,
        baseline=standing.baseline,
        author=standing.orders[-1].body.author if standing.baseline else "",
        promoted_ts=since,
        golden_ts=baseline.last_ts if baseline else 0,
        told_ts=note.time if note else 0,
        rows=note.rows if note else 0,
        says=(note.problem or note.detail) if note else "no events seen by the curator",
        waits=note.waits if note and (standing.baseline, standing.ladder) == (note.baseline, note.ladder) else "",
        detectors=tuple(found),
        techniques=dict(sorted(best.items())),
    )


def _as(state: State, why: str) -> tuple[State, str]:
    return state, why


def _broken(name: str, entry: Entry, raised: Mapping[str, Disabled], since: int) -> Disabled | None:
    """Returns why a detector is disabled; a new baseline gives those that compare with it a new chance."""
    own = raised.get(name)
    if entry.reference != "frozen":
        return own
    census = raised.get(CENSUS) if entry.stage == "judge" else None
    return next((one for one in (own, census) if one is not None and one.time >= since), None)


def _sees(name: str, entry: Entry, note: Note | None, ladder: Ladder, baseline: Baseline | None) -> tuple[State, str]:
    lacking = [need for need in sorted(entry.needs) if note is not None and note.missing.get(need, 0.0) >= LACKING]
    if lacking and len(lacking) == len(entry.needs):
        return "blind", f"events carry no {', '.join(lacking)}"
    rest = f"; events carry no {', '.join(lacking)}" if lacking else ""
    if note is None or note.rows < FEW_ROWS:
        return "starved", f"{note.rows if note else 0} events seen"
    if entry.reference != "frozen":
        calibrated = entry.claim != "advisory"
        return ("live" if calibrated else "advisory"), ("calibrated" if calibrated else "moves with the stream") + rest
    if baseline is None:
        return "starved", f"no baseline: {note.problem or note.detail}"
    gate = next((gate for gate in baseline.gate if gate.detector == name), None)
    says = gate.says if gate else "the replay gate has not tried it"
    if not baseline.armed(name):
        return ("blind" if says.startswith("blind:") else "advisory"), says + rest
    if ladder != "armed":
        return "advisory", f"provisional; {says}{rest}"
    return "live", says + rest

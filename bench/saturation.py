"""Saturation: one model, a backlog, every contender as fast as it can. What one event costs when work is plentiful.

Contenders take turns, round after round, so that a slow minute of the machine meets all of them; the median of the rounds
is reported. Tocsin's parts are separate processes: sense's span is from its `warm`-th row to its 95 %-th, judge and triage
are measured over the same span, intake over its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from bench import peer
from bench.events import Traffic, records
from bench.fleet import Fleet, Sample
from bench.golden import learned
from bench.kafka import create, fill
from bench.peer import Cost, Duty
from models.baseline import Baseline
from tocsin.config import Kafka

# Peers cost up to 130 us an event and need no more than this to be steady; all of them read the head of the same topic.
PEER_EVENTS: Final[dict[str, int]] = {"faust": 60_000, "quix": 200_000}
PEER_WARM: Final = 5_000
TAIL: Final = 0.95


class TocsinCost(msgspec.Struct, frozen=True):
    """CPU microseconds per event of each part, and how many events per second passed through all of them."""

    intake: float
    sense: float
    judge: float
    triage: float
    total: float
    per_s: float


LEFT_OUT: Final = ("query_path", "collusion", "newcomer_cohort", "membership_probe", "boundary_probe")
"""Detectors of query attacks: no peer does anything like it, so they are no part of a duty; `bench.detection scale` has all."""


class Saturation(msgspec.Struct, frozen=True):
    """One duty's medians over the rounds."""

    faust: Cost
    quix: Cost
    tocsin: TocsinCost
    rounds: int
    events: int


def prepare(brokers: str, topic: str, events: int) -> None:
    """Creates the backlog that everyone reads."""
    create(brokers, topic)
    fill(brokers, topic, records(Traffic(events)))


def measure(brokers: str, topic: str, duty: Duty, events: int, rounds: int) -> Saturation:
    """Returns the medians of interleaved rounds over a prepared topic of `events` events."""
    peers: dict[str, list[Cost]] = {name: [] for name in peer.PEERS}
    ours: list[TocsinCost] = []
    baselines = learned(Traffic(events)) if duty == "full" else []
    for number in range(rounds):
        for name, costs in peers.items():
            costs.append(peer.run(name, brokers, topic, duty, PEER_WARM, min(PEER_EVENTS[name], events - PEER_WARM)))
        ours.append(_tocsin(Kafka(brokers=brokers, prefix=f"bench.{duty}.{number}."), topic, events, baselines))
    # The median round as it was, so that a row's parts add up to its total.
    median = {name: sorted(costs, key=lambda cost: cost.us)[rounds // 2] for name, costs in peers.items()}
    tocsin = sorted(ours, key=lambda cost: cost.total)[rounds // 2]
    return Saturation(median["faust"], median["quix"], tocsin, rounds, events)


def _tocsin(kafka: Kafka, topic: str, events: int, baselines: Sequence[Baseline]) -> TocsinCost:
    with Fleet(kafka, topic, baselines, LEFT_OUT) as fleet:
        samples = fleet.watch(lambda sample: sample.sensed >= events)
    warm = max(events // 10, counting_from(samples) if baselines else 0)
    return cost_of(samples, warm, last=int(events * TAIL))


def counting_from(samples: Sequence[Sample]) -> int:
    """Returns the row from which on every row in every shard was counted against a baseline.

    Raises:
        RuntimeError: it came too late to measure anything.
    """
    last = samples[-1]
    # Sense may hold counts back for a second: rows were lost only if they are still missing at some later moment.
    lost = min(sample.sensed - sample.counted for sample in samples[len(samples) // 2 :])
    first = next(sample for sample in samples if sample.sensed - sample.counted >= lost)
    if first.sensed > last.sensed // 2:
        raise RuntimeError(f"all rows must be counted from early on; {last.counted} of {last.sensed} were")
    return first.sensed


def cost_of(samples: Sequence[Sample], warm: int, last: int) -> TocsinCost:
    """Returns each part's cost between its `warm`-th and its `last`-th row."""
    first_in, last_in = _span([sample.framed for sample in samples], warm, last)
    first, end = _span([sample.sensed for sample in samples], warm, last)
    framed = samples[last_in].framed - samples[first_in].framed
    sensed = samples[end].sensed - samples[first].sensed

    def spent(part: str, start: int, stop: int, rows: int) -> float:
        return (samples[stop].cpu[part] - samples[start].cpu[part]) / rows * 1e6

    intake = spent("intake", first_in, last_in, framed)
    sense, judge, triage = (spent(part, first, end, sensed) for part in ("sense", "judge", "triage"))
    per_s = sensed / (samples[end].at - samples[first].at)
    return TocsinCost(intake, sense, judge, triage, intake + sense + judge + triage, per_s)


def _span(rows: Sequence[int], warm: int, last: int) -> tuple[int, int]:
    """Returns the indices of the first samples that have reached `warm` and `last` rows.

    Raises:
        ValueError: the run was too short to be sampled twice.
    """
    assert all(a <= b for a, b in pairwise(rows)), rows
    first = next(index for index, count in enumerate(rows) if count >= warm)
    end = next(index for index, count in enumerate(rows) if count >= last)
    if first == end:
        raise ValueError(f"two samples expected between row {warm} and row {last}; too few events for this machine")
    return first, end

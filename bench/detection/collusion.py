"""Collusion: the same attacks with a fresh account for every question, and benign crowds, over four shards.

Benign traffic is by clients of golden kinds unless another kind is named; no record is asked for by two of them while there
are others. A run is found when judge names a crowd at least half of which are the attacker's accounts, whatever the signal;
queries are counted until the frame that made it known had come, 64 rows a frame and shard. Precision and recall are of all whom
judge holds in the crowd; a finding names the first 20. `Blacklight` is one global index, in standardised features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from bench.attacks.clients import CROWDS
from bench.attacks.query_attacks import here, record
from bench.attacks.stream import (
    CROWD,
    FRESH,
    GOLDEN_KINDS,
    Calls,
    amid,
    calls_of,
    hostile_calls,
    merged,
    population,
    rows_of,
)
from bench.attacks.victims import DEVELOPMENT, FLIP, LARGE, available
from bench.detection.cases import QUICK_SEEDS, SEEDS, Case, case
from bench.detection.collusion_watch import watch
from bench.detection.peers import Always, Never, Peer
from bench.detection.peers.blacklight import Blacklight
from bench.detection.result import Result
from tests.helpers.traffic import hash_of

PART: Final = "collusion"
OURS: Final = "tocsin collusion"
SHARDS, FRAME, LARGEST = 4, 64, 512
SHARES: Final = (0.02, 0.005)
RUNS: Final = 3
QUERIES, FEWEST = 300, 60
WARM: Final = 10_000
EVENTS: Final = 40_000
PEER_EVENTS: Final = 2_000
KINDS: Final[dict[str, dict[str, float]]] = {
    "iid": {"iid": 1.0},
    "mixed": GOLDEN_KINDS,
    "clustered": {"clustered": 1.0},
    "bursty": {"bursty": 1.0},
    "batch": {"iid": 0.5, "batch": 0.5},
    "sensor": {"iid": 0.5, "sensor": 0.5},
}
"""Benign traffic → kinds of clients in it."""
CROWD_SHARES: Final = {"campaign": 0.05, "viral": 0.01}
"""Of traffic of golden kinds."""
TEMPLATE: Final = "shared template"


@dataclass(frozen=True, slots=True)
class Run:
    """How one attack fared.

    Attributes:
        queries: of the attack until it was found; infinite for never.
            precision: of those named then, NaN when it was not found.
        recall: of the accounts used by the end, how many had ever been named; NaN likewise.
        others: readings that were not about the attack.
    """

    queries: float
    precision: float
    recall: float
    others: int


def run(quick: bool) -> Iterator[Result]:
    """Yields every number of this part; a quick run has one development set, one share and one run per attack."""
    names = DEVELOPMENT[:1] if quick else available(LARGE)
    alerts: dict[str, list[float]] = {}
    for seed in QUICK_SEEDS if quick else SEEDS:
        for name in names:
            of = case(name, seed)
            for share in SHARES[:1] if quick else SHARES:
                yield from hidden(of, share, 1 if quick else RUNS)
            for result, events in calm(of, EVENTS // 4 if quick else EVENTS):
                alerts.setdefault(result.metric, []).append(result.value)
                alerts.setdefault(result.metric + " events", []).append(events)
                yield result
            yield from costs(of, EVENTS // 4)
            yield from compared(of)
    for metric in [metric for metric in alerts if not metric.endswith(" events")]:
        rate = sum(alerts[metric]) / sum(alerts[metric + " events"]) * 1e6
        yield Result(PART, "all", OURS, f"{metric} per 10^6 events", rate)
        yield Result(PART, "all", OURS, f"{metric}, events", sum(alerts[metric + " events"]))


def _row(of: Case, method: str, metric: str, value: float) -> Result:
    return Result(PART, of.name, method, metric, value, of.seed)


def hidden(of: Case, share: float, runs: int) -> Iterator[Result]:
    """Yields how attacks fare that are this share of the traffic; nothing where records do not last for FEWEST queries."""
    pool = len(of.victim.benign)
    warm = min(WARM, pool // 4)
    queries = min(QUERIES, int((pool - warm) * share / 1.3))
    if queries < FEWEST:
        return
    benign = _population(of, GOLDEN_KINDS, warm + int(queries / share * 1.3), 91)
    for attack in here():
        fared = [_attacked(of, benign, attack, number, share, warm, queries) for number in range(runs)]
        what = f"{attack} at {share:.1%}"
        yield _row(of, OURS, f"{what}: median queries to alarm", min(median(each.queries for each in fared), QUERIES + 1))
        yield _row(of, OURS, f"{what}: share found", float(np.mean([each.queries <= queries for each in fared])))
        yield _row(of, OURS, f"{what}: queries sent", queries)
        for metric in ("precision", "recall"):
            values = [value for each in fared if not np.isnan(value := getattr(each, metric))]
            if values:
                yield _row(of, OURS, f"{what}: {metric} of the named", float(np.mean(values)))
        yield _row(of, OURS, f"{what}: other alerts per run", float(np.mean([each.others for each in fared])))


def _attacked(of: Case, benign: Calls, attack: str, number: int, share: float, warm: int, queries: int) -> Run:
    log = record(of.victim, attack, 50 + number, queries)
    fresh = FRESH + 1_000_000 * number + np.arange(queries)
    calls = hostile_calls(log.values, log.answers, np.zeros(queries), fresh)
    mixed = amid(benign, calls, share, np.random.default_rng([of.seed, number, 92]), warm)
    heard = watch(of.baseline, rows_of(of.victim, mixed), SHARDS, FRAME).heard
    asked, accounts = np.cumsum(mixed.hostile), frozenset(hash_of(fresh).tolist())
    about = [one for one in heard if len(one.named & accounts) * 2 >= len(one.named)]
    others = len(heard) - len(about)
    if not about:
        return Run(np.inf, np.nan, np.nan, others)
    ever = frozenset().union(*(one.named for one in about))
    precision = len(ever & accounts) / len(ever)
    return Run(float(asked[about[0].row]), precision, len(ever & accounts) / queries, others)


def _population(of: Case, kinds: dict[str, float], events: int, salt: int) -> Calls:
    rng = np.random.default_rng([of.seed, salt])
    return population(of.victim, of.victim.benign, kinds, events, rng, float(events))


def calm(of: Case, events: int) -> Iterator[tuple[Result, float]]:
    """Yields (alerts on each kind of benign traffic, its events)."""
    events = min(events, len(of.victim.benign))
    for number, (kind, kinds) in enumerate(KINDS.items()):
        calls = _population(of, kinds, events, 100 + number)
        yield from _alerts(of, f"benign {kind} traffic", calls)
    for number, (kind, share) in enumerate(CROWD_SHARES.items()):
        rng = np.random.default_rng([of.seed, 120 + number])
        many = int(events * share)
        asked = CROWDS[kind](of.victim.benign, rng, many)
        who = CROWD + (np.arange(many) // 2 if kind == "campaign" else np.arange(many))
        crowd = calls_of(of.victim, asked, np.sort(rng.uniform(events / 4, events, many)), who)
        yield from _alerts(of, f"a {kind} crowd of {share:.0%}", merged((_population(of, GOLDEN_KINDS, events, 130), crowd)))


def _alerts(of: Case, what: str, calls: Calls) -> Iterator[tuple[Result, float]]:
    events, said = float(len(calls)), watch(of.baseline, rows_of(of.victim, calls), SHARDS, FRAME)
    templates = sum(one.signal == TEMPLATE for one in said.heard)
    yield _row(of, OURS, f"{what}: alerts", len(said.heard) - templates), events
    yield _row(of, OURS, f"{what}: told as a shared template", templates), events


def costs(of: Case, events: int) -> Iterator[Result]:
    """Yields CPU time per event of scouts and of judge, on benign traffic in large frames."""
    calls = _population(of, GOLDEN_KINDS, min(events, len(of.victim.benign)), 150)
    said = watch(of.baseline, rows_of(of.victim, calls), 1, LARGEST)
    for stage, seconds in (("sense", said.sense_s), ("judge", said.judge_s)):
        yield _row(of, OURS, f"us per event in {stage}, {LARGEST} rows a frame", seconds / len(calls) * 1e6)


def compared(of: Case) -> Iterator[Result]:
    """Yields what peers that see all callers do with the first benign calls and, alone, with one attack each."""
    benign = _population(of, GOLDEN_KINDS, PEER_EVENTS, 140)
    points, labels = of.standardised(benign), (benign.answers >= FLIP).tolist()
    peers: dict[str, Peer] = {"Blacklight": Blacklight(of.golden), "dummy": Never(), "always fires": Always()}
    for method, peer in peers.items():
        fired = [peer.observe(x, who, label) for x, who, label in zip(points, benign.who.tolist(), labels, strict=True)]
        yield _row(of, method, f"benign events flagged of {PEER_EVENTS}, share", float(np.mean(fired)))
    for attack in here():
        log = record(of.victim, attack, 50, QUERIES)
        attacked = of.standardised(hostile_calls(log.values, log.answers, np.arange(QUERIES, dtype=float)))
        peers = {"Blacklight": Blacklight(of.golden), "dummy": Never(), "always fires": Always()}
        for method, peer in peers.items():
            first = (n for n, x in enumerate(attacked, 1) if peer.observe(x, FRESH + n, 0))
            yield _row(of, method, f"{attack} alone: queries to alarm", float(next(first, QUERIES + 1)))

"""Query: how many questions one caller can ask before it is found, and how many honest ones are accused, beside peers.

Each victim has two weeks of golden traffic by iid, clustered and bursty clients; its baseline is built as the product builds
it. Attackers ask under one name, every tenth call of the stream, of which the first 2,000 are benign. `query_path` is tried at
two thresholds: A = 1e5 with a stake of 1 per question, which is what can be compared with papers and earlier notes; and the
one that follows from one false alert per model-month, of which a tenth is its share: A = 2.6e7 s, at one event per second.
Peers see each client's questions in standardised features, for themselves. `JBDA`, `uniform` and `natural` have no goal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.attacks.query_attacks import here, record
from bench.attacks.stream import (
    ATTACKER,
    GOLDEN_KINDS,
    Calls,
    amid,
    hostile_calls,
    merged,
    population,
    rows_of,
)
from bench.attacks.victims import DEVELOPMENT, FLIP, REPORTED, available
from bench.detection.cases import QUICK_SEEDS, SEEDS, Case, case, peers
from bench.detection.query_rare import rare
from bench.detection.query_watchers import readings, watchers
from bench.detection.result import Result

PART: Final = "query"
RUNS: Final = 5
QUERIES: Final = 300
SHARE: Final = 0.1
WARM: Final = 2_000
CLIENTS: Final = 80
CALLS: Final = 400
"""Benign clients of each kind per set, and calls of each."""
PEER_CLIENTS: Final = 10
PEER_CALLS: Final = 150
KINDS: Final = ("iid", "clustered", "bursty", "batch", "sensor")
BLOCK: Final = 100_000
"""Caller numbers of one kind begin at its place in KINDS times this."""
RARE: Final = (10_000, 250_000)
"""Callers who ask once, to one question of the attacker."""


def run(quick: bool) -> Iterator[Result]:
    """Yields every number of this part; a quick run has one development set, one seed and one run per attack."""
    names = DEVELOPMENT[:1] if quick else available(REPORTED)
    for seed in QUICK_SEEDS if quick else SEEDS:
        for name in names:
            yield from found(case(name, seed), 1 if quick else RUNS)
            yield from accused(case(name, seed), 10 if quick else CLIENTS)
    yield from rare(case(names[0], QUICK_SEEDS[0] if quick else SEEDS[0]), RARE[:1] if quick else RARE)


def _row(of: Case, metric: str, method: str, value: float) -> Result:
    return Result(PART, of.name, method, metric, value, of.seed)


def found(of: Case, runs: int) -> Iterator[Result]:
    """Yields, per attack and method, the median number of queries until the first alarm, and the share found.

    A run without an alarm counts as more queries than any; a median among those is reported as QUERIES + 1.
    """
    events = WARM + int(QUERIES / SHARE * 1.3)
    rng = np.random.default_rng([of.seed, 81])
    benign = population(of.victim, of.victim.benign, GOLDEN_KINDS, events, rng, float(events))
    for attack in here():
        until: dict[str, list[float]] = {}
        for number in range(runs):
            for method, queries in _until(of, benign, attack, number).items():
                until.setdefault(method, []).append(queries)
        for method, each in until.items():
            yield _row(of, f"{attack}: median queries to alarm", method, median(each))
            yield _row(of, f"{attack}: share found", method, float(np.mean(np.array(each) <= QUERIES)))


def _until(of: Case, benign: Calls, attack: str, number: int) -> dict[str, float]:
    """Returns each method's number of the attacker's queries until its first alarm about it, QUERIES + 1 for none."""
    log = record(of.victim, attack, number, QUERIES)
    mixed = amid(
        benign,
        hostile_calls(log.values, log.answers, np.zeros(len(log))),
        SHARE,
        np.random.default_rng([of.seed, number]),
        WARM,
    )
    rows, asked = rows_of(of.victim, mixed), np.cumsum(mixed.hostile)
    until: dict[str, float] = {}
    for method, build in watchers(of.baseline).items():
        at = [reading.at.offset for reading in readings(build(), rows)]
        until[method] = min((float(asked[row]) for row in at if mixed.hostile[row]), default=QUERIES + 1.0)
    points = of.standardised(mixed.select(mixed.hostile))
    labels = (log.answers >= FLIP).tolist()
    for method, cold in peers(of).items():
        peer = cold()
        fired = (n for n, (x, label) in enumerate(zip(points, labels, strict=True), 1) if peer.observe(x, ATTACKER, label))
        until[method] = float(next(fired, QUERIES + 1))
    return until


def honest(of: Case, clients: int) -> Calls:
    """Returns calls of equally many clients of each kind, all through the same span, kinds told by caller number."""
    rng, span_s = np.random.default_rng([of.seed, 82]), float(len(KINDS) * clients * CALLS)
    return merged(
        [
            population(of.victim, of.victim.benign, {kind: 1.0}, clients * CALLS, rng, span_s, CALLS, number * BLOCK, 0.0)
            for number, kind in enumerate(KINDS)
        ]
    )


def accused(of: Case, clients: int) -> Iterator[Result]:
    """Yields, per kind of benign client and method, the share that is ever flagged, and each method's cost."""
    calls = honest(of, clients)
    rows = rows_of(of.victim, calls)
    for method, build in watchers(of.baseline).items():
        detector, begin = build(), time.process_time()
        said = readings(detector, rows)
        yield _row(of, "us per event", method, (time.process_time() - begin) / len(rows) * 1e6)
        first = {int(calls.who[reading.at.offset]): str(reading.evidence["signal"]) for reading in reversed(said)}
        yield from _shares(of, method, set(first), clients)
        itself = {caller for caller, signal in first.items() if signal == "self-similarity"}
        share = _share(itself, KINDS.index("sensor"), clients)
        yield _row(of, "benign sensor clients flagged for self-similarity alone, share", method, share)
    few = calls.select((calls.who % BLOCK < PEER_CLIENTS) & (_numbers(calls.who) < PEER_CALLS))
    points, labels = of.standardised(few), (few.answers >= FLIP).tolist()
    for method, cold in peers(of).items():
        peer, begin, asked = cold(), time.process_time(), zip(points, few.who.tolist(), labels, strict=True)
        fired = {caller for x, caller, label in asked if peer.observe(x, caller, label)}
        yield _row(of, "us per event", method, (time.process_time() - begin) / len(few) * 1e6)
        yield from _shares(of, method, fired, min(PEER_CLIENTS, clients))


def _shares(of: Case, method: str, flagged: set[int], clients: int) -> Iterator[Result]:
    for number, kind in enumerate(KINDS):
        yield _row(of, f"benign {kind} clients flagged, share", method, _share(flagged, number, clients))


def _share(flagged: set[int], kind: int, clients: int) -> float:
    return sum(caller // BLOCK == kind for caller in flagged) / clients


def _numbers(who: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns each call's number among its caller's, from 0."""
    order = np.argsort(who, kind="stable")
    _, first, counts = np.unique(who[order], return_index=True, return_counts=True)
    numbers = np.empty(len(who), np.int64)
    numbers[order] = np.arange(len(who)) - np.repeat(first, counts)
    return numbers

"""Rare: one attacker's question among very many callers who ask once, as `query_path` sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from bench.attacks.query_attacks import Log, here, record
from bench.attacks.stream import ATTACKER, CROWD, Calls, calls_of, hostile_calls, merged, rows_of
from bench.detection.cases import Case
from bench.detection.query_watchers import readings, watchers
from bench.detection.result import Result
from models.detector import Detector
from tests.helpers.traffic import hash_of

PART: Final = "query"
QUERIES: Final = 60
CHUNK: Final = 25_000
NAME: Final = int(hash_of(np.array([ATTACKER]))[0])
"""The attacker's hash."""


def rare(of: Case, every: tuple[int, ...]) -> Iterator[Result]:
    """Yields the queries until a HopSkipJump, or SimBA without the toolbox, is found: one among so many one-shot callers."""
    attack = here()[0]
    log = record(of.victim, attack, 77, QUERIES)
    pool = calls_of(of.victim, of.victim.benign, np.zeros(len(of.victim.benign)), np.zeros(len(of.victim.benign), np.int64))
    for gap in every:
        for method, build in watchers(of.baseline).items():
            begin = time.process_time()
            asked, events = _until(of, pool, log, build(), gap)
            us = (time.process_time() - begin) / events * 1e6
            for metric, value in ((f"{attack}: queries to alarm", asked), ("us per event, making it included", us)):
                yield Result(PART, of.name, method, f"1 in {gap} one-shot callers, {metric}", value, of.seed)


def _until(of: Case, pool: Calls, log: Log, detector: Detector, gap: int) -> tuple[float, int]:
    """Returns the attacker's queries until it is named, QUERIES + 1 for never, and the events until then."""
    rng, events = np.random.default_rng([of.seed, gap]), 0
    for asked in range(len(log)):
        for begin in range(0, gap, CHUNK):
            size = min(CHUNK, gap - begin)
            one_shot = pool.select(rng.integers(len(pool), size=size))
            seconds = events + np.arange(size, dtype=float)
            calls = replace(one_shot, seconds=seconds, who=CROWD + events + np.arange(size))
            if begin == 0:
                mine = hostile_calls(log.values[asked : asked + 1], log.answers[asked : asked + 1], seconds[:1])
                calls = merged((mine, calls))
            rows = rows_of(of.victim, calls, first=events)
            events += size
            if any(reading.caller is not None and reading.caller.hash == NAME for reading in readings(detector, rows)):
                return asked + 1.0, events
    return QUERIES + 1.0, events

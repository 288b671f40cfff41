"""The published query detectors that the benchmark compares with do what their papers say."""

from __future__ import annotations

import numpy as np
import pytest

from bench.detection.peers import Always, Never, Peer
from bench.detection.peers.blacklight import Blacklight
from bench.detection.peers.prada import LEAST, Prada
from bench.detection.peers.stateful_knn import NEIGHBOURS, StatefulKnn, delta_of

RNG = np.random.default_rng(7)
TRAINING = RNG.normal(size=(1_000, 10)).astype(np.float32)
OTHERS = RNG.normal(size=(300, 10)).astype(np.float32)
NEAR = TRAINING[0] + RNG.normal(0, 1e-3, (300, 10)).astype(np.float32)


def first_alarm(peer: Peer, queries: np.ndarray[tuple[int, int], np.dtype[np.float32]], callers: int = 1) -> int:
    """Returns the number of queries until the peer's first alarm, 0 for none."""
    return next((n for n, x in enumerate(queries, 1) if peer.observe(x, n % callers, 0)), 0)


def test_prada_says_nothing_before_a_hundred_distances() -> None:
    # A walk in tiny steps with rare leaps: distances far from normal.
    steps = np.where(np.arange(300) % 10 == 0, 5.0, 0.01).cumsum()
    walk = np.zeros((300, 10), np.float32)
    walk[:, 0] = steps
    assert LEAST + 1 < first_alarm(Prada(0.95), walk) <= LEAST + 3


def test_prada_lets_independent_normal_records_pass() -> None:
    assert first_alarm(Prada(0.9), OTHERS) == 0


def test_prada_judges_each_client_by_itself() -> None:
    steps = np.where(np.arange(300) % 10 == 0, 5.0, 0.01).cumsum()
    walk = np.zeros((300, 10), np.float32)
    walk[:, 0] = steps
    assert first_alarm(Prada(0.95), walk, callers=4) == 0


def test_stateful_detection_needs_as_many_queries_as_neighbours_and_one() -> None:
    assert first_alarm(StatefulKnn(delta_of(TRAINING)), NEAR) == NEIGHBOURS + 1
    assert first_alarm(StatefulKnn(delta_of(TRAINING)), OTHERS) == 0


def test_stateful_detection_empties_the_buffer_at_an_alarm() -> None:
    peer = StatefulKnn(delta_of(TRAINING))
    alarms = [n for n, x in enumerate(NEAR, 1) if peer.observe(x, 1, 0)]
    assert alarms[1] - alarms[0] == NEIGHBOURS


def test_blacklight_finds_the_second_of_two_like_queries_whoever_sent_it() -> None:
    assert first_alarm(Blacklight(TRAINING), np.stack((TRAINING[0], TRAINING[0])), callers=2) == 2


def test_blacklight_asks_for_more_than_half_of_the_fingerprint() -> None:
    peer, far = Blacklight(TRAINING), TRAINING[0].copy()
    far[:5] += 3  # five of the nine windows of two change, and one that reaches over
    assert first_alarm(peer, np.stack((TRAINING[0], far))) == 0


def test_blacklight_keeps_at_most_fifty_hashes() -> None:
    wide = RNG.normal(size=(50, 100)).astype(np.float32)
    assert len(Blacklight(wide).fingerprint(wide[0])) == 50


@pytest.mark.parametrize(("peer", "first"), [(Never(), 0), (Always(), 1)], ids=["never", "always"])
def test_the_two_dummies_say_nothing_and_everything(peer: Peer, first: int) -> None:
    assert first_alarm(peer, OTHERS) == first

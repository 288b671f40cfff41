"""Cases: a victim, the baseline of its golden traffic as the product builds it, and how peers see its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.attacks.stream import Calls, baseline_of, golden_calls, rows_of
from bench.attacks.victims import Victim, victim
from bench.detection.peers import Always, Never, Peer
from bench.detection.peers.blacklight import Blacklight
from bench.detection.peers.prada import Prada
from bench.detection.peers.stateful_knn import StatefulKnn, delta_of
from models import loda
from models.baseline import Baseline
from tocsin.rows import Rows

SEEDS: Final = (1_001,)
"""Of what is reported."""
QUICK_SEEDS: Final = (1,)


@dataclass(frozen=True, slots=True)
class Case:
    """One victim and what was learnt of its golden traffic.

    Attributes:
        victim: the model.
        baseline: of its golden traffic.
        golden: standardised golden rows, (rows, features).
        delta: of stateful kNN, from these.
    """

    victim: Victim
    baseline: Baseline
    golden: NDArray[np.float32]
    delta: float

    @property
    def name(self) -> str:
        """Returns the set's name."""
        return self.victim.name

    @property
    def seed(self) -> int:
        """Returns the seed of the cut."""
        return self.victim.seed

    def standardised(self, calls: Calls) -> NDArray[np.float32]:
        """Returns the calls as peers see them, (calls, features)."""
        return standardised(self.baseline, rows_of(self.victim, calls))


def standardised(baseline: Baseline, rows: Rows) -> NDArray[np.float32]:
    """Returns rows in the features of the baseline's envelope, (rows, features).

    Raises:
        ValueError: the baseline has none.
    """
    if baseline.envelope is None:
        raise ValueError(f"bench: an envelope expected in the baseline of {baseline.model}; found none")
    return np.ascontiguousarray(loda.face_of(baseline.envelope).standard.apply(rows.values).T)


@cache
def case(name: str, seed: int) -> Case:
    """Returns a set's case."""
    of = victim(name, seed)
    calls = golden_calls(of)
    baseline = baseline_of(of, calls)
    golden = standardised(baseline, rows_of(of, calls))
    return Case(of, baseline, golden, delta_of(golden))


def peers(of: Case) -> dict[str, Callable[[], Peer]]:
    """Returns how to make each peer, cold."""
    return {
        "PRADA, δ .95": lambda: Prada(0.95),
        "PRADA, δ .90": lambda: Prada(0.90),
        "stateful kNN": lambda: StatefulKnn(of.delta),
        "Blacklight": lambda: Blacklight(of.golden),
        "dummy": Never,
        "always fires": Always,
    }

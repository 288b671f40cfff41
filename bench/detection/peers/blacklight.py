"""Blacklight (Li, Shan, Wenger, Zhang, Zheng, Zhao, USENIX Security 2022): two queries, of whomever, with like fingerprints.

A query is quantised (50 of 255 levels a step), every window of consecutive values is hashed, and the S = 50 greatest hashes are
its fingerprint. A query that shares more than T = 25 of them with any earlier query is an attack, whoever sent either. The
paper's windows are of 20 to 50 values, of images with thousands; a record of d features has windows of a fifth of d here, at
least two, and fewer of them than 50: it must share more than half, as in the paper. 0 and 255 are the golden 0.5 % and 99.5 %
quantiles of the feature. The index is of the last QUERIES queries.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.detection.peers import Point

STEP: Final = 50 / 255
KEPT: Final = 50
SHARED: Final = 0.5
TAIL: Final = 0.005
QUERIES: Final = 100_000
SALT: Final = b"blacklight"


class Blacklight:
    """One index for everybody.

    Args:
        training: standardised records (rows, features), from which the range of each feature is taken.
    """

    def __init__(self, training: NDArray[np.float32]) -> None:
        low, high = np.quantile(training, (TAIL, 1 - TAIL), axis=0)
        self._low, self._step = low, np.maximum(high - low, 1e-6) * STEP
        self._window = max(training.shape[1] // 5, 2)
        self._index: dict[bytes, set[int]] = {}
        self._prints: deque[tuple[int, frozenset[bytes]]] = deque()
        self._next = 0

    def observe(self, x: Point, _caller: int, _label: int) -> bool:
        """Returns whether the query is like an earlier one."""
        mine = self.fingerprint(x)
        shared = Counter(query for hashed in mine for query in self._index.get(hashed, ()))
        found = bool(shared) and max(shared.values()) > SHARED * len(mine)
        for hashed in mine:
            self._index.setdefault(hashed, set()).add(self._next)
        self._prints.append((self._next, mine))
        self._next += 1
        if len(self._prints) > QUERIES:
            self._forget(*self._prints.popleft())
        return found

    def fingerprint(self, x: Point) -> frozenset[bytes]:
        """Returns the greatest hashes of the query's windows."""
        quantised = np.floor((x - self._low) / self._step).astype("<i4")
        windows = range(len(quantised) - self._window + 1)
        hashes = {
            hashlib.sha256(SALT + at.to_bytes(2, "little") + quantised[at : at + self._window].tobytes()).digest()[:8]
            for at in windows
        }
        return frozenset(sorted(hashes, reverse=True)[:KEPT])

    def _forget(self, query: int, fingerprint: frozenset[bytes]) -> None:
        for hashed in fingerprint:
            self._index[hashed].discard(query)
            if not self._index[hashed]:
                del self._index[hashed]

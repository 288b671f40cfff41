"""Sightings: the last rows near a decision boundary, and what somebody who asked them can have learned.

Whoever sees the answers to some questions knows that the decision flips between the highest score on one side and the
lowest on the other. The finding says how narrow that is, in the model's score and, where one feature alone was moved, in
that feature.
"""

from __future__ import annotations

import zlib
from math import log2
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.boundary_scout import MOST_FEATURES, Near
from models.margins import below_of
from tocsin.codec import pack
from tocsin.event import Caller
from tocsin.reading import Evidence

KEPT: Final = 256
LEAST_MOVED: Final = 6
"""Rows in whose order feature and score must agree: by chance one feature in 360 does."""
LEAST_GAP: Final = 2.0**-24
"""Of scores, in float32."""


class _Dump(msgspec.Struct, array_like=True):
    callers: bytes
    distances: bytes
    times: bytes
    values: bytes


class Sightings:
    """The last KEPT near rows of one model.

    Args:
        baseline: the model's, with margins.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._features = min(len(baseline.features), MOST_FEATURES)
        self.caller = np.empty(0, np.uint64)
        self.distance = np.empty(0, np.float32)
        self.ts = np.empty(0, np.int64)
        self.values = np.empty((0, self._features), np.float32)

    def add(self, near: Near, callers: tuple[Caller, ...]) -> None:
        """Remembers these rows and forgets the oldest."""
        hashes = np.array([caller.hash for caller in callers], np.uint64)[near.caller]
        self.caller = np.concatenate((self.caller, hashes))[-KEPT:]
        self.distance = np.concatenate((self.distance, near.distance))[-KEPT:]
        self.ts = np.concatenate((self.ts, near.ts))[-KEPT:]
        self.values = np.concatenate((self.values, near.values))[-KEPT:]

    def since(self, rows: int) -> NDArray[np.int64]:
        """Returns which of those remembered are the last `rows`."""
        return np.arange(max(len(self.caller) - rows, 0), len(self.caller))

    def of(self, caller: int) -> NDArray[np.int64]:
        """Returns which are of this caller."""
        return np.flatnonzero(self.caller == np.uint64(caller))

    def learned(self, which: NDArray[np.int64]) -> Evidence:
        """Returns what the answers to these rows tell at most."""
        baseline, distance = self._baseline, self.distance[which].astype(np.float64)
        if baseline.margins is None or not len(which):
            return {}
        below = below_of(baseline.margins, baseline.boundary, baseline.labels)
        highest = max(baseline.margins.high, baseline.boundary)
        lowest = 2.0 * baseline.boundary - highest if below else min(baseline.margins.low, baseline.boundary)
        low = baseline.boundary + float(np.max(distance[distance < 0], initial=lowest - baseline.boundary))
        high = baseline.boundary + float(np.min(distance[distance >= 0], initial=highest - baseline.boundary))
        found: Evidence = {
            "interval_of": f"confidence, mirrored for {below}" if below else "confidence",
            "interval_low": _brief(low),
            "interval_high": _brief(high),
            "bits_learned": round(max(log2((highest - lowest) / max(high - low, LEAST_GAP)), 0.0), 1),
            "distinct_callers": len(np.unique(self.caller[which])),
            "near_rows": len(which),
        }
        return found | self._feature_learned(which)

    def _feature_learned(self, which: NDArray[np.int64]) -> Evidence:
        """Returns the interval of the one feature that was moved, nothing if it cannot be told."""
        distance, values = self.distance[which], self.values[which]
        if len(np.unique(distance)) < LEAST_MOVED or not (distance < 0).any() or not (distance >= 0).any():
            return {}
        order = np.argsort(distance, kind="stable")
        apart = np.diff(distance[order]) > 0
        steps = np.diff(values[order], axis=0)[apart]
        moved = [f for f in range(steps.shape[1]) if (steps[:, f] > 0).all() or (steps[:, f] < 0).all()]
        if not moved:
            return {}
        below, above = values[order[distance[order] < 0][-1], moved[0]], values[order[distance[order] >= 0][0], moved[0]]
        return {
            "feature": self._baseline.features[moved[0]],
            "feature_low": _brief(float(min(below, above))),
            "feature_high": _brief(float(max(below, above))),
        }

    def dump(self) -> bytes:
        """Returns the whole state: equal state is equal bytes."""
        columns = (self.caller.astype("<u8"), self.distance.astype("<f4"), self.ts.astype("<i8"), self.values.astype("<f4"))
        return zlib.compress(pack(_Dump(*(column.tobytes() for column in columns))), 1)

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            ValueError: it is no state (msgspec.DecodeError is one); zlib.error when it is not even compressed.
        """
        dump = msgspec.msgpack.decode(zlib.decompress(data), type=_Dump)
        self.caller = np.frombuffer(dump.callers, "<u8")
        self.distance = np.frombuffer(dump.distances, "<f4")
        self.ts = np.frombuffer(dump.times, "<i8")
        self.values = np.frombuffer(dump.values, "<f4").reshape(len(self.distance), self._features)


def _brief(value: float) -> float:
    return float(f"{value:.6g}")

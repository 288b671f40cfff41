"""Duty: the detection work each peer does on every event, with River used as its documentation shows."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from river import anomaly, drift, preprocessing

WINDOW_MS = 60_000
MANY_CALLS = 100_000
SCORE = 0.99


class Duty:
    """Drift of confidence and latency and a rate window per caller; with `full`, an outlier score of every event.

    Attributes:
        full: whether MinMaxScaler and HalfSpaceTrees(10, 6) score and learn every event.
        alarms: how many times anything crossed its threshold; keeps the work from being dead code.
    """

    def __init__(self, *, full: bool) -> None:
        """Starts with untrained detectors."""
        self.full = full
        self.alarms = 0
        self.confidence = drift.ADWIN()
        self.latency = drift.PageHinkley()
        trees = anomaly.HalfSpaceTrees(n_trees=10, height=6, window_size=250, seed=1)
        self.outlier = preprocessing.MinMaxScaler() | trees
        self.calls: defaultdict[str, deque[int]] = defaultdict(deque)

    def see(self, event: dict[str, Any]) -> None:
        """Scores one event, then learns from it."""
        self.confidence.update(event["prediction"]["score"])
        self.latency.update(event["latency_ms"])
        self.alarms += self.confidence.drift_detected + self.latency.drift_detected
        window, ts = self.calls[event["caller"]["id"]], event["ts"]
        window.append(ts)
        while window[0] < ts - WINDOW_MS:
            window.popleft()
        self.alarms += len(window) > MANY_CALLS
        if self.full:
            features = event["features"]
            self.alarms += self.outlier.score_one(features) > SCORE
            self.outlier.learn_one(features)

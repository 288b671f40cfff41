"""Probe: an attacker who maps the model's decision threshold with small payments.

The attacker owns k accounts and sees only accepted or refused. It works line by line: choose a situation (category, device,
velocity) at random, then bisect on the distance, at small amounts, until the boundary is known to a few km; then the
next situation. Accounts take turns, so that each sends 1/k of the questions. Every payment is small: nothing here looks
expensive, and only the number of questions and their way give the attacker away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drills.arrivals import HOUR_MS
from drills.card_fraud import CATEGORIES, THRESHOLD, Payments, score

STEPS = 10
MAX_AMOUNT = 60.0
MAX_KM = 12_000.0


def question_times(rng: np.random.Generator, questions: int, begin_ms: int, end_ms: int) -> NDArray[np.int64]:
    """Returns when the questions are asked: uniformly at random in [begin_ms, end_ms), in order."""
    return np.sort(rng.integers(begin_ms, end_ms, questions))


def draw_probe(rng: np.random.Generator, ts: NDArray[np.int64], spend: float) -> Payments:
    """Returns the questions asked at these times, STEPS per line.

    Args:
        rng: chooses the situations.
        ts: Unix milliseconds, in order.
        spend: what the account usually spends, as the model's feature store believes.
    """
    questions = len(ts)
    lines = -(-questions // STEPS)
    amount = rng.uniform(1.0, MAX_AMOUNT, lines)
    situation: dict[str, NDArray[Any]] = {
        "amount": amount,
        "amount_ratio": amount / spend,
        "hour": ts[::STEPS] % (24 * HOUR_MS) / HOUR_MS,
        "card_age_days": rng.uniform(5.0, 400.0, lines),
        "device_age_days": rng.uniform(0.0, 60.0, lines),
        "payments_1h": rng.integers(0, 5, lines).astype(np.float64),
        "declined_24h": rng.integers(0, 2, lines).astype(np.float64),
        "card_present": np.zeros(lines),
        "category": rng.integers(0, len(CATEGORIES), lines),
    }
    asked = _bisect(situation, lines)
    columns = {name: np.repeat(column, STEPS)[:questions] for name, column in situation.items()}
    return Payments(distance_km=asked.ravel()[:questions], **columns)


def _bisect(situation: dict[str, NDArray[Any]], lines: int) -> NDArray[np.float64]:
    """Returns (lines, STEPS) distances: each next one halves what the answers have left open, on a logarithmic scale."""
    low, high = np.zeros(lines), np.full(lines, np.log1p(MAX_KM))
    asked = np.empty((lines, STEPS))
    for step in range(STEPS):
        middle = (low + high) / 2
        asked[:, step] = np.expm1(middle)
        refused = score(Payments(distance_km=asked[:, step], **situation)) >= THRESHOLD
        low, high = np.where(refused, low, middle), np.where(refused, middle, high)
    return asked

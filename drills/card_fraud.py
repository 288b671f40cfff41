"""Card fraud: a served model to drill on — ten features of a card payment, a logistic score, a threshold.

The model is real in the sense that matters here: its answer depends on its input by a fixed function with a boundary that
somebody can map by asking. Weights are chosen, not learned, so that about one payment in a
hundred of normal traffic is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drills.arrivals import HOUR_MS
from drills.population import Population

NAMESPACE = "payments"
NAME = "card-fraud"
VERSION = "3"
MODEL = f"{NAMESPACE}/{NAME}@{VERSION}"

THRESHOLD = 0.5
CATEGORIES = ("grocery", "fuel", "travel", "electronics", "gaming", "gift-cards")
CATEGORY_SHARE = (0.42, 0.2, 0.08, 0.13, 0.12, 0.05)
CATEGORY_RISK = np.array([-0.6, -0.3, 0.4, 0.7, 0.5, 1.2])
LATENCY_MEDIAN_MS = 11.0
ERROR_RATE = 0.001

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Payments:
    """Payments, one element each: what the model is asked.

    Attributes:
        amount: in the currency's unit.
        amount_ratio: amount ÷ what this card usually spends.
        distance_km: between the card's home and the merchant.
        hour: local hour, [0, 24).
        card_age_days: since the card was issued.
        device_age_days: since the device was first seen.
        payments_1h: earlier payments of the card in the hour.
        declined_24h: refusals of the card in the day.
        card_present: 1 or 0.
        category: index into CATEGORIES.
    """

    amount: Floats
    amount_ratio: Floats
    distance_km: Floats
    hour: Floats
    card_age_days: Floats
    device_age_days: Floats
    payments_1h: Floats
    declined_24h: Floats
    card_present: Floats
    category: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the model answered.

    Attributes:
        score: probability of fraud, [0, 1].
        refused: whether the score reached THRESHOLD.
        latency_ms: time to answer.
        status: 200, or 503 when the service failed.
    """

    score: Floats
    refused: NDArray[np.bool_]
    latency_ms: Floats
    status: NDArray[np.int64]


def draw_payments(
    rng: np.random.Generator, population: Population, caller: NDArray[np.int64], ts: NDArray[np.int64]
) -> Payments:
    """Returns ordinary payments of these callers at these times (Unix milliseconds)."""
    rows = len(caller)
    days = ts / (24 * HOUR_MS)
    amount = np.maximum(population.spend[caller] * rng.lognormal(0.0, 0.6, rows), 0.5)
    return Payments(
        amount=amount,
        amount_ratio=amount / population.spend[caller],
        distance_km=population.home_km[caller] * rng.lognormal(0.0, 0.9, rows),
        hour=ts % (24 * HOUR_MS) / HOUR_MS,
        card_age_days=(population.card_phase_days[caller] + days) % population.card_life_days[caller],
        device_age_days=(population.device_phase_days[caller] + days) % population.device_life_days[caller],
        payments_1h=rng.poisson(0.8, rows).astype(np.float64),
        declined_24h=(rng.random(rows) < 0.02).astype(np.float64),
        card_present=(rng.random(rows) >= population.online[caller]).astype(np.float64),
        category=np.searchsorted(np.cumsum(CATEGORY_SHARE), rng.random(rows), side="right").clip(0, len(CATEGORIES) - 1),
    )


def score(payments: Payments) -> Floats:
    """Returns the probability of fraud: the decision function an attacker wants to know."""
    night = np.cos((payments.hour - 3.0) * (2 * np.pi / 24))
    logit = (
        -1.9
        + 0.9 * np.log1p(payments.amount / 50.0)
        + 0.8 * np.log(np.maximum(payments.amount_ratio, 0.05))
        + 0.8 * np.log1p(payments.distance_km / 10.0)
        + 0.5 * night
        - 0.35 * np.log1p(payments.card_age_days / 90.0)
        - 0.45 * np.log1p(payments.device_age_days / 30.0)
        + 0.25 * payments.payments_1h
        + 1.4 * payments.declined_24h
        - 0.7 * payments.card_present
        + 1.1 * CATEGORY_RISK[payments.category]
    )
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))


def decide(rng: np.random.Generator, payments: Payments) -> Decisions:
    """Returns the service's answers; only latency and failures are left to chance."""
    fraud = score(payments)
    rows = len(fraud)
    failed = rng.random(rows) < ERROR_RATE
    return Decisions(
        score=fraud,
        refused=fraud >= THRESHOLD,
        latency_ms=LATENCY_MEDIAN_MS * rng.lognormal(0.0, 0.35, rows) + np.where(failed, 250.0, 0.0),
        status=np.where(failed, 503, 200),
    )

"""Describe: a baseline in words and numbers that a person can check, and what two of them disagree about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS, Baseline, Quantity, floats, hash_of

SHARES: Final = (0.1, 0.5, 0.9)
"""Quantiles shown of every quantity that is a number."""
OWN_MEASURE: Final = ("margin", "envelope", "tail", "pair", "projection")
"""What each baseline measures by its own boundary, histograms, pairs and scales: their numbers cannot be compared."""


def facts_of(baseline: Baseline) -> dict[str, Any]:
    """Returns what a baseline is, as one JSON object."""
    season = baseline.season
    return {
        "hash": hash_of(baseline),
        "model": baseline.model,
        "origin": baseline.origin,
        "from": _when(baseline.first_ts),
        "to": _when(baseline.last_ts),
        "rows": baseline.rows,
        "callers": baseline.callers,
        "season": {"zone": season.zone, "period_h": season.period_h, "bucket_h": season.bucket_h, "buckets": season.buckets},
        "quantities": [_quantity(quantity, season.buckets) for quantity in baseline.quantities],
        "labels": dict(baseline.labels),
        "rates": baseline.rates,
        "envelope": baseline.envelope is not None,
        "gate": [
            {"detector": gate.detector, "armed": gate.armed, "days": round(gate.held_out_days, 2), "says": gate.says}
            for gate in baseline.gate
        ],
        "inherits": baseline.inherits,
    }


def differences(before: Baseline, after: Baseline) -> list[dict[str, Any]]:
    """Returns, per quantity of either, how far the two distributions are apart, furthest first.

    The distance is the largest difference of their distribution functions (Kolmogorov) over all season buckets pooled,
    in [0, 1]; None where only one of them has the quantity. What each baseline measures by its own rule (OWN_MEASURE)
    is left out.
    """
    ours, theirs = (
        {quantity.name: quantity for quantity in one.quantities if quantity.watches not in OWN_MEASURE}
        for one in (before, after)
    )
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys((*ours, *theirs)):
        row: dict[str, Any] = {"quantity": name, "distance": None, "before": None, "after": None}
        if name in ours:
            row["before"] = quantiles_of(ours[name], before.season.buckets)
        if name in theirs:
            row["after"] = quantiles_of(theirs[name], after.season.buckets)
        if name in ours and name in theirs:
            pooled = _pooled(ours[name], before.season.buckets), _pooled(theirs[name], after.season.buckets)
            row["distance"] = round(_apart(*pooled), 4)
        found.append(row)
    return sorted(found, key=lambda row: (row["distance"] is not None, -(row["distance"] or 0.0)))


def quantiles_of(quantity: Quantity, buckets: int) -> dict[str, float]:
    """Returns the edges next to each of SHARES, all season buckets pooled, by name (`p10`, `p50`, `p90`)."""
    values, below = _pooled(quantity, buckets)
    if not len(values) or quantity.watches in ("label", "missing") or quantity.name.startswith("="):
        return {}  # codes of classes have no order, and a missing value is one or none
    at = np.minimum(np.searchsorted(below, SHARES), len(values) - 1)
    return {f"p{round(share * 100)}": _shown(quantity, float(values[i])) for share, i in zip(SHARES, at, strict=True)}


def _pooled(quantity: Quantity, buckets: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns rising values and the share of golden rows below each."""
    edges = floats(quantity.edges, buckets, CELLS - 1)
    masses = floats(quantity.masses, buckets, CELLS, dtype="<f8")
    rows = floats(quantity.golden_rows, buckets, dtype="<f8")
    values = np.unique(edges[np.isfinite(edges)])
    share = rows / max(float(rows.sum()), 1e-9)
    below = np.zeros(len(values))
    for bucket in range(buckets):
        own = edges[bucket][np.isfinite(edges[bucket])]
        until = np.concatenate(([0.0], np.cumsum(masses[bucket])[: len(own)]))
        below += share[bucket] * until[np.searchsorted(own, values, "right")]
    return values, below


def _apart(
    one: tuple[NDArray[np.float64], NDArray[np.float64]], other: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> float:
    """Returns the largest difference of two distribution functions at the values that either knows."""
    values = np.union1d(one[0], other[0])
    first, second = (np.concatenate(([0.0], below))[np.searchsorted(known, values, "right")] for known, below in (one, other))
    return float(np.abs(first - second).max()) if len(values) else 0.0


def _quantity(quantity: Quantity, buckets: int) -> dict[str, Any]:
    return {
        "name": quantity.name,
        "watches": quantity.watches,
        "correlation": round(quantity.correlation, 4),
        "quantiles": quantiles_of(quantity, buckets),
    }


def _shown(quantity: Quantity, value: float) -> float:
    return round(float(np.expm1(value)) if quantity.watches == "latency" else value, 4)


def _when(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1000, UTC).isoformat(timespec="seconds")


def summary_rows(baseline: Baseline) -> Iterator[tuple[str, str]]:
    """Yields what a person sees of a baseline, as (name, value) rows."""
    facts = facts_of(baseline)
    for name in ("model", "hash", "origin", "from", "to", "rows", "callers"):
        yield name, str(facts[name])
    season = baseline.season
    if season.buckets > 1:
        yield "season", f"{season.buckets} buckets of {season.bucket_h} h in {season.period_h} h, {season.zone}"
    for quantity in facts["quantities"]:
        if quantity["watches"] != "missing":
            marks = [f"{name} {value:g}" for name, value in quantity["quantiles"].items()]
            yield quantity["name"], ", ".join((*marks, f"correlation within a caller {quantity['correlation']:.2f}"))
    for gate in baseline.gate:
        yield f"{gate.detector}: {'armed' if gate.armed else 'advisory'}", gate.says

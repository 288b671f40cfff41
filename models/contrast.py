"""Contrast: what came lately against what the baseline holds, in numbers that a person can check."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS, Baseline, Quantity, floats
from tocsin.reading import Evidence
from tocsin.rows import category_code

QUANTILES: Final = (("p05", 0.05), ("median", 0.5), ("p95", 0.95))
QUARTER: Final = 0.25

Floats = NDArray[np.float64]


def contrast(baseline: Baseline, index: int, bucket: int, recent: Floats) -> Evidence:
    """Returns golden and recent quantiles of a number, or the class or cell that gained most of a category.

    Args:
        baseline: the reference.
        index: of the quantity.
        bucket: season bucket.
        recent: float64 (CELLS,), weights of recent rows.
    """
    quantity = baseline.quantities[index]
    masses = floats(quantity.masses, -1, CELLS, dtype="<f8")[bucket]
    edges = floats(quantity.edges, -1, CELLS - 1)[bucket]
    shares = recent / max(float(recent.sum()), 1e-9)
    if quantity.watches == "missing":
        return {"golden_share": _brief(_above(masses, edges)), "recent_share": _brief(_above(shares, edges))}
    if quantity.watches == "label" or (quantity.feature >= 0 and baseline.features[quantity.feature].startswith("=")):
        return _gained(baseline, edges, masses, shares)
    evidence: Evidence = {}
    for name, place in QUANTILES:
        evidence[f"golden_{name}"] = _brief(_in_units(quantity, _quantile(edges, masses, place)))
        evidence[f"recent_{name}"] = _brief(_in_units(quantity, _quantile(edges, shares, place)))
    evidence["recent_share_in_lowest_golden_quarter"] = _brief(share_within(masses, shares, 0.0, QUARTER))
    evidence["recent_share_in_highest_golden_quarter"] = _brief(share_within(masses, shares, 1 - QUARTER, 1.0))
    return evidence


def _gained(baseline: Baseline, edges: Floats, masses: Floats, shares: Floats) -> Evidence:
    """Returns which value of a category gained most; by name where it is one of the model's classes."""
    cell = int((shares - masses).argmax())
    code = edges[cell - 1] if cell else -np.inf
    alone = cell < len(edges) and np.nextafter(np.float32(code), np.float32(np.inf)) == np.float32(edges[cell])
    names = {category_code(name): name for name, _ in baseline.labels}
    gained = names.get(float(code), f"value with code {code:.0f}") if alone else "rare or unseen values"
    return {"gained": gained, "golden_share": _brief(float(masses[cell])), "recent_share": _brief(float(shares[cell]))}


def _above(shares: Floats, edges: Floats) -> float:
    """Returns the share of ones among zeros and ones."""
    return float(shares[int(np.searchsorted(edges, 1.0, "right")) :].sum())


def _quantile(edges: Floats, shares: Floats, place: float) -> float:
    """Returns the lower end of the cell in which this quantile lies; of the lowest cell, its upper end."""
    cell = min(int(np.searchsorted(np.cumsum(shares), place - 1e-9, "right")), CELLS - 1)
    real = edges[np.isfinite(edges)]
    return float(real[min(max(cell - 1, 0), len(real) - 1)]) if len(real) else 0.0


def share_within(masses: Floats, shares: Floats, low: float, high: float) -> float:
    """Returns how much of `shares` lies where u is between low and high; a cell that reaches out counts in part."""
    ends = np.concatenate(([0.0], np.cumsum(masses)))
    inside = np.clip(np.minimum(ends[1:], high) - np.maximum(ends[:-1], low), 0.0, None)
    return float((shares * inside / np.maximum(masses, 1e-12)).sum())


def _in_units(quantity: Quantity, value: float) -> float:
    return float(np.expm1(value)) if quantity.watches == "latency" else value


def _brief(value: float) -> float:
    return float(f"{value:.4g}")

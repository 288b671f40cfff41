"""Draft: what a baseline is to hold of golden rows: which season, which quantities, and the rows' values of them.

Whatever traffic looks like, there is a draft of it or a sentence that says what is missing: without callers nothing is
discounted, without confidence or features nothing of the kind is watched, with an hour of data there is one season bucket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import loda
from models.baseline import FORMAT, Baseline, Quantity, Season, Watched, hash_of
from models.discount import WINDOW
from models.fitting import Allowance, Fit, Ground, fitted
from models.golden_sample import Golden
from models.joint import Joint, signs_of
from models.joint_fit import MOST_JOINT, build_joint
from models.loda_fit import build_loda
from models.quantity import WORDS, columns, features_of, label_codes
from models.season import bucket_of, choose_season, day_of
from models.standardise import standard_of
from tocsin.errors import ConfigError
from tocsin.rows import Rows

SEED: Final = 20_260_101
"""Of the envelope's projections and of mixes: the same golden rows give the same baseline."""
FLIP_PURITY: Final = 0.98
"""Share of the rows on the right side of a confidence at which the decision is said to flip."""
NEAR_SHARE: Final = 1 / 32
"""Of the golden rows, those nearest to the decision boundary: where they lie among themselves is what `margin` watches."""
MOST_LABELS: Final = 1_000
MANY_CALLERS: Final = 30
"""Fewer are no sample of all that might call, and every window holds them all: discounted, hardly a row would count ..."""
MILD: Final = 4.0
"""... so that bursts no stronger than this are left to tempering."""

OTHERS: Final = 6
"""Quantities that are neither of features nor of several together."""
MOST_QUANTITIES: Final = 1_024
"""Counts name cells by 16 bits."""

LEAST_SIGMAS: Final[dict[Watched, float]] = {"tail": 2.0}
"""What few golden rows have a value of is known so badly that one standard error is too little to allow for."""

AllowanceOf = Callable[[Watched], Allowance]


@dataclass(frozen=True, slots=True)
class Draft:
    """A baseline whose quantities are named but not yet fitted, and the golden rows' values of them.

    Attributes:
        outline: everything but cells and gate.
        values: float32 (quantities, rows).
        golden: the rows.
        inherited: by name, quantities taken over from an earlier version.
    """

    outline: Baseline
    values: NDArray[np.float32]
    golden: Golden
    inherited: dict[str, Quantity]

    def fits(self, window: int) -> list[Fit]:
        """Returns every quantity that enough rows have a value of, fitted.

        Args:
            window: a window that the sample counted callers in.
        """
        ground = ground_of(self.golden, self.outline.season, window)
        found: list[Fit | None] = []
        for outline, column in zip(self.outline.quantities, self.values, strict=True):
            if outline.name in self.inherited:
                known = msgspec.structs.replace(self.inherited[outline.name], feature=outline.feature)
                found.append(Fit(known, known, 1.0))
            else:
                found.append(fitted(outline, column, ground))
        return [fit for fit in found if fit is not None]

    def baseline(self, fits: list[Fit], allowance_of: AllowanceOf, window: int) -> Baseline:
        """Returns the baseline, not gated.

        Args:
            fits: its quantities.
            allowance_of: how careful to be with quantities that watch this.
            window: the one they were fitted with.
        """
        quantities = tuple(fit.under(_careful(fit.plain.watches, allowance_of)) for fit in fits)
        return msgspec.structs.replace(self.outline, quantities=quantities, window=window)


def _careful(watches: Watched, allowance_of: AllowanceOf) -> Allowance:
    allowance = allowance_of(watches)
    return replace(allowance, sigmas=max(allowance.sigmas, LEAST_SIGMAS.get(watches, 1.0)))


def drafted(golden: Golden, zone: str, origin: str, inherits: Baseline | None = None) -> Draft:
    """Returns the draft of a baseline on these rows.

    Args:
        golden: the rows.
        zone: IANA time zone of the people behind the model.
        origin: one line: where the rows came from.
        inherits: baseline of an earlier version, whose season, features' cells, envelope, joint and rates are taken over.

    Raises:
        ConfigError: there is nothing to watch in the rows.
    """
    rows = golden.rows
    season = choose_season(rows.ts, zone) if inherits is None else inherits.season
    features, inherited = rows.features, _inherited(inherits)
    if inherits is not None and set(inherits.features) == set(features):
        features = inherits.features
        envelope, references, taught = inherits.envelope, inherits.references, np.zeros(len(rows), np.bool_)
    else:
        inherited = {name: known for name, known in inherited.items() if known.watches in ("feature", "missing")}
        envelope, references, taught = _envelope(golden)
    joint = inherits.joint if inherits is not None and envelope is inherits.envelope else None
    joint = joint or _joint(features, rows, envelope)
    boundary = decision_boundary(rows.confidence, label_codes(rows))
    outline = Baseline(
        format=FORMAT,
        model=rows.model,
        features=features,
        first_ts=int(rows.ts[0]),
        last_ts=int(rows.ts[-1]),
        rows=round(len(rows) / golden.share),
        callers=golden.callers,
        window=WINDOW,
        season=season,
        quantities=_outlines(features, envelope is not None, joint),
        labels=_labels(golden),
        rates=golden.rates if inherits is None else inherits.rates or golden.rates,
        boundary=boundary,
        near=_near(rows.confidence, boundary),
        envelope=envelope,
        references=references,
        gate=(),
        inherits="" if inherits is None else hash_of(inherits),
        origin=origin,
        joint=joint,
    )
    values = columns(outline, rows)
    for column, quantity in zip(values, outline.quantities, strict=True):
        if quantity.watches in ("envelope", "tail"):
            column[taught] = np.nan
    if np.isnan(values).all():
        raise ConfigError(f"golden sample of {rows.model}: features, confidence, latency or labels needed; found none")
    return Draft(outline, values, golden, inherited)


def decision_boundary(confidence: NDArray[np.float32], codes: NDArray[np.float32]) -> float:
    """Returns the confidence at which the decision flips, NaN when labels do not tell.

    Where one class lies below some confidence and the others above, as with a score, that confidence; where confidence is
    of the class decided for, whichever it is, the lowest: there the decision was closest to another.

    Args:
        confidence: float32 (rows,), NaN where unknown.
        codes: float32 (rows,), predicted classes, NaN where unknown.
    """
    known = ~(np.isnan(confidence) | np.isnan(codes))
    confidence, codes = confidence[known], codes[known]
    classes, counts = np.unique(codes, return_counts=True)
    if len(classes) < 2:
        return float("nan")
    order = np.argsort(confidence, kind="stable")
    ordered = confidence[order]
    usual = (codes == classes[np.argmax(counts)])[order]
    below = np.concatenate(([0], np.cumsum(usual)))
    right = below + (len(usual) - np.arange(len(usual) + 1)) - (below[-1] - below)
    for hits in (right, len(usual) - right):  # the usual class below the flip, or above it
        cut = int(np.argmax(hits))
        wrong, rare = len(usual) - int(hits[cut]), len(usual) - int(counts.max())
        if 0 < cut < len(usual) and wrong <= (1.0 - FLIP_PURITY) * min(rare, len(usual) - rare):
            return float((ordered[cut - 1] + ordered[cut]) / 2)
    return float(ordered[0])


def _near(confidence: NDArray[np.float32], boundary: float) -> float:
    """Returns how far from the boundary the nearest NEAR_SHARE of the golden rows lie, NaN without one."""
    distance = np.abs(confidence[~np.isnan(confidence)] - np.float32(boundary))
    return float("nan") if np.isnan(boundary) else float(np.quantile(distance, NEAR_SHARE))


def _envelope(golden: Golden) -> tuple[loda.Loda | None, bytes, NDArray[np.bool_]]:
    """Returns the envelope, its references, and which rows it was built from: every second caller's, or stretch."""
    rows = golden.rows
    if not rows.features:
        return None, b"", np.zeros(len(rows), np.bool_)
    odd = (rows.hash >> np.uint64(32) & np.uint64(1)).astype(np.bool_)
    if not 0.25 < odd.mean() < 0.75:
        odd = np.arange(len(rows)) // 256 % 2 == 1
    built, references = build_loda(rows.values[:, odd], rows.features, SEED)
    return built, references, odd


def _joint(features: tuple[str, ...], rows: Rows, envelope: loda.Loda | None) -> Joint | None:
    """Returns what is watched together, None when nothing is, or when so many features leave no room in counts for more."""
    if envelope is None or 2 * len(features) + OTHERS + MOST_JOINT > MOST_QUANTITIES:
        return None
    return build_joint(features_of(features, rows), features, standard_of(envelope.scales), SEED)


def _outlines(features: tuple[str, ...], envelope: bool, joint: Joint | None) -> tuple[Quantity, ...]:
    room = MOST_QUANTITIES - OTHERS  # wider records are watched whole by the envelope, and feature by feature as far as it goes
    wanted: list[tuple[Watched, int, str]] = [("feature", index, name) for index, name in enumerate(features[:room])]
    wanted += [("missing", index, name) for index, name in enumerate(features[: max(room - len(features), 0)])]
    wanted += [("confidence", -1, ""), ("margin", -1, ""), ("latency", -1, ""), ("label", -1, "")]
    wanted += [("envelope", -1, ""), ("tail", -1, "")] if envelope else []
    if joint is not None:
        mixes = len(signs_of(joint, len(features)))
        pairs = [f"{features[pair.first]} {sign} {features[pair.second]}" for pair in joint.pairs for sign in "+-"]
        wanted += [("projection", place, str(place + 1)) for place in range(mixes)]
        wanted += [("pair", mixes + place, name) for place, name in enumerate(pairs)]
    return tuple(
        Quantity(WORDS[watches].format(word), watches, index, b"", b"", b"", 0.0, b"", b"") for watches, index, word in wanted
    )


def _labels(golden: Golden) -> tuple[tuple[str, float], ...]:
    counts = np.bincount(golden.rows.label, minlength=len(golden.rows.labels))
    shares = [(name, count / len(golden.rows)) for name, count in zip(golden.rows.labels, counts.tolist(), strict=True) if name]
    return tuple(sorted(shares, key=lambda share: (-share[1], share[0]))[:MOST_LABELS])


def ground_of(golden: Golden, season: Season, window: int) -> Ground:
    """Returns what fitting needs to know of golden rows whatever the quantity."""
    rows = golden.rows
    return Ground(
        bucket=bucket_of(season, rows.ts),
        buckets=season.buckets,
        day=day_of(season.zone, rows.ts),
        rank=golden.ranks[window],
        group=rows.hash ^ (golden.windows[window].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)),
        harmless=_harmless(golden.callers),
    )


def _harmless(callers: int) -> float:
    if callers == 1:
        return float("inf")
    return 1.0 if callers >= MANY_CALLERS else MILD


def _inherited(inherits: Baseline | None) -> dict[str, Quantity]:
    """Returns what is taken over from another version: what the traffic brings, not what the model answers."""
    if inherits is None:
        return {}
    return {quantity.name: quantity for quantity in inherits.quantities if quantity.watches in _OF_TRAFFIC}


_OF_TRAFFIC: Final = ("feature", "missing", "envelope", "tail", "pair", "projection")

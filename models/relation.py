"""Relation: what an alarm about several features says to people: which ones, and what became of how they go together.

A pair's correlation is read off the cells of its sum and its difference: of standardised features, r = (S² - D²) / (S² + D²),
with S and D their spreads between the quantiles .16 and .84. So it was in the golden traffic and so it is lately, by the same
arithmetic; a category's scores are chosen such that it is positive.

A mix names nobody. But a feature that has fallen out with others is in the mixes that have much evidence and not in the rest:
it is blamed by how far the mean log evidence with it is above that without it, in standard errors (Welch 1947).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.baseline import CELLS, Baseline, Quantity, floats
from models.experts import EXPERTS
from models.joint import Joint, Pair, signs_of
from models.shiryaev_roberts import Alarm
from tocsin.reading import Evidence

ENDS: Final = (0.16, 0.84)
NOTABLE: Final = 0.2
"""Correlations, and differences between them, that there are words for."""
ERRORS: Final = 3.0
"""Over the root of the recent rows, a correlation below which it may as well be none."""
BLAMED: Final = 3
LEAST: Final = 1e-30
MIX: Final = "mix of inputs"

Floats = NDArray[np.float64]


def told(baseline: Baseline, index: int) -> str:
    """Returns what a reading calls the quantity: a pair's sum and difference are one matter, and so are all mixes."""
    quantity = baseline.quantities[index]
    if quantity.watches == "projection":
        return MIX
    return " & ".join(_names(baseline, quantity)) if quantity.watches == "pair" else quantity.name


def relation(baseline: Baseline, alarm: Alarm, watched: list[int], bucket: int) -> Evidence:
    """Returns the features that an alarm of a pair or a mix is about, and a sentence about them.

    Args:
        baseline: the reference.
        alarm: of the bank.
        watched: the bank's quantities, in the order of what the alarm holds of all of them.
        bucket: season bucket.
    """
    quantity = baseline.quantities[alarm.quantity]
    if quantity.watches == "pair":
        return _of_pair(baseline, alarm, watched, bucket)
    blamed = _blamed(baseline, alarm, watched)
    names = blamed if len(blamed) > 1 else _names(baseline, quantity)[:BLAMED]
    inputs = f"{', '.join(names[:-1])} and {names[-1]}"
    says = f"{inputs} and perhaps others relate to each other in another way than before"
    return {"inputs": inputs, "relation": says}


def _of_pair(baseline: Baseline, alarm: Alarm, watched: list[int], bucket: int) -> Evidence:
    quantity = baseline.quantities[alarm.quantity]
    pair, number = _pair(baseline, quantity)
    names = _names(baseline, quantity)
    found: Evidence = {"inputs": " and ".join(names)}
    spreads: dict[int, tuple[float, float]] = {}
    for at, index in enumerate(watched):
        other = baseline.quantities[index]
        if other.watches == "pair" and _pair(baseline, other)[1] // 2 == number // 2:
            spreads[_pair(baseline, other)[1] % 2] = _spreads(other, bucket, alarm.all_recent[at])
    was = now = 0.0
    sure = max(NOTABLE, ERRORS / float(np.sqrt(max(alarm.recent.sum(), 1.0))))
    if len(spreads) == 2:
        was, now = (_correlation(spreads[0][when], spreads[1][when]) for when in (0, 1))
        found |= {"golden_correlation": round(was, 2), "recent_correlation": round(now, 2)}
    leftover = number % 2 == (0 if was < 0 else 1)  # what one is when the other is allowed for
    direction = EXPERTS[alarm.expert].direction if leftover else ""
    return found | {"relation": _words(pair, names, was, now, sure) or _shifted(pair, names, direction)}


def _words(pair: Pair, names: list[str], was: float, now: float, sure: float) -> str:
    """Returns what became of a correlation, "" when it is about what it was; it is none while it is not `sure`."""
    both = " and ".join(names)
    if was * now < 0 and abs(was) >= NOTABLE and abs(now) >= sure:
        if pair.scores != (None, None):
            return f"{both} go together the other way round"
        return f"{both} now move {'against each other' if now < 0 else 'together'}, the other way round than before"
    if abs(now) <= abs(was) - NOTABLE:
        return f"{both} no longer go together" if abs(now) < sure or was * now < 0 else f"{both} go together less than before"
    if abs(now) >= abs(was) + NOTABLE:
        return f"{both} now go together" if abs(was) < NOTABLE else f"{both} go together more than before"
    return ""


def _shifted(pair: Pair, names: list[str], direction: str) -> str:
    """Returns which way one feature moved against the other, where it did."""
    one, other = names
    higher = {"up": True, "down": False}.get(direction)
    if higher is None:
        return f"{one} and {other} relate to each other in another way than before"
    if pair.scores[0] is not None:  # the number is what is taken off
        one, other, higher = other, one, not higher
    return f"{one} is {'higher' if higher else 'lower'} for its {other} than before"


def _blamed(baseline: Baseline, alarm: Alarm, watched: list[int]) -> list[str]:
    """Returns the features that are in mixes with much evidence rather than in others, worst first."""
    mixes = [(at, baseline.quantities[index].feature) for at, index in enumerate(watched) if _is_mix(baseline, index)]
    if baseline.joint is None or len(mixes) < 3:
        return []
    logs = np.log(np.maximum(alarm.means[[at for at, _ in mixes]], LEAST))
    inside = signs_of(baseline.joint, len(baseline.features))[[mix for _, mix in mixes]] != 0
    blame = [(_welch(logs[mine], logs[~mine]), feature) for feature, mine in enumerate(inside.T)]
    worst = sorted((-much, feature) for much, feature in blame if much > 1.0)
    return [_plain(baseline.features[feature]) for _, feature in worst[:BLAMED]]


def _welch(mine: Floats, others: Floats) -> float:
    if len(mine) < 2 or len(others) < 2:
        return 0.0
    error = mine.var(ddof=1) / len(mine) + others.var(ddof=1) / len(others)
    return float((mine.mean() - others.mean()) / np.sqrt(error)) if error > 0 else 0.0


def _correlation(of_sum: float, of_difference: float) -> float:
    squares = of_sum**2 + of_difference**2
    return (of_sum**2 - of_difference**2) / squares if squares > 0 else 0.0


def _spreads(quantity: Quantity, bucket: int, recent: Floats) -> tuple[float, float]:
    """Returns how far the golden and the recent values spread, between the quantiles of ENDS."""
    edges = floats(quantity.edges, -1, CELLS - 1)[bucket]
    real = edges[np.isfinite(edges)]
    masses = floats(quantity.masses, -1, CELLS, dtype="<f8")[bucket]
    if not len(real):
        return 0.0, 0.0
    shares = (masses, recent / max(float(recent.sum()), 1e-9))
    was, now = (np.diff(np.interp(ENDS, np.cumsum(of_cells)[: len(real)], real))[0] for of_cells in shares)
    return float(was), float(now)


def _pair(baseline: Baseline, quantity: Quantity) -> tuple[Pair, int]:
    """Returns the pair, and twice its number for the sum, plus 1 for the difference."""
    joint = baseline.joint or Joint((), b"")
    number = quantity.feature - len(signs_of(joint, len(baseline.features)))
    return joint.pairs[number // 2], number


def _is_mix(baseline: Baseline, index: int) -> bool:
    return baseline.quantities[index].watches == "projection"


def _names(baseline: Baseline, quantity: Quantity) -> list[str]:
    members = baseline.joint.members(quantity.feature, len(baseline.features)) if baseline.joint is not None else ()
    return [_plain(baseline.features[feature]) for feature in members]


def _plain(feature: str) -> str:
    return feature.removeprefix("=")

"""Experts: bets on how a quantity has changed, written on its golden distribution.

Theory. Let u be a value's place in the golden distribution, in (0, 1). If nothing has changed, u is uniform, and any f ≥ 0
with mean 1 over (0, 1) is a fair bet: its pay-off multiplies a stake that grows only if the bet was right. One expert is
one such f; a detector holds a stake with each. Four families see what goes wrong with numbers:

    mean      1 + a (2u - 1)             values move up or down
    spread    1 + a (6u² - 6u + 1)       values spread out to both ends, or crowd into the middle
    part      (1 - ε) + 16 ε in one 16th  a share ε of all rows lands in one part of the range: a mixture, an attack's rows
    end       (1 - ε) + 64 ε in one 64th  the same at either end, where values never seen before go as well

A pay-off is never 0, so no row kills a stake, and at most 33, so none makes an alarm alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Direction = Literal["up", "down", "wider", "narrower", "bin", "top", "bottom"]
CELLS: Final = 64
"""Equal parts of (0, 1) over which pay-offs are constant."""
PARTS: Final = 16

TILTS: Final = (0.1, 0.25, 0.45, 0.65, 0.85, 0.97)
WIDER: Final = (0.3, 0.7, 1.2, 1.8)
NARROWER: Final = (0.25, 0.5, 0.75, 0.95)
PART_SHARES: Final = (0.03, 0.1, 0.3)
END_SHARES: Final = (0.02, 0.06, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Expert:
    """One bet.

    Attributes:
        name: for people.
        direction: what it bets on.
    """

    name: str
    direction: Direction


def _centres() -> NDArray[np.float64]:
    return (np.arange(CELLS) + 0.5) / CELLS


def _mean(tilt: float) -> NDArray[np.float64]:
    return 1.0 + tilt * (2.0 * _centres() - 1.0)


def _spread(bend: float) -> NDArray[np.float64]:
    u = _centres()
    squares = u * u + 1.0 / (12.0 * CELLS * CELLS)  # the mean of u² over a cell
    return 1.0 + bend * (6.0 * squares - 6.0 * u + 1.0)


def _share(first: int, cells: int, share: float) -> NDArray[np.float64]:
    pay_off = np.full(CELLS, 1.0 - share)
    pay_off[first : first + cells] += share * CELLS / cells
    return pay_off


def _all() -> list[tuple[str, Direction, NDArray[np.float64]]]:
    """Returns every expert: name, direction, pay-off per cell."""
    found: list[tuple[str, Direction, NDArray[np.float64]]] = []
    found += [(f"mean up, tilt {tilt}", "up", _mean(tilt)) for tilt in TILTS]
    found += [(f"mean down, tilt {tilt}", "down", _mean(-tilt)) for tilt in TILTS]
    found += [(f"spread wider, bend {bend}", "wider", _spread(bend)) for bend in WIDER]
    found += [(f"spread narrower, bend {bend}", "narrower", _spread(-bend)) for bend in NARROWER]
    wide = CELLS // PARTS
    for part in range(PARTS):
        where = f"between golden quantiles {part / PARTS:.4g} and {(part + 1) / PARTS:.4g}"
        found += [(f"{share:.0%} more {where}", "bin", _share(part * wide, wide, share)) for share in PART_SHARES]
    found += [(f"{share:.0%} more above golden quantile 0.984", "top", _share(CELLS - 1, 1, share)) for share in END_SHARES]
    found += [(f"{share:.0%} more below golden quantile 0.016", "bottom", _share(0, 1, share)) for share in END_SHARES]
    return found


EXPERTS: Final[tuple[Expert, ...]] = tuple(Expert(name, direction) for name, direction, _ in _all())
"""In the order of `PAYOFFS`' columns; part of the baseline's format."""
NAMES: Final[tuple[str, ...]] = tuple(expert.name for expert in EXPERTS)
PAYOFFS: Final[NDArray[np.float64]] = np.stack([pay_off for _, _, pay_off in _all()], axis=1)
"""(CELLS, experts): each > 0, each column's mean 1. Read only."""
PAYOFFS.setflags(write=False)

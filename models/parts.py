"""Parts: what detectors keep in a baseline besides the cells of its quantities. One literal table.

A part is fitted to golden rows once, when the baseline is built, and comes with the replay gate's word: whether its detector
raised no more than it may on golden traffic that it was not fitted to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from models import (
    boundary_probe,
    cell_tables_fit,
    collusion,
    evenness_fit,
    fingerprints_fit,
    margins_fit,
    membership_probe,
    newcomer_cohort,
    paths_fit,
    query_path,
)
from models.baseline import Baseline, Gate
from models.golden_sample import Golden

Fit = Callable[[Golden, Baseline, float], tuple[Any, Gate]]
"""(golden rows, the baseline so far, false alerts a month that may be raised) → (the part, None when there cannot be one;
whether its detector may be armed)."""


class Part(NamedTuple):
    """One row of `PARTS`.

    Attributes:
        field: of `Baseline` that holds it.
        detector: id in `models.registry.DETECTORS`.
        fit: makes it.
    """

    field: str
    detector: str
    fit: Fit


PARTS: Final[tuple[Part, ...]] = (
    Part("paths", query_path.ID, paths_fit.fit),
    Part("cells", collusion.ID, cell_tables_fit.fit),
    Part("evenness", newcomer_cohort.ID, evenness_fit.fit),
    Part("margins", boundary_probe.ID, margins_fit.fit),
    Part("fingerprints", membership_probe.ID, fingerprints_fit.fit),
)
"""Every part, in the order in which they are fitted: a later one may read an earlier one from the baseline."""


def with_parts(baseline: Baseline, golden: Golden, budgets: dict[str, float], parts: tuple[Part, ...] = PARTS) -> Baseline:
    """Returns the baseline with all parts and their gates.

    Args:
        baseline: its quantities fitted.
        golden: all golden rows.
        budgets: detector → false alerts a month that it may raise.
        parts: to fit.
    """
    for part in parts:
        made, gate = part.fit(golden, baseline, budgets[part.detector])
        before = tuple(one for one in baseline.gate if one.detector != part.detector)  # what it has heard, and speaks for too
        fields: dict[str, Any] = {part.field: made, "gate": (*before, gate)}
        baseline = msgspec.structs.replace(baseline, **fields)
    return baseline

"""What a finding says of a crowd: who is in it, how alike their rows are, how many would have been usual."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.collusion_scout import ID, VERSION
from models.crowd_scan import HOT, CrowdScan
from models.templates import in_doubt, spread
from tocsin.reading import Evidence, Reading

CROWD: Final = "crowded cells"
TEMPLATE: Final = "shared template"
SEARCH: Final = "low margin"
"""What may fire."""
NAMED: Final = 20
"""Callers that a finding names, by hash: triage alone may show ids."""
SHOWN: Final = 5
"""Rows that it points at."""


class Crossing(NamedTuple):
    """Where a statistic crossed.

    Attributes:
        row: number among the rows that the scan remembers.
        statistic: there.
        threshold: what it crossed.
    """

    row: int
    statistic: float
    threshold: float


def reading_of(scan: CrowdScan, which: NDArray[np.bool_], signal: str, crossing: Crossing, model: str) -> Reading:
    """Returns what to say of these remembered rows.

    Args:
        scan: that remembers them.
        which: of its rows.
        signal: what fired.
        crossing: where.
        model: on which.
    """
    rows, (row, statistic, threshold) = scan.rows, crossing
    callers, mine = scan.callers(which), rows[which]
    span = int(rows["number"][-1]) - int(mine["number"][0]) + 1
    evidence: Evidence = {
        "signal": signal,
        "distinct_callers": len(callers),
        "members": ", ".join(f"{caller.hash:016x}" for caller in callers[:NAMED]),
        "rows": len(mine),
        "share_of_traffic" if not mine["near"][0] else "share_near_boundary": round(len(mine) / max(span, 1), 4),
        "expected_in_cell": round(float(scan.expected(row)[HOT]), 3),
        "label_mix": round(in_doubt(mine), 3),
        "spread": round(spread(mine), 3),
        "distinct_records": len(np.unique(mine["content"], axis=0)),
    }
    ts, shown = int(rows["ts"][row]), np.flatnonzero(which)[-SHOWN:]
    return Reading(
        detector=ID,
        version=VERSION,
        model=model,
        watches="inputs",
        caller=None,
        at=scan.coordinates(row),
        ts=ts,
        onset_ts=min(int(mine["ts"].min()), ts),
        statistic=statistic,
        threshold=threshold,
        count=len(mine),
        evidence=evidence,
        examples=tuple(scan.coordinates(one) for one in shown.tolist()),
    )

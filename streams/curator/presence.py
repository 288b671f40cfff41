"""Presence: which fields a model's events carry, so that coverage can say which detectors are blind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tocsin.rows import Rows

RECENT: Final = 20_000
"""Rows after which older ones count half."""


@dataclass(slots=True)
class Presence:
    """One model's recent events.

    Attributes:
        rows: all there ever were.
        last_ts: latest event time, Unix milliseconds.
        recent: rows that `missing` is about.
        missing: column as in `models.detector.Entry.needs`, or `feature NAME` → how many of those lack it.
    """

    rows: int = 0
    last_ts: int = 0
    recent: float = 0.0
    missing: dict[str, float] = field(default_factory=dict)

    def add(self, rows: Rows) -> None:
        """Looks at some rows."""
        if self.recent >= RECENT:
            self.recent /= 2
            self.missing = {name: count / 2 for name, count in self.missing.items()}
        known = np.array([id_kind != "unknown" for _, id_kind in rows.callers] or [False])
        absent = {
            "caller": len(rows) - int(known[rows.caller].sum()),
            "confidence": int(np.isnan(rows.confidence).sum()),
            "latency_ms": int(np.isnan(rows.latency_ms).sum()),
            "status": int((rows.status == 0).sum()),
            "features": len(rows) if not len(rows.features) else int(np.isnan(rows.values).all(axis=0).sum()),
        }
        absent |= {
            f"feature {name.removeprefix('=')}": int(lost)
            for name, lost in zip(rows.features, np.isnan(rows.values).sum(axis=1), strict=True)
        }
        self.rows += len(rows)
        self.recent += len(rows)
        self.last_ts = max(self.last_ts, int(rows.ts.max()))
        for name, count in absent.items():
            self.missing[name] = self.missing.get(name, 0.0) + count

    def shares(self) -> dict[str, float]:
        """Returns column → share of recent rows that lack it, in [0, 1], rounded to a thousandth; only what is lacking."""
        found = {name: round(count / self.recent, 3) for name, count in sorted(self.missing.items())} if self.recent else {}
        return {name: share for name, share in found.items() if share > 0}

"""ADWIN: the mean of a quantity changed against its own recent past (River's ADWIN).

Theory. ADWIN (Bifet and Gavaldà 2007, SIAM Data Mining) keeps a window as long as its parts agree and drops the old part
when the means of two parts differ by more than chance allows at level delta, checked every 32 values. delta is the alert
budget spread over all checks of a month, so it is small; the bound wants independent values, which sessions are not:
advisory. The reference moves with the stream: what an attacker can feed, an attacker can train.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec
from river import drift

from models.river_state import RIVER, adwin_bytes, decoded, feed_adwin, restore_adwin
from models.sampling import Marks, Sampler
from models.watched import WATCHED, in_row_order, in_units, model_reading, watched
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Evidence, Reading
from tocsin.rows import Rows

ID = "adwin"
VERSION = 1
PER_MINUTE = 1_200
CHECK_EVERY = 32
MONTH_MIN = 43_200.0


class _Past(msgspec.Struct, array_like=True):
    """What one window was fed since it last began anew."""

    marks: Marks
    total: float = 0.0
    squares: float = 0.0

    def extend(self, ts: list[int], values: list[float]) -> None:
        """Takes note of values and of when they came."""
        self.marks.extend(ts)
        total, squares = self.total, self.squares
        for value in values:  # in order: a sum must not depend on how rows were cut
            total += value
            squares += value * value
        self.total, self.squares = total, squares


class _Dump(msgspec.Struct, array_like=True):
    river: str
    sampler: Sampler
    windows: dict[str, tuple[bytes, bool]]
    pasts: dict[str, _Past]


@dataclass(slots=True)
class Adwin:
    """One model's confidence, latency and error rate on one shard.

    Attributes:
        alerts_per_month: false alarms that may be raised on the model, over all shards.
        shards: how many share them.
        sampler: which rows are read.
        windows: quantity → River's detector.
        pasts: quantity → what its window was fed, for the mean before a change.
    """

    alerts_per_month: float = 1.0
    shards: int = 1
    sampler: Sampler = field(default_factory=lambda: Sampler(PER_MINUTE))
    windows: dict[str, drift.ADWIN] = field(default_factory=dict)
    pasts: dict[str, _Past] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Starts cold."""
        self.windows = {name: drift.ADWIN(delta=self.delta, clock=CHECK_EVERY) for name in WATCHED}
        self.pasts = {name: _Past(Marks([])) for name in WATCHED}

    @property
    def delta(self) -> float:
        """Returns the level of one check, so that a month of them at full pace spends the budget."""
        checks = MONTH_MIN * 2 * PER_MINUTE / CHECK_EVERY * len(WATCHED) * self.shards
        return self.alerts_per_month / checks

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns one reading per quantity and change."""
        found: list[tuple[int, Reading]] = []
        for name, series in watched(rows, self.sampler.pick(rows.ts)).items():
            while series.values:
                fed = feed_adwin(self.windows[name], series.values)
                self.pasts[name].extend(series.ts[:fed], series.values[:fed])
                if self.windows[name].drift_detected:
                    row = series.rows[fed - 1]
                    found.append((row, self._reading(rows, row, name)))
                    self.pasts[name] = _Past(Marks([]))
                series = series.after(fed)
        return in_row_order(found)

    def _reading(self, rows: Rows, row: int, name: str) -> Reading:
        window, past = self.windows[name], self.pasts[name]
        kept, after, fed = int(window.width), float(window.estimation), past.marks.count
        dropped = max(fed - kept, 1)
        before = (past.total - kept * after) / dropped
        cut = self._cut(1 / kept + 1 / dropped, fed, past.squares / fed - (past.total / fed) ** 2)
        evidence: Evidence = {
            "mean_before": round(in_units(name, before), 4),
            "mean_after": round(in_units(name, after), 4),
            "values_before": dropped,
            "values_after": kept,
        }
        moved = abs(after - before)
        numbers = (moved, min(cut, moved), kept, past.marks.began(kept))
        return model_reading(rows, row, (ID, VERSION), name, numbers, evidence)

    def _cut(self, recip: float, fed: int, variance: float) -> float:
        """Returns the difference of means that chance may make (Theorem 3.1 of the paper, its normal approximation)."""
        level = math.log(2.0 * math.log(fed) / self.delta)
        return math.sqrt(2.0 * recip * max(variance, 0.0) * level) + 2.0 / 3.0 * recip * level

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time."""

    def dump(self) -> bytes:
        """Returns River's own bytes, with River's version."""
        windows = {name: adwin_bytes(window) for name, window in self.windows.items()}
        return pack(_Dump(RIVER, self.sampler, windows, self.pasts))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: the bytes are no state of this version, or another River wrote them.
        """
        dump = decoded(data, _Dump, ID)
        windows = {name: drift.ADWIN(delta=self.delta, clock=CHECK_EVERY) for name in WATCHED}
        if dump.windows.keys() != windows.keys():
            raise StateError(f"{ID}: {sorted(windows)} expected, {sorted(dump.windows)} found")
        for name, (inside, flagged) in dump.windows.items():
            restore_adwin(windows[name], inside, flagged)
        self.sampler, self.windows, self.pasts = dump.sampler, windows, dump.pasts

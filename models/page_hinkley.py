"""Page-Hinkley: the mean of a quantity moved away from its long-run mean and stays away (River's PageHinkley).

Theory. Page's cumulative sum (Page 1954, Biometrika 41) against the running mean, in both directions: what deviates by more
than DELTA adds up, what does not is forgotten. Values are standardised by their first SCALE_FROM, for the test has the
scale of its input. A sum of independent values of unit variance crosses h by chance about once in exp(2·DELTA·h)/(2·DELTA²)
values, which gives h from the alert budget; sessions repeat themselves, so h is wider by DISPERSION: advisory. The
reference moves with the stream: what an attacker can feed, an attacker can train.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec
from river import drift

from models.river_state import (
    RIVER,
    PageHinkleyNumbers,
    decoded,
    feed_page_hinkley,
    page_hinkley_numbers,
    restore_page_hinkley,
)
from models.sampling import Marks, Sampler
from models.watched import SMALLEST_SD, WATCHED, in_row_order, in_units, model_reading, watched
from tocsin.clock import Clock
from tocsin.codec import pack
from tocsin.errors import StateError
from tocsin.reading import Evidence, Reading
from tocsin.rows import Rows

ID = "page_hinkley"
VERSION = 1
PER_MINUTE = 1_200
MONTH_MIN = 43_200.0
SCALE_FROM = 1_000
DELTA = 0.25
DISPERSION = 8.0
CLIP = 10.0


class Scale(msgspec.Struct, array_like=True):
    """How one quantity is standardised, fixed after its first SCALE_FROM values.

    Attributes:
        count: values seen.
        mean: their mean.
        square: sum of their squared deviations (Welford 1962, Technometrics 4).
    """

    count: int = 0
    mean: float = 0.0
    square: float = 0.0

    def learn(self, values: list[float]) -> int:
        """Returns how many of the values, the first ones, were taken in."""
        taken = values[: SCALE_FROM - self.count]
        for value in taken:
            self.count += 1
            step = value - self.mean
            self.mean += step / self.count
            self.square += step * (value - self.mean)
        return len(taken)

    def sd(self, smallest: float) -> float:
        """Returns the standard deviation, at least `smallest`."""
        return max(math.sqrt(self.square / max(self.count - 1, 1)), smallest)

    def standardised(self, values: list[float], smallest: float) -> list[float]:
        """Returns the values in standard deviations from the mean, within ±CLIP."""
        mean, sd = self.mean, self.sd(smallest)
        standard = [(value - mean) / sd for value in values]
        if max(standard, default=0.0) <= CLIP and min(standard, default=0.0) >= -CLIP:
            return standard
        return [min(max(value, -CLIP), CLIP) for value in standard]


class _Dump(msgspec.Struct, array_like=True):
    river: str
    sampler: Sampler
    scales: dict[str, Scale]
    marks: dict[str, Marks]
    tests: dict[str, PageHinkleyNumbers]


@dataclass(slots=True)
class PageHinkley:
    """One model's confidence, latency and error rate on one shard.

    Attributes:
        alerts_per_month: false alarms that may be raised on the model, over all shards.
        shards: how many share them.
        sampler: which rows are read.
        scales: quantity → how it is standardised.
        marks: quantity → when its values came.
        tests: quantity → River's detector.
    """

    alerts_per_month: float = 1.0
    shards: int = 1
    sampler: Sampler = field(default_factory=lambda: Sampler(PER_MINUTE))
    scales: dict[str, Scale] = field(default_factory=lambda: {name: Scale() for name in WATCHED})
    marks: dict[str, Marks] = field(default_factory=lambda: {name: Marks([]) for name in WATCHED})
    tests: dict[str, drift.PageHinkley] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Starts cold."""
        self.tests = {name: self._test() for name in WATCHED}

    @property
    def threshold(self) -> float:
        """Returns h, in standard deviations."""
        values = MONTH_MIN * 2 * PER_MINUTE * len(WATCHED) * self.shards / self.alerts_per_month
        return DISPERSION * math.log(2.0 * DELTA**2 * values) / (2.0 * DELTA)

    def _test(self) -> drift.PageHinkley:
        return drift.PageHinkley(min_instances=SCALE_FROM, delta=DELTA, threshold=self.threshold, alpha=1.0)

    def observe(self, rows: Rows, clock: Clock) -> list[Reading]:
        """Returns one reading per quantity and change."""
        found: list[tuple[int, Reading]] = []
        for name, series in watched(rows, self.sampler.pick(rows.ts)).items():
            scale, test = self.scales[name], self.tests[name]
            series = series.after(scale.learn(series.values)) if scale.count < SCALE_FROM else series
            while series.values:
                standard = scale.standardised(series.values, SMALLEST_SD[name])
                fed = feed_page_hinkley(test, standard)
                self.marks[name].extend(series.ts[:fed])
                if test.drift_detected:
                    row = series.rows[fed - 1]
                    found.append((row, self._reading(rows, row, name, standard[fed - 1])))
                series = series.after(fed)
        return in_row_order(found)

    def _reading(self, rows: Rows, row: int, name: str, value: float) -> Reading:
        numbers, scale = page_hinkley_numbers(self.tests[name]), self.scales[name]
        rise, fall = numbers.up - numbers.lowest, numbers.highest - numbers.down
        sd = scale.sd(SMALLEST_SD[name])
        evidence: Evidence = {
            "direction": "up" if rise > fall else "down",
            "mean_before": round(in_units(name, scale.mean + sd * numbers.mean), 4),
            "value": round(in_units(name, scale.mean + sd * value), 4),
            "values_seen": int(numbers.count),
        }
        # A sum of h means about h values one standard deviation off: the shortest past that explains the crossing well.
        onset_ts = self.marks[name].began(min(round(self.threshold), int(numbers.count)))
        crossed = (max(rise, fall), self.threshold, int(numbers.count), onset_ts)
        return model_reading(rows, row, (ID, VERSION), name, crossed, evidence)

    def tick(self, clock: Clock) -> None:
        """Ignores ledger time."""

    def dump(self) -> bytes:
        """Returns River's numbers, with River's version."""
        tests = {name: page_hinkley_numbers(test) for name, test in self.tests.items()}
        return pack(_Dump(RIVER, self.sampler, self.scales, self.marks, tests))

    def load(self, data: bytes) -> None:
        """Replaces the state.

        Raises:
            StateError: the bytes are no state of this version, or another River wrote them.
        """
        dump = decoded(data, _Dump, ID)
        tests = {name: self._test() for name in WATCHED}
        if dump.tests.keys() != tests.keys():
            raise StateError(f"{ID}: {sorted(tests)} expected, {sorted(dump.tests)} found")
        for name, numbers in dump.tests.items():
            restore_page_hinkley(tests[name], numbers)
        self.sampler, self.scales, self.marks, self.tests = dump.sampler, dump.scales, dump.marks, tests

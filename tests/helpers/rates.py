"""Baselines that know nothing but rates, for tests and benchmarks of `probe_rate`."""

from __future__ import annotations

from models.baseline import FORMAT, Baseline, Season
from models.rates import Habits
from tests.helpers.traffic import MODEL, Times, Whos, rows_at

NAN = float("nan")


def rates_of(stream: tuple[Times, Whos]) -> dict[str, float]:
    """Returns what a baseline built on this traffic would say about rates."""
    habits = Habits()
    habits.add(rows_at(*stream))
    return habits.rates()


def baseline_of_rates(rates: dict[str, float]) -> Baseline:
    """Returns a baseline of MODEL with these rates."""
    return Baseline(FORMAT, MODEL, (), 0, 0, 0, 0, 1, Season(), (), (), rates, NAN, NAN, None, b"", ())

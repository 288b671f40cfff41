"""Probe: how many questions somebody can ask who measures a decision threshold, and how often the innocent are taken for one.

`python -m bench.detection probe --json`. A day of 5,000 callers' payments is golden, most of another passes, then one
attacker asks: by bisection or evenly around the threshold, from 1 to 3,000 accounts in turn, as a quarter of the traffic
(3,000 probes in a day against some ten thousand payments), a hundredth or a thousandth of it. What is counted are the
attacker's questions, the far ones too, until a method speaks for the first time. Then months of the same world without an
attacker, a sale and a changed unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Final

import numpy as np

from bench.detection.null import baseline_of
from bench.detection.probe_streams import Attack, How, mixed, ordinary
from bench.detection.probe_watch import METHODS, Tocsin, Watch
from bench.detection.result import Result
from models.baseline import Baseline
from models.shiryaev_roberts import MONTH_S
from tocsin.reading import Reading
from tocsin.rows import Rows

FIRST_SEED: Final = 4_000
SEEDS: Final = 5
RATE: Final = 1.0
"""Payments a second."""
DAY_S: Final = 86_400.0
WARM_S: Final = 72_000.0
SHARES: Final = (0.24, 0.01, 0.001)
ACCOUNTS: Final = (1, 20, 200, 3_000)
HOWS: Final[tuple[How, ...]] = ("homing", "uniform")
PROBES: Final = {0.24: 400, 0.01: 400, 0.001: 160}
"""Asked at most."""
MONTH_RATE: Final = 0.2
NULLS: Final = ("calm", "sale", "unit_change")


def run(quick: bool) -> Iterator[Result]:
    """Yields probes until the first alarm, what the finding says, and what is said when nobody probes."""
    for seed in range(FIRST_SEED, FIRST_SEED + (1 if quick else SEEDS)):
        golden = ordinary(seed, RATE, 0.0, DAY_S / (8 if quick else 1))
        # Without quantities of features, which nothing here reads, it takes seconds.
        baseline = baseline_of(replace(golden, features=(), values=golden.values[:0]))
        watches = {name: make(baseline, golden) for name, make in METHODS.items()}
        before = ordinary(seed, RATE, DAY_S, WARM_S / (8 if quick else 1))
        for name, watch in watches.items():
            yield Result("probe", "calm, most of a day", name, "alarms", len(watch.alarms(before)), seed)
        for share in SHARES[:1] if quick else SHARES:
            yield from _attacked(seed, share, watches)
        yield from _unmolested(seed, baseline, golden, quick)


def _attacked(seed: int, share: float, watches: dict[str, Watch]) -> Iterator[Result]:
    """Yields how soon each method speaks; what it saw before is copied for every attack."""
    seconds = PROBES[share] / share / RATE * 1.05
    calm = ordinary(seed, RATE, DAY_S + WARM_S, seconds)
    for how in HOWS:
        for accounts in ACCOUNTS:
            dataset = f"{how}, {accounts} accounts, {share:.1%}"
            rows, asked = mixed(seed, calm, Attack(how, accounts, share, PROBES[share]), 0)
            for name, watch in watches.items():
                mine = deepcopy(watch)
                first, told = _first(mine, rows)
                needed = PROBES[share] if first is None else max(int(np.searchsorted(asked, first, "right")), 1)
                yield Result("probe", dataset, name, "probes until the alarm", needed, seed)
                yield Result("probe", dataset, name, "found", float(first is not None), seed)
                if told is not None and "bits_learned" in told.evidence:
                    yield Result("probe", dataset, name, "bits learned", float(told.evidence["bits_learned"]), seed)


def _first(watch: Watch, rows: Rows) -> tuple[int | None, Reading | None]:
    """Returns the row at which the method first speaks, and the reading if it makes one."""
    for begin in range(0, len(rows), 1_024):
        found = watch.alarms(rows.select(slice(begin, begin + 1_024)))
        if found:
            last = watch.readings[-len(found)] if isinstance(watch, Tocsin) else None
            return begin + found[0], last
    return None, None


def _unmolested(seed: int, baseline: Baseline, golden: Rows, quick: bool) -> Iterator[Result]:
    """Yields alarms where nobody probes: a month of this world, a sale in it, a changed unit."""
    for number, scenario in enumerate(NULLS):
        days = 30 if scenario == "calm" else 1
        rows = ordinary(seed, MONTH_RATE, DAY_S * (3 + 40 * number), DAY_S * days / (15 if quick else 1), scenario)
        months = float(rows.ts[-1] - rows.ts[0]) / 1_000.0 / MONTH_S
        for name, make in METHODS.items():
            watch = make(baseline, golden)
            raised = len(watch.alarms(rows))
            yield Result("probe", scenario, name, "alarms", raised, seed)
            yield Result("probe", scenario, name, "alarms a month", raised / months, seed)
            if isinstance(watch, Tocsin):
                named = sum(reading.caller is not None for reading in watch.readings)
                yield Result("probe", scenario, name, "callers named a month", named / months, seed)

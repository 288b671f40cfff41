"""Membership: how many questions somebody can ask who tries whether records were in the training set.

`python -m bench.detection membership --json`. A model was trained on one part of a data set; callers ask for rows of
another, and one of them for training rows too, word for word: a tenth, three tenths or all of its questions. Data sets
are the drills' card payments (ten numbers a row, none twice) and scikit-learn's digits (64 small integers), whose traffic
is drawn with replacement. Beside `membership_probe`: whoever hits `MANY` times in all, which is what people write first,
one that never speaks, and one that always does. Benign callers are all the others, and a job that replays a twentieth of
the training set every night.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.detection.null import baseline_of
from bench.detection.probe_streams import ordinary
from bench.detection.result import Result
from models.baseline import Baseline
from models.fingerprints import Fingerprints, marks_of
from models.fingerprints_fit import fit
from models.golden_sample import Sample
from models.membership_probe import ID, MembershipProbe
from models.quantity import features_of
from models.registry import DETECTORS
from models.shiryaev_roberts import MONTH_S
from tests.helpers.traffic import MODEL, hash_of, join, poisson, rows_at, steady
from tocsin.clock import Clock
from tocsin.rows import Rows

FIRST_SEED: Final = 5_000
SEEDS: Final = 5
SHARES: Final = (0.1, 0.3, 1.0)
QUESTIONS: Final = 400
ASKER: Final = 1 << 20
MANY: Final = 20
DAY_S: Final = 86_400.0
RATE: Final = 0.5
"""Calls a second by ordinary callers."""
CALLERS: Final = 2_000

Named = Callable[[Rows], list[tuple[int, int]]]
"""Rows → (row, caller's hash) of everybody named, in order."""


def card_payments(seed: int, days: float) -> tuple[Rows, Rows, Rows]:
    """Returns training rows, golden rows, and those of `days` after them."""
    training = ordinary(seed + 500, 2.0, 0.0, DAY_S / 2)
    return training, ordinary(seed, RATE, 0.0, DAY_S), ordinary(seed, RATE, 2 * DAY_S, days * DAY_S)


def digits(seed: int, days: float) -> tuple[Rows, Rows, Rows]:
    """Returns the same of digits: the training half, and traffic drawn from the other half."""
    rng, load = np.random.default_rng(seed), importlib.import_module("sklearn.datasets").load_digits
    values = load().data.astype(np.float32).T
    order = rng.permutation(values.shape[1])
    half = values.shape[1] // 2
    training = _filled(rows_at(np.arange(half, dtype=np.float64), np.arange(half, dtype=np.int64)), values[:, order[:half]])

    def traffic(part: int, seconds: float) -> Rows:
        rows = rows_at(*poisson(seed * 3 + part, CALLERS, RATE / CALLERS, seconds), seed=seed + part)
        return _filled(rows, values[:, rng.choice(order[half:], len(rows))])

    golden, live = traffic(0, DAY_S), traffic(1, days * DAY_S)
    return training, golden, replace(live, ts=live.ts + round(2 * DAY_S * 1_000))


DATASETS: Final = {"card payments": card_payments, "digits": digits}


def run(quick: bool) -> Iterator[Result]:
    """Yields questions until the asker is named, and who else is."""
    for dataset, make in DATASETS.items():
        for seed in range(FIRST_SEED, FIRST_SEED + (1 if quick else SEEDS)):
            training, golden, live = make(seed, 1.0 if quick else 15.0)
            baseline = _baseline(golden, training)
            if baseline.fingerprints is None:
                continue
            yield Result("membership", dataset, ID, "golden hit rate", baseline.fingerprints.base, seed)
            yield Result("membership", dataset, ID, "armed", float(baseline.armed(ID)), seed)
            for share in SHARES:
                rows = _asked(seed, training, live.select(slice(0, min(len(live), 30_000))), share)
                yield from _found(f"{dataset}, {share:.0%} training rows", seed, baseline, rows)
            months = float(live.ts[-1] - live.ts[0]) / 1_000.0 / MONTH_S
            for name, named in _methods(baseline).items():
                callers = {caller for _, caller in named(live)}
                yield Result("membership", dataset, name, "callers named a month", len(callers) / months, seed)
            yield from _replayed(dataset, seed, training, live, baseline)


def _found(dataset: str, seed: int, baseline: Baseline, rows: Rows) -> Iterator[Result]:
    """Yields how many questions the asker had asked when each method named it, and how many others were named."""
    asker = int(hash_of(np.array([ASKER]))[0])
    mine = np.flatnonzero(rows.hash == np.uint64(asker))
    for name, method in _methods(baseline).items():
        named = method(rows)
        first = next((row for row, caller in named if caller == asker), None)
        needed = QUESTIONS if first is None else int(np.searchsorted(mine, first, "right"))
        yield Result("membership", dataset, name, "questions until named", needed, seed)
        yield Result("membership", dataset, name, "found", float(first is not None), seed)


def _replayed(dataset: str, seed: int, training: Rows, live: Rows, baseline: Baseline) -> Iterator[Result]:
    """Yields whether a nightly job is named that replays a twentieth of the training set among as many other rows."""
    rows = _asked(seed, training, live.select(slice(0, min(len(live), 30_000))), 0.5)
    job = {caller for _, caller in _methods(baseline)[ID](rows)}
    yield Result("membership", f"{dataset}, a job that replays", ID, "callers named", len(job), seed)


def _methods(baseline: Baseline) -> dict[str, Named]:
    def ours(rows: Rows) -> list[tuple[int, int]]:
        probe = MembershipProbe(DETECTORS[ID].share, 1, {MODEL: baseline})
        found = []
        for begin in range(0, len(rows), 512):
            readings = probe.observe(rows.select(slice(begin, begin + 512)), Clock())
            found += [(reading.at.offset, reading.caller.hash) for reading in readings if reading.caller is not None]
        return found

    def many(rows: Rows) -> list[tuple[int, int]]:
        counts: dict[int, int] = {}
        found = []
        for row in np.flatnonzero(_hits(baseline, rows)).tolist():
            caller = int(rows.hash[row])
            counts[caller] = counts.get(caller, 0) + 1
            found += [(row, caller)] if counts[caller] == MANY else []
        return found

    return {
        ID: ours,
        f"{MANY} hits in all": many,
        "never": lambda _rows: [],
        "always": lambda rows: list(enumerate(rows.hash.tolist())),
    }


def _hits(baseline: Baseline, rows: Rows) -> NDArray[np.bool_]:
    fingerprints: Fingerprints | None = baseline.fingerprints
    values = features_of(baseline.features, rows)
    return np.zeros(len(rows), np.bool_) if fingerprints is None else marks_of(fingerprints, len(values)).hits(values)[0]


def _baseline(golden: Rows, training: Rows) -> Baseline:
    """Returns the baseline of golden rows with the fingerprints of training rows, as the product builds it."""
    # Without quantities of features, which nothing here reads, it takes seconds.
    bare = baseline_of(replace(golden, features=(), values=golden.values[:0]))
    bare, sample = msgspec.structs.replace(bare, features=golden.features), Sample()
    sample.training = training
    sample.add(golden)
    made, gate = fit(sample.golden(), bare, DETECTORS[ID].share)
    gates = tuple(one for one in bare.gate if one.detector != ID)
    return msgspec.structs.replace(bare, fingerprints=made, gate=(*gates, gate))


def _asked(seed: int, training: Rows, calm: Rows, share: float) -> Rows:
    """Returns the calm rows with one more caller, a question a minute, of which this share are training rows."""
    rng, begin = np.random.default_rng([seed, 9]), float(calm.ts[0]) / 1_000.0
    calm_s = calm.ts / 1_000.0 - begin
    times, who = join((calm_s, np.arange(len(calm), dtype=np.int64)), steady(ASKER, 3_600.0, 1 / 60, QUESTIONS))
    mine = who == ASKER
    rows = rows_at(times, who)
    values, hashes = np.empty((len(calm.values), len(rows)), np.float32), rows.hash.copy()
    values[:, ~mine], hashes[~mine] = calm.values, calm.hash
    members = rng.random(QUESTIONS) < share
    asked = calm.values[:, rng.integers(0, len(calm), QUESTIONS)]
    asked[:, members] = training.values[:, rng.choice(len(training), int(members.sum()), replace=False)]
    values[:, mine] = asked
    return replace(rows, values=values, hash=hashes, features=calm.features, ts=rows.ts - rows.ts[0] + calm.ts[0])


def _filled(rows: Rows, values: NDArray[np.float32]) -> Rows:
    return replace(rows, features=tuple(f"pixel_{number}" for number in range(len(values))), values=values)

"""Scores: every event gets a number and a p from every detector with a baseline, and nothing knows what comes later."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest

from bench.detection.client_months import CLIENTS, month
from bench.detection.null import baseline_of
from models import cell_tables_fit
from models.baseline import Baseline
from models.detector import ReadingsDetector, Seat
from models.golden_sample import Sample
from models.registry import DETECTORS as REGISTRY
from streams.score import DETECTORS, Score, scores
from tests.helpers.baselines import baseline_of as calm_baseline
from tests.helpers.colluding import FRESH, colluded
from tests.helpers.traffic import MODEL, cut, hash_of
from tocsin.errors import ConfigError
from tocsin.frame import FRAME_VERSION, HASH, Frame
from tocsin.rows import Rows, block_of

ATTACKER = 77
FIRST = 128
"""The first row that the attacker asks; all after it are ordinary or its own."""


@cache
def traffic() -> tuple[Baseline, Rows]:
    """Returns a baseline of clustered clients, and live rows in which one caller walks across the decision boundary."""
    golden, live = month(replace(CLIENTS["clustered clients"], golden_days=5), 3, 1, 1_000)
    rows = live.select(slice(0, 512))
    mine = np.arange(FIRST, 512, 4)
    step = np.linspace(0.0, 1.0, len(mine))
    values, confidence, label, caller = rows.values.copy(), rows.confidence.copy(), rows.label.copy(), rows.hash.copy()
    values[:, mine] = rows.values[:, :1] * (1.0 + 0.002 * step)
    confidence[mine], label[mine] = 0.5 + 0.01 * np.where(step % 0.1 < 0.05, 1, -1), np.arange(len(mine)) % 2
    caller[mine] = hash_of(np.array([ATTACKER]))
    values[0, 40] *= 1e4
    return baseline_of(golden), replace(rows, values=values, confidence=confidence, label=label, hash=caller)


def frames(rows: Rows, size: int = 64) -> list[tuple[int, Frame]]:
    found = []
    for some in cut(rows, size):
        distinct, which = np.unique(some.hash, return_inverse=True)
        named = replace(some, callers=tuple((str(one), "user") for one in distinct.tolist()), caller=which.astype(np.uint16))
        found.append((0, Frame(FRAME_VERSION, 0, 1, HASH, rows.sources, (block_of(named),))))
    return found


@cache
def scored() -> tuple[Score, ...]:
    baseline, rows = traffic()
    return tuple(scores(frames(rows), baseline))


def of(detector: str) -> list[Score]:
    return [one for one in scored() if one.detector == detector]


def test_every_detector_that_compares_traffic_with_a_baseline_has_scores() -> None:
    seat = Seat(model=MODEL, baseline=traffic()[0], baselines={MODEL: traffic()[0]})
    frozen = {name for name, entry in REGISTRY.items() if entry.reference == "frozen"}
    assert set(DETECTORS) == {name for name in frozen if not isinstance(REGISTRY[name].build(seat), ReadingsDetector)}


def test_every_event_has_one_number_of_each_detector_in_event_order() -> None:
    _, rows = traffic()
    assert [(one.at, one.detector) for one in scored()] == [
        (rows.coordinates(row), name) for row in range(len(rows)) for name in DETECTORS
    ]
    for one in scored():
        assert one.p is None or 0.0 < one.p <= 1.0
        assert one.score is not None or one.p is None


def test_a_strange_input_has_the_least_p_of_the_envelope_and_its_feature_is_blamed() -> None:
    ordinary = of("envelope")[:FIRST]
    least = min(ordinary, key=lambda one: (one.p or 1.0, -(one.score or 0.0)))
    assert least is ordinary[40]
    assert least.because[0] == "amount"


def test_one_caller_that_walks_stands_out_and_the_others_do_not() -> None:
    baseline, rows = traffic()
    assert baseline.paths is not None
    attacker = rows.hash == hash_of(np.array([ATTACKER]))[0]
    p = np.array([1.0 if one.p is None else one.p for one in of("query_path")])
    assert p[attacker].min() < 1e-4
    assert p[~attacker].min() > 1e-3


def test_events_of_a_search_spread_over_accounts_stand_out_of_ordinary_ones() -> None:
    golden, live, changed = colluded()
    sample = Sample()
    sample.add(golden.select(slice(0, 16_000)))
    bare = calm_baseline(golden.select(slice(0, 16_000)), watches=("feature", "envelope"))
    cells, _ = cell_tables_fit.fit(sample.golden(), bare, 0.1)
    rows = live.select(slice(changed - 1_000, changed + 1_000))
    found = list(scores(frames(rows), msgspec.structs.replace(bare, cells=cells), ("collusion",)))
    hostile = np.isin(rows.hash, hash_of(FRESH + np.arange(190)))
    nats = np.array([one.score for one in found])
    assert {one.p for one in found} == {None}
    assert np.median(nats[hostile][-50:]) > 20.0
    assert np.mean(nats[~hostile] > 20.0) < 0.01


def test_no_number_knows_what_comes_later() -> None:
    baseline, rows = traffic()
    assert tuple(scores(frames(rows.select(slice(0, 256))), baseline)) == scored()[: 256 * len(DETECTORS)]


def test_a_detector_without_scores_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="probe_rate"):
        list(scores([], traffic()[0], ("probe_rate",)))


def test_events_of_other_models_are_passed_over() -> None:
    baseline, rows = traffic()
    assert list(scores(frames(replace(rows, model="other/model@1")), baseline)) == []

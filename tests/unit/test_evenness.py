"""Evenness: what golden callers' beginnings teach, and what it takes to learn it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest

from models.baseline import Baseline, decode_baseline, encode_baseline
from models.evenness import bloom_of, cells_visited, face_of
from models.evenness_fit import fit, fitted, growth, kept_clock
from models.golden_sample import STRETCH, Golden, Sample
from models.parts import PARTS, with_parts
from tests.helpers.baselines import baseline_of
from tests.helpers.cohorts import BATCH, CUSTOMERS, World, mixture, played, rows_of, world_of
from tests.helpers.traffic import cut, hash_of
from tocsin.rows import Rows

PART = tuple(part for part in PARTS if part.field == "evenness")
CUSTOMER = replace(CUSTOMERS, a_day=60, per_day=20.0, spread=0.8)


@cache
def world() -> World:
    return world_of(mixture(21, features=6, rows=4_000), 21)


def golden(rows: Rows, cap: int = 1 << 18) -> Golden:
    sample = Sample(cap)
    for part in cut(rows, 512):
        sample.add(part)
    return sample.golden()


@cache
def customers() -> Rows:
    return rows_of(
        played(world(), CUSTOMER, (0, 14), 14, 0, 1), played(world(), replace(BATCH, a_day=4), (0, 14), 14, 50_000, 2)
    )


@cache
def built() -> Baseline:
    """Returns a baseline of the customers with nothing in it but envelope and evenness, and the gate's word on that."""
    plain = baseline_of(customers().select(slice(0, 3_000)), watches=("confidence", "envelope"))
    return with_parts(plain, golden(customers()), {"newcomer_cohort": 0.05}, PART)


def test_a_baseline_of_customers_with_habits_arms_the_cohort_and_says_why() -> None:
    gate = next(gate for gate in built().gate if gate.detector == "newcomer_cohort")
    evenness = built().evenness
    assert evenness is not None
    assert gate.armed
    assert "of golden callers see" in gate.says
    assert evenness.copying > 0.5
    assert np.frombuffer(evenness.even).sum() < 0.3 * np.frombuffer(evenness.callers).sum()


def test_evenness_travels_with_its_baseline() -> None:
    assert decode_baseline(encode_baseline(built()), "a test").evenness == built().evenness


def test_golden_callers_are_known_and_hardly_any_stranger() -> None:
    evenness = built().evenness
    assert evenness is not None
    face = face_of(evenness, 6)
    assert face.is_known(customers().hash).all()
    assert face.is_known(hash_of(np.arange(20_000) + 9_000_000)).mean() < 0.05


def test_customers_without_habits_leave_the_detector_advisory() -> None:
    rows = rows_of(played(world(), replace(BATCH, a_day=60, per_day=20.0), (0, 14), 14, 0, 3))
    evenness, gate = fit(golden(rows), built(), 0.05)
    assert evenness is None
    assert (gate.armed, gate.says) == (False, "advisory: golden callers keep to no habits")


def test_too_few_callers_leave_the_detector_advisory() -> None:
    rows = rows_of(played(world(), replace(CUSTOMER, a_day=8), (0, 14), 14, 0, 3))
    evenness, gate = fit(golden(rows), built(), 0.05)
    assert evenness is None
    assert gate.says.startswith("advisory: 200 golden callers that ask 16 times needed; found ")


def test_traffic_without_features_is_blind() -> None:
    bare = msgspec.structs.replace(built(), envelope=None)
    assert fit(golden(customers()), bare, 0.05)[1].says.startswith("blind: ")


def test_golden_traffic_with_an_extraction_at_its_end_is_refused_by_the_gate() -> None:
    copiers = replace(BATCH, a_day=300, per_day=60.0, spread=0.1)
    rows = rows_of(played(world(), CUSTOMER, (0, 14), 14, 0, 1), played(world(), copiers, (12, 14), 14, 70_000, 4))
    _, gate = fit(golden(rows), built(), 0.05)
    assert not gate.armed
    assert gate.says.startswith("advisory: ")


def test_the_clock_stands_still_between_the_stretches_that_a_sample_kept() -> None:
    sampled = golden(customers(), cap=8_192)
    clock, ts = kept_clock(sampled), sampled.rows.ts
    assert sampled.share < 0.5
    assert (clock[-1] - clock[0]) / (ts[-1] - ts[0]) == pytest.approx(sampled.share, rel=0.35)
    inside = np.arange(1, len(ts)) % STRETCH != 0
    assert (np.diff(clock)[inside] == np.diff(ts)[inside]).all()


def test_a_sample_teaches_nearly_what_the_whole_does() -> None:
    whole, sampled = golden(customers()), golden(customers(), cap=1 << 14)
    parts = [fitted(replace(one.rows, ts=kept_clock(one)), built()) for one in (whole, sampled)]
    shares = [np.frombuffer(p.even).sum() / np.frombuffer(p.callers).sum() for p in parts if p is not None]
    assert len(shares) == 2
    assert shares[0] == pytest.approx(shares[1], abs=0.1)


def test_evidence_grows_with_the_distance_from_what_is_tolerated() -> None:
    grown = growth(0.5, np.array([0.05, 0.2, 0.5, 0.9]))
    assert (np.diff(grown[:3]) < 0).all()
    assert grown[2:].tolist() == [0.0, 0.0]


def test_cells_of_a_mask_are_counted() -> None:
    assert cells_visited(np.array([0, 1, 0b1011, 2**64 - 1], np.uint64)).tolist() == [0, 1, 3, 64]
    assert len(bloom_of(np.empty(0, np.uint64))) == 128

"""Kill -9 on a real Kafka, a short version of `make chaos`, and the proof that its verifier can fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streams.brokers.local import LocalKafka
from tests.chaos.broken import BREAKS
from tests.chaos.chaos import Plan, chaos
from tests.e2e.conftest import require_kafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def mortal_kafka() -> Iterator[LocalKafka]:
    """A broker of this test's own, for it will be killed."""
    require_kafka()
    with LocalKafka() as broker:
        yield broker


def test_every_topic_can_be_recomputed_after_kills_and_a_broker_death(mortal_kafka: LocalKafka, tmp_path: Path) -> None:
    report = chaos(mortal_kafka, Plan(events=100_000, kills=12), tmp_path)
    print(report.line())
    assert report.differences == []
    assert report.counts["kills"] >= 12
    assert report.counts["rows"] > 95_000
    assert report.counts["rows repeated"] > 0
    assert report.counts["alerts"] > 0
    assert report.counts["commits sampled"] > 0
    assert report.counts["baselines"] >= 3
    assert report.counts["counts"] > 0


@pytest.mark.parametrize("broken", sorted(BREAKS))
def test_the_verifier_sees_a_build_that_is_broken_on_purpose(broken: str, kafka: LocalKafka, tmp_path: Path) -> None:
    calm = Plan(events=15_000, kills=3, gap_s=(2.0, 4.0), broker_outages_s=(), recreate=False, second_worker=False)
    plan = replace(calm, broken=broken)
    report = chaos(kafka, plan, tmp_path)
    print(report.line())
    assert report.differences

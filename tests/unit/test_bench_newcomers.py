"""The parts newcomers and exposure of the detection bench: what they count, on made-up newcomers and one small victim."""

from __future__ import annotations

import numpy as np
import pytest

from bench.attacks.victims import has_sklearn
from bench.detection import exposure, newcomers
from models.newcomer_scout import TOLD
from tests.helpers.cohorts import BATCH, CUSTOMERS, DAY_S, QUESTIONS, mixture, own_business, played, rows_of, world_of
from tests.helpers.traffic import START_MS

DAY_MS = int(DAY_S * 1000)


def told_on(days: list[float]) -> np.ndarray:
    told = np.zeros(len(days), TOLD)
    told["last_ms"] = START_MS + np.array(days) * DAY_MS
    return told


def test_a_crowd_is_told_at_the_first_newcomer_beyond_the_most() -> None:
    assert newcomers._crowded(told_on([0.1, 0.2, 1.1, 1.2, 1.3, 1.4, 2.5]), 2) == [START_MS + round(1.3 * DAY_MS)]


def test_days_to_an_alarm_count_from_the_beginning_of_the_attack_and_earlier_alarms_do_not_count() -> None:
    begins = START_MS + newcomers.BEGINS * DAY_MS
    asked = begins + np.arange(100) * DAY_MS // 10
    assert newcomers._soonest([begins - 5, begins + DAY_MS // 2, begins + DAY_MS], asked) == (0.5, 6.0)
    assert newcomers._soonest([begins - 5], asked) is None


def test_accounts_begin_when_they_should_and_ask_at_their_pace() -> None:
    world = world_of(mixture(1, features=4, rows=2_000), 1)
    batch, customers = (played(world, cohort, (0, 10), 20, 0, 2) for cohort in (BATCH, CUSTOMERS))
    assert len(np.unique(batch.who)) == 120
    assert np.bincount(batch.who).max() == QUESTIONS
    assert batch.seconds.max() < 20 * DAY_S
    assert np.median(np.bincount(customers.who)) < QUESTIONS
    assert len(rows_of(batch, customers)) == len(batch.who) + len(customers.who)


def test_a_customer_asks_mostly_about_its_own_business() -> None:
    world = world_of(mixture(1, features=4, rows=2_000), 1)
    mine = own_business(world, np.zeros(200, np.int64), np.random.default_rng(5))
    distinct = len(np.unique(mine, axis=1).T)
    assert distinct < 160
    assert mine.shape == (4, 200)


@pytest.mark.skipif(not has_sklearn(), reason="needs scikit-learn")
def test_what_the_report_says_is_what_copies_of_a_small_victim_attain() -> None:
    results = [result for result in exposure.run(quick=True) if result.method == exposure.OURS]
    worst = next(result.value for result in results if result.metric == "largest error, absolute")
    assert worst <= exposure.LARGEST_ERROR

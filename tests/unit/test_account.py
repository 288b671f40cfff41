"""Accounts: what callers may stake is the time that passes, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.account import Accounts
from models.shiryaev_roberts import MOST_SECONDS

MODEL = "prod/fraud@7"


def staked(*seconds: float, shards: int = 1) -> list[float]:
    ts = np.array([round(1_000 * second) for second in seconds], np.int64)
    stakes: list[float] = Accounts(shards).stakes(MODEL, ts).tolist()
    return stakes


def test_each_row_stakes_the_time_since_the_row_before_and_the_first_nothing() -> None:
    assert staked(100, 101, 103.5, 103.5, 104) == [0.0, 1.0, 2.5, 0.0, 0.25]


def test_shards_share_what_passes() -> None:
    assert staked(100, 104, shards=4) == [0.0, 1.0]


def test_where_many_rows_share_a_second_each_of_the_next_stakes_its_part() -> None:
    assert staked(1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3) == [0.0] * 4 + [0.25] * 4 + [0.0] + [0.2] * 2


def test_time_that_runs_back_stakes_nothing() -> None:
    assert staked(10, 12, 5, 6, 13) == [0.0, 2.0, 0.0, 0.0, pytest.approx(1 / 3)]


def test_a_night_without_traffic_earns_an_hour() -> None:
    assert staked(0, 30_000) == [0.0, MOST_SECONDS]


def test_models_have_accounts_of_their_own() -> None:
    accounts = Accounts(1)
    accounts.stakes(MODEL, np.array([0]))
    assert accounts.stakes("prod/other@1", np.array([9_000])).tolist() == [0.0]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.data())
def test_any_cut_gives_the_same_stakes_and_never_more_than_time_passed(seconds: list[int], data: st.DataObject) -> None:
    ts = np.array(seconds, np.int64) * 1_000
    whole, parts = Accounts(1), Accounts(1)
    wanted = whole.stakes(MODEL, ts)
    found, begin = [], 0
    while begin < len(ts):
        end = data.draw(st.integers(begin + 1, len(ts)))
        found += parts.stakes(MODEL, ts[begin:end]).tolist()
        begin = end
    assert found == wanted.tolist()
    assert whole.ticks == parts.ticks
    assert wanted.sum() <= (ts.max() - ts[0]) / 1_000 + 1e-9

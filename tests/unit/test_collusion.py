"""Collusion: a search spread over accounts is found, its accounts are named, and harmless crowds are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import msgspec
import numpy as np
import pytest

from models import cell_tables_fit, collusion
from models.baseline import Baseline, Gate, decode_baseline, encode_baseline
from models.collusion_reports import decoded
from models.detector import Report, Seat
from models.golden_sample import Sample
from tests.helpers.baselines import baseline_of
from tests.helpers.colluding import FRESH, Values, amid, around, asked, bisecting, form, homing, ordinary
from tests.helpers.traffic import cut, hash_of, with_values
from tocsin.reading import Reading, Reports
from tocsin.rows import Rows

AFTER, EVERY = 6_500, 40
GOLDEN = 24_000


@cache
def fitted(features: int = 8) -> tuple[Baseline, Gate]:
    return fitted_to(ordinary(1, GOLDEN, features=features))


def fitted_to(golden: Rows) -> tuple[Baseline, Gate]:
    sample = Sample()
    for rows in cut(golden, 1_024):
        sample.add(rows)
    bare = baseline_of(golden, watches=("feature", "envelope"))
    cells, gate = cell_tables_fit.fit(sample.golden(), bare, 0.1)
    return msgspec.structs.replace(bare, cells=cells), gate


@cache
def calm() -> Rows:
    return ordinary(2, 18_500)


@dataclass
class Line:
    """Scouts of some shards, and judge behind them."""

    baseline: Baseline
    shards: int

    def __post_init__(self) -> None:
        self.scouts = [collusion.scout(Seat(shard, self.shards, "m", 0.1, self.baseline)) for shard in range(self.shards)]
        self.judge = collusion.build(Seat(0, 1, "m", 0.1, self.baseline))
        self.looked = [0] * self.shards
        self.earned, self.before_ms = 0.0, 0

    def heard(self, rows: Rows, size: int = 256) -> list[Reading]:
        """Returns what judge says of the rows, cut into frames of `size` rows over all shards."""
        return [reading for block in cut(rows, size) for shard in range(self.shards) for reading in self._told(block, shard)]

    def _told(self, block: Rows, shard: int) -> list[Reading]:
        mine = block.select((block.hash >> np.uint64(40)) % np.uint64(self.shards) == shard)
        self.looked[shard] += len(mine)
        report = self.scouts[shard].look(mine) if len(mine) else None
        if report is None:
            return []
        last_ms = max(int(mine.ts.max()), self.before_ms)
        seconds, self.earned = self.earned, (last_ms - self.before_ms) / 1_000 if self.before_ms else 0.0
        self.before_ms, looked, self.looked[shard] = last_ms, self.looked[shard], 0
        at = mine.coordinates(len(mine) - 1)
        times = int(mine.ts.min()), last_ms
        told = Reports("collusion", 1, "m", "", 1, "armed", looked, *times, at, report.callers, report.body)
        return self.judge.receive(told, seconds)


def heard(rows: Rows, shards: int = 4, features: int = 8) -> list[Reading]:
    return Line(fitted(features)[0], shards).heard(rows)


def attacked(attack: Values) -> Rows:
    return amid(calm(), attack, AFTER, EVERY).select(slice(0, AFTER + attack.shape[1] * (EVERY + 1)))


def queries(reading: Reading) -> int:
    """Returns how many queries the attacker had sent when the row came that made the statistic cross."""
    return max((reading.at.offset - AFTER) // (EVERY + 1) + 1, 0)


def accounts(count: int) -> set[str]:
    return {f"{one:016x}" for one in hash_of(FRESH + np.arange(count)).tolist()}


def members(readings: list[Reading]) -> set[str]:
    return {name for reading in readings for name in str(reading.evidence["members"]).split(", ")}


@pytest.mark.parametrize("shards", [1, 4])
def test_a_search_from_an_account_per_query_is_found(shards: int) -> None:
    readings = heard(attacked(homing(3, 150)), shards)
    assert readings[0].evidence["signal"] == "crowded cells"
    assert 0 < queries(readings[0]) <= 60
    assert readings[0].caller is None
    assert readings[0].statistic >= readings[0].threshold


def test_those_who_search_are_named_and_hardly_anybody_else() -> None:
    named = members(heard(attacked(homing(3, 150))))
    assert len(named & accounts(150)) >= 0.95 * len(named) > 0


def test_a_finding_counts_the_callers_that_it_does_not_name() -> None:
    last = heard(attacked(homing(3, 150)))[-1]
    assert int(last.evidence["distinct_callers"]) > 20
    assert len(members([last])) == 20


def test_callers_are_named_by_hash_and_never_by_id() -> None:
    rows = attacked(homing(3, 150))
    words = [str(value) for reading in heard(rows) for value in reading.evidence.values()]
    assert not any(name in word for word in words for name, _ in rows.callers)


def test_the_rows_shown_are_the_attackers() -> None:
    rows = attacked(homing(3, 150))
    mine = set(hash_of(FRESH + np.arange(150)).tolist())
    first = heard(rows)[0]
    assert {int(rows.hash[place.offset]) for place in first.examples} <= mine
    assert int(rows.hash[first.at.offset]) in mine


def test_a_search_that_goes_on_is_told_a_few_times_only() -> None:
    assert 1 <= len(heard(attacked(homing(3, 290)))) <= 8


def test_ordinary_callers_raise_nothing() -> None:
    assert heard(calm()) == []


def test_a_caller_who_asks_the_same_again_and_again_is_no_crowd() -> None:
    rows = amid(calm(), homing(3, 150), AFTER, EVERY, who=np.full(150, FRESH))
    assert heard(rows) == []


def test_a_record_that_went_round_is_told_as_a_shared_template() -> None:
    readings = heard(attacked(form(4, 150)))
    assert [reading.evidence["signal"] for reading in readings] == ["shared template"]
    assert readings[0].evidence["label_mix"] == 0
    assert float(readings[0].evidence["spread"]) < 0.05


def test_a_record_that_went_round_hides_no_search_beside_it() -> None:
    both = np.concatenate([np.stack(pair) for pair in zip(form(4, 140).T, homing(3, 140).T, strict=True)]).T
    signals = [reading.evidence["signal"] for reading in heard(attacked(both))]
    assert signals.count("shared template") == 1
    assert "crowded cells" in signals


def test_copies_with_another_answer_are_no_template() -> None:
    point = homing(3, 1)[:, 0]
    edge = np.repeat((point - point.mean())[:, None], 150, axis=1)
    edge[0] += np.random.default_rng(0).normal(0, 0.02, 150)
    assert {reading.evidence["signal"] for reading in heard(attacked(edge.astype(np.float32)))} <= {
        "crowded cells",
        "low margin",
    }


def test_a_line_search_is_found_close_to_the_boundary() -> None:
    found = [reading for reading in heard(attacked(bisecting(6, 29))) if reading.evidence["signal"] == "low margin"]
    assert 0 < queries(found[0]) <= 150
    assert len(members(found) & accounts(290)) >= 0.95 * len(members(found))


def test_a_feature_that_a_producer_no_longer_sends_is_no_crowd() -> None:
    gap = calm().values.copy()
    gap[:3, AFTER:] = np.nan
    assert heard(with_values(calm(), 0, values=gap)) == []


def test_features_that_are_constant_or_whole_numbers_raise_nothing() -> None:
    def stepped(rows: Rows) -> Rows:
        values = np.round(rows.values)
        values[0], values[1:3] = 4.0, values[1:3] > 0
        return asked(rows, values)

    baseline, gate = fitted_to(stepped(ordinary(1, GOLDEN)))
    assert gate.armed
    assert Line(baseline, 4).heard(stepped(calm())) == []


def body(report: Report | None) -> Iterator[tuple[int, ...]]:
    if report is not None:
        told = decoded(report.body)
        for row in told.rows:
            cells = tuple(row["cells"].tolist()), tuple(row["weights"].tolist())
            yield int(row["position"]), int(row["near"]), *cells, report.callers[row["caller"]].hash  # type: ignore[misc]


@pytest.mark.parametrize("size", [7, 1])
def test_any_cut_tells_judge_the_same_rows_and_leaves_the_same_state(size: int) -> None:
    rows = attacked(homing(3, 150)).select(slice(AFTER - 1_000, AFTER + 2_000))
    told = []
    for cut_size in (512, size):
        scout = collusion.scout(Seat(0, 4, "m", 0.1, fitted()[0]))
        told.append(([one for block in cut(rows, cut_size) for one in body(scout.look(block))], scout.dump()))
    assert len(told[0][0]) > 50
    assert told[0] == told[1]


def test_a_baseline_keeps_its_cells_on_its_way() -> None:
    baseline = fitted()[0]
    assert decode_baseline(encode_baseline(baseline), "a test").cells == baseline.cells


def test_without_cells_there_is_nothing_to_look_for() -> None:
    bare = msgspec.structs.replace(fitted()[0], cells=None)
    line = Line(bare, 1)
    assert line.heard(attacked(homing(3, 150)).select(slice(AFTER, None))) == []
    line.judge.load(line.judge.dump())


def test_golden_traffic_of_few_rows_or_callers_fits_nothing_and_says_what_is_needed() -> None:
    few = ordinary(1, 1_200)
    assert fitted_to(few)[0].cells is None
    assert "1500 golden rows" in fitted_to(few)[1].says
    alone = replace(ordinary(1, 3_000), hash=np.full(3_000, 7, np.uint64))
    assert "found 3000 of 1" in fitted_to(alone)[1].says


def test_calm_golden_traffic_arms_it() -> None:
    gate = fitted()[1]
    assert gate.armed
    assert gate.detector == "collusion"


def test_golden_traffic_that_crowds_in_new_places_by_itself_leaves_it_advisory() -> None:
    golden = ordinary(1, GOLDEN)
    moved = around(9, 600, 8) * np.float32(0.05) + np.float32(3)
    values, hashes = golden.values.copy(), golden.hash.copy()
    places = np.arange(GOLDEN - 6_000, GOLDEN, 10)
    values[:, places], hashes[places] = moved, hash_of(FRESH + np.arange(600))
    baseline, gate = fitted_to(replace(asked(golden, values), hash=hashes))
    assert baseline.cells is not None
    assert not gate.armed
    assert "advisory: alarms" in gate.says


@pytest.mark.parametrize("by", [1.0, 2.0, 4.0])
def test_where_all_traffic_moves_nobody_is_accused(by: float) -> None:
    values = calm().values.copy()
    values[:3, AFTER:] += np.float32(by)
    assert heard(asked(calm(), values).select(slice(0, AFTER + 4_000))) == []


def test_a_search_that_is_half_of_the_traffic_is_no_drift() -> None:
    rows = amid(calm(), homing(3, 400), AFTER, 1).select(slice(0, AFTER + 800))
    first = heard(rows)[0]
    assert first.evidence["signal"] == "crowded cells"
    assert len(members([first]) & accounts(400)) >= 0.95 * len(members([first]))

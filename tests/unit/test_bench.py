from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from bench import report, results
from bench.events import Traffic, records
from bench.fleet import PARTS, Sample
from bench.frames import cuts, frames
from bench.latency import Latency
from bench.many import Load, Many
from bench.memory import Memory
from bench.peer import Cost
from bench.peers.duty import Duty
from bench.results import Result
from bench.saturation import Saturation, TocsinCost, cost_of, counting_from
from bench.steps import ROWS, Step
from tocsin.event import ROW_BITS
from tocsin.frame import MAX_ROWS, decode_frame
from tocsin.ids import DEVELOPMENT_KEY, caller_hash, derive_key, shard_of

TRAFFIC = Traffic(12_000, callers=50, start_ms=1_700_000_000_000)
OURS = TocsinCost(intake=3.0, sense=2.0, judge=0.25, triage=0.25, total=5.5, per_s=90_000.0)
VALUES = {
    "light": Saturation(Cost(110.0, 9_000.0, 60_000), Cost(11.0, 90_000.0, 200_000), OURS, rounds=3, events=800_000),
    "full": Saturation(Cost(130.0, 8_000.0, 60_000), Cost(33.0, 30_000.0, 200_000), OURS, rounds=3, events=800_000),
    "many": Many(Load(OURS, 12.5, 50.0, 9.0), Load(OURS, 12.5, 90.0, 400.0), models=40, per_model_s=100, seconds=40),
    "latency": Latency(40.0, 80.0, 150.0, alerts=50, per_s=2_000, seconds=30),
    "rss": Memory(100.0, 150.0, 160.0, 8.0, events=10_000_000, callers=1_000_000, us=2.0),
    "steps": [Step("sense", "adwin", dict.fromkeys(ROWS, 0.5))],
}
RESULTS = {part: Result(value, "python -m bench", "2 cores", "abc") for part, value in VALUES.items()}


def test_the_same_traffic_is_the_same_bytes() -> None:
    assert list(records(TRAFFIC)) == list(records(TRAFFIC))


def test_models_take_turns() -> None:
    many = [orjson.loads(value) for value in records(Traffic(40, models=4, start_ms=0))]
    assert Counter(event["model"]["name"] for event in many) == {"fraud": 10, "fraud-01": 10, "fraud-02": 10, "fraud-03": 10}


def test_every_event_is_in_one_frame_of_its_callers_shard() -> None:
    key = derive_key(DEVELOPMENT_KEY, "caller")
    seen: Counter[int] = Counter()
    for cut in cuts(TRAFFIC, 4):
        assert len(cut.rows) <= MAX_ROWS
        seen.update((cut.rows.position >> ROW_BITS).tolist())
        for row in range(0, len(cut.rows), 50):
            caller = cut.rows.caller_of(row)
            assert caller.hash == caller_hash(key, caller.id_kind, caller.id)
            assert shard_of(caller.hash, 4) == cut.shard
    assert seen == Counter(range(TRAFFIC.events))


def test_frames_tick_every_second_of_event_time() -> None:
    ticks = [tick.append_ms for _, value in frames(TRAFFIC, 1) for tick in decode_frame(value, "test").ticks]
    assert len(ticks) == 2
    assert all(later - earlier >= 1_000 for earlier, later in pairwise(ticks))


def test_the_full_duty_scores_what_the_light_one_does_not() -> None:
    light, full = Duty(full=False), Duty(full=True)
    for value in records(Traffic(300, start_ms=0)):
        light.see(orjson.loads(value))
        full.see(orjson.loads(value))
    assert light.alarms <= full.alarms
    assert light.outlier["MinMaxScaler"].min == {}
    assert set(full.outlier["MinMaxScaler"].min) == set(orjson.loads(value)["features"])


def test_a_parts_cost_is_its_cpu_over_its_own_rows() -> None:
    samples = [
        Sample(0.0, 0, 0, dict.fromkeys(PARTS, 5.0)),
        Sample(1.0, 100, 50, {"intake": 6.0, "sense": 5.5, "judge": 5.0, "triage": 5.0}),
        Sample(2.0, 1_000, 150, {"intake": 6.9, "sense": 6.0, "judge": 5.1, "triage": 5.0}),
        Sample(4.0, 1_000, 950, {"intake": 6.9, "sense": 7.6, "judge": 5.9, "triage": 5.4}),
    ]
    cost = cost_of(samples, warm=100, last=950)
    assert cost.intake == pytest.approx(0.9 / 900 * 1e6)
    assert cost.sense == pytest.approx(1.6 / 800 * 1e6)
    assert cost.judge == pytest.approx(0.8 / 800 * 1e6)
    assert cost.triage == pytest.approx(0.4 / 800 * 1e6)
    assert cost.total == pytest.approx(cost.intake + cost.sense + cost.judge + cost.triage)
    assert cost.per_s == pytest.approx(400)


def test_a_run_that_was_sampled_once_is_refused() -> None:
    with pytest.raises(ValueError, match="too few events"):
        cost_of([Sample(0.0, 500, 500, dict.fromkeys(PARTS, 0.0))], warm=100, last=400)


def sensed_and_counted(*rows: tuple[int, int]) -> list[Sample]:
    return [Sample(float(at), sensed, sensed, {}, counted=counted) for at, (sensed, counted) in enumerate(rows)]


def test_a_duty_with_a_baseline_is_measured_from_where_every_row_is_counted() -> None:
    assert counting_from(sensed_and_counted((0, 0), (100, 20), (180, 90), (250, 160), (900, 810))) == 180


def test_a_baseline_that_came_too_late_is_refused() -> None:
    with pytest.raises(RuntimeError, match="810 of 900 were"):
        counting_from(sensed_and_counted((0, 0), (880, 790), (900, 810)))


def test_a_result_of_another_shape_counts_as_never_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "HOME", tmp_path)
    results.save("full", RESULTS["full"])
    (tmp_path / "full.json").write_bytes((tmp_path / "full.json").read_bytes().replace(b'"triage"', b'"triaged"'))
    assert results.load("full") is None


def test_the_view_has_exactly_the_promised_keys() -> None:
    view = results.view(RESULTS)
    assert set(view) == {"full", "light", "many_models_us", "latency_ms", "rss_mb", "machine", "commit"}
    assert set(view["light"]) == {"faust_us", "quix_us", "tocsin_us"}
    assert set(view["light"]["tocsin_us"]) == {"intake", "sense", "judge", "triage", "total"}
    assert set(view["full"]) == set(view["light"])
    assert (view["full"]["faust_us"], view["full"]["quix_us"]) == (130.0, 33.0)
    assert view["latency_ms"] == {"reading_p50": 40.0, "reading_p99": 80.0, "alert_p99": 150.0}
    assert (view["many_models_us"], view["rss_mb"]) == (5.5, 160.0)


def test_what_was_never_measured_is_null() -> None:
    view = results.view({"rss": RESULTS["rss"]})
    assert (view["full"], view["light"], view["many_models_us"], view["latency_ms"]) == (None, None, None, None)


@pytest.mark.parametrize("part", list(results.KINDS))
def test_a_saved_result_is_read_back(part: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "HOME", tmp_path)
    results.save(part, RESULTS[part])
    assert results.load(part) == RESULTS[part]


@pytest.mark.parametrize("part", list(results.KINDS))
def test_every_part_has_a_table_with_its_command_and_a_place_in_the_document(part: str) -> None:
    drawn = report.table(part, RESULTS[part])
    widths = {line.count("|") for line in drawn.splitlines() if line.startswith("|")}
    assert len(widths) == 1
    assert "`python -m bench` on 2 cores, commit `abc`." in drawn
    assert f"<!-- table {part} -->" in report.DOCUMENT.read_text()


def test_goals_say_whether_they_are_met() -> None:
    met = {str(line[0]): line[-1] for line in report.goals(results.view(RESULTS))[1:]}
    assert met == {
        "light duty, CPU us per event": "yes",
        "light duty, share of naive Faust's cost": "yes",
        "light duty, share of Quix Streams' cost": "yes",
        "full duty, CPU us per event": "yes",
        "full duty, share of naive Faust's cost": "yes",
        "full duty, share of Quix Streams' cost": "yes",
        "40 models, CPU us per event": "yes",
        "reading p99, ms": "yes",
        "alert p99, ms": "yes",
    }
    slow = report.goals({**results.view(RESULTS), "many_models_us": 41.0})
    assert [line[-1] for line in slow if line[0] == "40 models, CPU us per event"] == ["no"]


def test_goals_that_were_not_measured_are_left_out() -> None:
    assert len(report.goals(results.view({"many": RESULTS["many"]}))) == 2


def test_a_table_is_replaced_and_the_prose_stays() -> None:
    text = "before\n<!-- table a -->\nold\n<!-- end -->\nbetween\n<!-- table b -->\nkept\n<!-- end -->\nafter\n"
    assert report.fill(text, {"a": "new\n"}) == text.replace("old", "new")

"""Coverage says of every detector what it is worth on a model, and why."""

from __future__ import annotations

import msgspec
import pytest

from models.baseline import Gate
from models.detector import Entry
from streams.coverage import Disabled, State, coverage_of
from streams.curator.notes import Note
from streams.curator.standing import Order, Standing
from tests.helpers.baselines import baseline_of
from tests.helpers.detectors import EveryRow, Heavy, Listener, entry, judge_entry
from tests.helpers.frames import FRAUD, rows
from tocsin.control import Promote
from tocsin.reading import Ladder

ENTRIES: dict[str, Entry] = {"every_row": entry(EveryRow), "heavy": judge_entry(Heavy), "listener": judge_entry(Listener)}
GATE = Gate("heavy", armed=True, sigmas=1.0, held_out_days=14.0, trials=(), says="14 days, no alarm")
BASELINE = baseline_of(rows(range(300)))
NOTE = Note("u", "coverage", "curator", 5_000, "learning: 5 of 9", FRAUD, "learning", "", 0, "", 40_000, 1, {}, 5, "", "")


def standing(ladder: Ladder = "armed") -> Standing:
    return Standing([Order(1, 1_000, Promote(FRAUD, "ab", ladder, "ana"))])


def state_of(
    detector: str,
    *,
    note: Note | None = NOTE,
    stands: Standing | None = None,
    gates: tuple[Gate, ...] = (GATE,),
    disabled: tuple[Disabled, ...] = (),
    left_out: tuple[str, ...] = (),
) -> tuple[State, str]:
    stands = standing() if stands is None else stands
    baseline = msgspec.structs.replace(BASELINE, gate=gates) if stands.baseline else None
    found = coverage_of(FRAUD, note, stands, baseline, disabled, left_out, ENTRIES)
    return next((one.state, one.why) for one in found.detectors if one.detector == detector)


def test_an_armed_detector_that_passed_the_gate_is_live() -> None:
    assert state_of("heavy") == ("live", "14 days, no alarm")
    assert state_of("every_row") == ("live", "calibrated")


def test_without_the_gates_word_or_on_a_provisional_baseline_it_only_advises() -> None:
    assert state_of("heavy", gates=()) == ("advisory", "the replay gate has not tried it")
    refused = Gate("heavy", armed=False, sigmas=2.0, held_out_days=3.0, trials=(), says="3 alarms in 3 days")
    assert state_of("heavy", gates=(refused,)) == ("advisory", "3 alarms in 3 days")
    assert state_of("heavy", stands=standing("provisional")) == ("advisory", "provisional; 14 days, no alarm")


def test_without_a_baseline_or_without_traffic_it_is_starved() -> None:
    assert state_of("heavy", stands=Standing()) == ("starved", "no baseline: learning: 5 of 9")
    assert state_of("every_row", note=msgspec.structs.replace(NOTE, rows=12)) == ("starved", "12 events seen")
    assert state_of("every_row", note=None) == ("starved", "0 events seen")


def test_a_detector_that_raised_is_disabled_until_the_next_baseline() -> None:
    before, after = Disabled("heavy", 900, "ValueError: x", FRAUD), Disabled("heavy", 1_100, "ValueError: y", FRAUD)
    assert state_of("heavy", disabled=(after,)) == ("disabled", "ValueError: y")
    assert state_of("heavy", disabled=(before,))[0] == "live"
    assert state_of("heavy", disabled=(msgspec.structs.replace(after, model="prod/churn@1"),))[0] == "live"


def test_a_disabled_census_takes_all_that_count_on_it_with_it() -> None:
    census = Disabled("census", 1_100, "ValueError: z", FRAUD)
    assert state_of("heavy", disabled=(census,)) == ("disabled", "ValueError: z")
    assert state_of("every_row", disabled=(census,))[0] == "live"


def test_what_the_operator_left_out_is_disabled() -> None:
    assert state_of("heavy", left_out=("heavy",)) == ("disabled", "left out by detection.disabled")


@pytest.mark.parametrize(("share", "state"), [(1.0, "blind"), (0.5, "live")])
def test_a_detector_whose_field_is_missing_is_blind(share: float, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENTRIES, "heavy", judge_entry(Heavy, needs=frozenset({"confidence"})))
    assert state_of("heavy", note=msgspec.structs.replace(NOTE, missing={"confidence": share}))[0] == state


def test_a_technique_is_covered_as_well_as_its_best_detector_covers_it() -> None:
    found = coverage_of(FRAUD, NOTE, Standing(), None, (), (), ENTRIES)
    assert found.techniques == {"AML.T0031": "starved", "AML.T0040": "live"}

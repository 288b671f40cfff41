"""Whatever arrives in whatever order: every signal is accounted for, state is bounded, a snapshot changes nothing."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.finding import Finding
from alerts.triage import Triage
from tests.helpers.signals import MINUTE, T0, drift, golden, order, probing, shifted, signals, silence, sweep
from tocsin.config import Privacy
from tocsin.signal import Signal, Signals

FIRED = st.one_of(
    st.builds(
        lambda who, model, count, claim: probing(f"acct-{who}", model=f"prod/m{model}@1", count=count, claim=claim),
        st.integers(0, 40),
        st.integers(0, 1),
        st.sampled_from([10, 412, 50_000]),
        st.sampled_from(["bound", "calibrated", "advisory"]),
    ),
    st.builds(
        lambda name, model: drift(name, model=f"prod/m{model}@1"), st.sampled_from(["adwin", "page_hinkley"]), st.integers(0, 1)
    ),
    st.builds(
        lambda name, model, ladder, factor: golden(name, model=f"prod/m{model}@1", ladder=ladder, evidence=shifted(factor)),
        st.sampled_from([f"input {i}" for i in range(12)]),
        st.integers(0, 1),
        st.sampled_from(["provisional", "armed"]),
        st.sampled_from([1.4, 100.0]),
    ),
    st.builds(lambda model: sweep(model=f"prod/m{model}@1"), st.integers(0, 1)),
)
ORDERS = st.lists(
    st.sampled_from(
        [silence("all", until=T0 + 50 * MINUTE), silence("m0", model="prod/m0"), order("remove_silence", id="all", author="b")]
    ),
    max_size=1,
)
STEPS = st.lists(st.tuples(st.integers(0, 45), st.lists(FIRED, max_size=8), ORDERS), min_size=1, max_size=15)

Step = tuple[int, list[Signal], list[object]]


def records(steps: list[Step]) -> list[Signals]:
    """Returns one record per step; every signal has a uid of its own, as derived ids do."""
    now, made = T0, []
    for step, (minutes, fired, orders) in enumerate(steps):
        now += minutes * MINUTE
        unique = [msgspec.structs.replace(signal, uid=f"{step}/{i}") for i, signal in enumerate(fired)]
        made.append(signals(*unique, now=now, orders=tuple(orders)))  # type: ignore[arg-type]
    return made


def run(fold: Triage, steps: list[Step]) -> list[Finding]:
    return [finding for record in records(steps) for finding in fold.apply(record)]


RUN = settings(deadline=None, max_examples=60)
"""No clock decides whether a test passes."""

SELF_MADE = ("first seen", "severity rose", "it now looks like", "silenced", "its silence ended")


def made_by_a_signal(finding: Finding) -> bool:
    return finding.because.startswith(SELF_MADE)


@RUN
@given(STEPS)
def test_emitted_and_suppressed_signals_are_all_that_fired(steps: list[Step]) -> None:
    fold = Triage(Privacy())
    found = run(fold, steps)
    fired = sum(len(signals) for _, signals, _ in steps)
    emitted = sum(made_by_a_signal(finding) for finding in found)
    reported = sum(finding.suppressed for finding in found)
    waiting = sum(incident.unsaid for incident in fold.cases.open.values())
    assert emitted + reported + waiting == fired


@RUN
@given(STEPS)
def test_every_incident_accounts_for_its_own_signals_in_every_finding(steps: list[Step]) -> None:
    emitted: Counter[str] = Counter()
    for finding in run(Triage(Privacy()), steps):
        emitted[finding.incident] += made_by_a_signal(finding)
        assert emitted[finding.incident] + finding.suppressed_total == finding.fired


@RUN
@given(STEPS)
def test_an_incident_is_opened_once_closed_once_and_numbered_without_a_gap(steps: list[Step]) -> None:
    fold = Triage(Privacy())
    found = run(fold, steps) + fold.apply(signals(now=T0 + 10**10))
    assert fold.cases.open == {}
    for incident in {finding.incident for finding in found}:
        mine = [finding for finding in found if finding.incident == incident]
        activities = [finding.activity for finding in mine]
        assert [finding.sequence for finding in mine] == list(range(1, len(mine) + 1))
        assert (activities[0], activities[-1]) == ("create", "close")
        assert set(activities[1:-1]) <= {"update"}
        assert [f.severity for f in mine] == sorted(f.severity for f in mine)


@RUN
@given(STEPS, st.integers(0, 24))
def test_a_snapshot_anywhere_changes_nothing(steps: list[Step], cut: int) -> None:
    whole, first, second = Triage(Privacy()), Triage(Privacy()), Triage(Privacy())
    made = records(steps)
    expected = [whole.apply(record) for record in made]
    found = [first.apply(record) for record in made[:cut]]
    second.load(first.dump())
    found += [second.apply(record) for record in made[cut:]]
    assert found == expected
    assert second.dump() == whole.dump()


@RUN
@given(STEPS)
def test_under_a_silence_over_everything_nothing_is_proposed(steps: list[Step]) -> None:
    fold = Triage(Privacy())
    fold.apply(signals(orders=(silence("forever", until=T0 + 10**12),)))
    for finding in run(fold, steps):
        assert finding.proposal is None
        assert finding.status in ("suppressed", "resolved")

"""An alert channel under attack: whoever makes detectors fire fifty thousand times buries neither the SOC nor the truth.

`TOCSIN_FIRINGS` makes it more; a million take a minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import pytest

from alerts.finding import Finding
from alerts.severity import Severity
from alerts.triage import Triage
from tests.helpers.signals import MINUTE, T0, golden, probing, signals
from tocsin.config import Privacy
from tocsin.signal import Signal

FIRINGS: Final = int(os.environ.get("TOCSIN_FIRINGS", "50000"))
CALLERS: Final = 1_000
PER_RECORD: Final = 1_000
RECORD_MS: Final = 2_000

BY_SIGNALS: Final = ("first seen", "severity rose", "it looks like", "looks like")
"""How reasons begin that a signal gave, and not time."""

STRONG: Final = {"count": 5_000, "evidence": {"times_usual": 400.0}}


def storm(hidden: Signal, at_record: int) -> Iterator[list[Signal]]:
    """Yields records of firings by a thousand callers; the hidden signal stands in the middle of one of them."""
    for record in range(FIRINGS // PER_RECORD):
        now = T0 + record * RECORD_MS
        fired = [probing(f"acct-{(record * PER_RECORD + number) % CALLERS}", now) for number in range(PER_RECORD)]
        yield [*fired[:500], hidden, *fired[500:]] if record == at_record else fired


def told(hidden: Signal, at_record: int) -> tuple[Triage, list[list[Finding]]]:
    """Returns triage after the storm, and the findings of each record."""
    fold = Triage(Privacy())
    return fold, [
        fold.apply(signals(*fired, now=T0 + record * RECORD_MS)) for record, fired in enumerate(storm(hidden, at_record))
    ]


@pytest.mark.parametrize(
    ("hidden", "least"),
    [
        (probing("mallory", T0 + 40 * RECORD_MS, **STRONG), Severity.CRITICAL),
        (golden("amount", T0 + 40 * RECORD_MS), Severity.MEDIUM),
        (probing("mallory", T0 + 40 * RECORD_MS, model="prod/other@1"), Severity.MEDIUM),
    ],
    ids=["a stronger caller of the same kind", "another kind", "another model"],
)
def test_what_is_hidden_in_a_storm_is_out_with_its_own_record_and_everything_is_counted(
    hidden: Signal, least: Severity
) -> None:
    fold, said = told(hidden, 40)
    [found, *_] = [finding for finding in said[40] if finding.severity >= least]
    assert hidden.uid in [signal.uid for signal in found.signals]
    everything = [finding for findings in said for finding in findings]
    fired = sum(incident.fired for incident in fold.cases.open.values())
    quiet = sum(incident.quiet for incident in fold.cases.open.values())
    by_signals = [one for one in everything if one.because.startswith(BY_SIGNALS)]
    assert fired == FIRINGS + 1
    assert quiet + len(by_signals) == fired
    assert len(everything) <= 60


def test_once_it_is_a_storm_one_model_and_kind_speaks_at_most_once_a_minute() -> None:
    _, said = told(probing("acct-1", T0), 0)
    first = next(record for record, findings in enumerate(said) if any(finding.is_group for finding in findings))
    later = [finding.time for findings in said[first + 1 :] for finding in findings if finding.is_group]
    assert all(b - a >= MINUTE for a, b in pairwise(later))

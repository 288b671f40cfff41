"""What a replay prints: the rows that triggered, and who is behind a hash."""

from __future__ import annotations

import orjson
from msgspec.structs import replace

from alerts.formats import encode
from alerts.incident import MAX_EXAMPLES
from alerts.triage import Triage
from streams.raw_events import Events
from streams.replay import Found, Replay
from streams.replay_report import lines
from tests.helpers.signals import T0, colluding, coordinates, probing, searching, signals
from tocsin.config import Privacy


def test_the_lab_shows_the_members_of_a_crowd_that_the_evidence_names_by_hash() -> None:
    (finding,) = Triage(Privacy()).apply(signals(colluding()))
    one, other, *_ = str(finding.lead.evidence["members"]).split(", ")
    known = {one: ("acct-1", "user"), other: ("acct-2", "user")}
    found = Replay((Found(encode("ocsf", finding), ()),), (), (), {}, known)
    line, _ = map(orjson.loads, lines(found, Events(lambda: iter(()))))
    assert [(named["hash"], named["id"]) for named in line["lab"]["callers"]] == [(one, "acct-1"), (other, "acct-2")]
    events = line["finding"]["finding_info"]["related_events"]
    assert events[0]["uid"] == f"kafka:{finding.lead.at}"


def test_the_row_that_made_the_leading_signal_cross_is_always_named_first() -> None:
    fold = Triage(Privacy())
    fold.apply(signals(probing(examples=tuple(coordinates(n) for n in range(9)))))
    (later,) = fold.apply(signals(replace(searching(at=T0 + 1), at=coordinates(977)), now=T0 + 1))
    assert later.examples[0] == str(coordinates(977))
    assert len(later.examples) == MAX_EXAMPLES

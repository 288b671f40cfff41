"""One finding of every kind and activity that triage can say, for the tests of formats and wording."""

from __future__ import annotations

import msgspec

from alerts.casebook import CROWD
from alerts.finding import Finding
from alerts.triage import Triage
from tests.helpers.signals import (
    HOUR,
    MINUTE,
    T0,
    arriving,
    caller,
    colluding,
    drift,
    fault,
    golden,
    loss,
    order,
    probing,
    provisional,
    remembering,
    searching,
    shifted,
    signals,
    silence,
    sweep,
)
from tocsin.config import Privacy
from tocsin.signal import Kind, Signal

HOSTILE = "acct\u202e8841\x1b]0;pwn\x07\n\u200b\x9b\U000e0041"
"""A caller's id with a right-to-left override, a terminal escape, a newline, a zero-width space, a C1 control and a tag."""


def judged() -> list[Signal]:
    """Returns signals of every detector with a baseline, armed and not, each about a model of its own."""
    gap = {"baseline": "3fa2c1d4e5f6", "golden_share": 0.001, "recent_share": 0.45}
    gained = {"baseline": "3fa2c1d4e5f6", "golden_share": 0.03, "recent_share": 0.12, "gained": "refuse"}
    armed = [
        golden(model="prod/moved@1"),
        golden(model="prod/cents@1", evidence=shifted(100.0)),
        golden("missing amount", model="prod/gap@1", evidence=gap),
        golden("=country", model="prod/country@1", evidence=gained),
        golden("confidence", model="prod/unsure@1", detector="confidence_shift", evidence=shifted(0.8)),
        golden("label", model="prod/refuses@1", detector="confidence_shift", evidence=gained),
        golden("envelope", model="prod/strange@1", detector="envelope"),
        golden("latency_ms", model="prod/slow@1", detector="latency_shift", kind=Kind.FAULT),
        golden("features", model="prod/pushed@1", detector="disagreement", evidence={"odd key": 7, "word": "x"}),
        sweep(model="prod/swept@1"),
        sweep(model="prod/few@1", evidence={}),
        sweep(T0 + 2 * HOUR, model="prod/swept@1"),
        golden("amount & balance", model="prod/apart@1"),
        *callers_and_crowds(),
    ]
    unarmed = [msgspec.structs.replace(s, uid=f"{s.uid}-p", model=f"{s.model}1", ladder="provisional") for s in armed]
    no_gate = provisional(model="prod/nogate@1", claim="advisory", false_alerts_per_month=None)
    wide = [golden(f"input {i}", T0 + i, model="prod/wide@1") for i in range(12)]
    return [*armed, *unarmed, no_gate, *wide, drift(model="prod/wide@1"), drift(model="prod/moved@1")]


def callers_and_crowds() -> list[Signal]:
    """Returns signals of the detectors of query attacks, each about a model or a caller of its own."""
    paths = ("label flip", "margin", "envelope", "self-similarity")
    told = {"interval_low": 0.4931, "interval_high": 0.5078, "bits_learned": 6.1, "distinct_callers": 200}
    return [
        *(searching(name, f"path {name}", model="prod/path@1") for name in paths),
        searching("margin", "agreed", model="prod/agreed@1"),
        probing("agreed", model="prod/agreed@1"),
        remembering("member", model="prod/member@1"),
        *(colluding(name, model=f"prod/{name.split()[0]}@1") for name in ("crowded cells", "low margin", "shared template")),
        arriving(model="prod/cohort@1"),
        sweep(model="prod/learned@1", evidence=told),
    ]


def all_findings(privacy: Privacy | None = None) -> list[Finding]:
    """Returns findings of every kind created, updated, silenced, closed by time and by people; callers of every id kind."""
    fold = Triage(privacy or Privacy())
    who = [caller(f"{kind}-1", kind) for kind in ("api_key_hash", "user", "service", "unknown")]
    fired = [
        *(
            probing(one)
            for one in (
                *who,
                caller("203.0.113.42", "ip"),
                caller("2001:DB8::7", "ip"),
                caller("no address", "ip"),
                caller(HOSTILE, "user"),
                caller(HOSTILE),
            )
        ),
        *(probing(f"crowd-{i}", model="prod/other@1") for i in range(CROWD + 5)),
        drift(),
        drift("half_space_trees", watches="features", evidence={}),
        drift("page_hinkley", kind=Kind.FAULT, watches="latency_ms"),
        drift("page_hinkley", kind=Kind.FAULT, watches="error rate", model="prod/failing@1"),
        probing("no-techniques", model="prod/plain@1", techniques=(), false_alerts_per_month=None, share=None),
        *judged(),
        probing("odd", model="noslash", techniques=("AML.T9999", "AML.T0024.999"), evidence={"word": "x", "n": 1, "r": 0.25}),
    ]
    faults = (fault(), fault(model="", detector="ledger"))
    found = fold.apply(signals(*fired, faults=faults, losses=(loss(),)))
    found += fold.apply(signals(*(probing(one, T0 + 1_000, count=9_999) for one in who), now=T0 + 1_000))
    found += fold.apply(signals(now=T0 + MINUTE))
    mute = silence(reason="a\nb", model="prod/mute")
    found += fold.apply(signals(probing("quiet", model="prod/mute@1"), orders=(mute,), now=T0 + 2 * MINUTE))
    verdicts = ("false-positive", "expected", "true-positive")
    orders = tuple(
        order("close", finding_uid=f.incident, verdict=v, author="ana") for f, v in zip(found, verdicts, strict=False)
    )
    found += fold.apply(signals(orders=orders, now=T0 + 3 * MINUTE))
    found += fold.apply(signals(now=T0 + 9 * HOUR))
    drifted = [f for f in found if f.kind in (Kind.DRIFT, Kind.FAULT) and f.activity == "close"]
    late = tuple(order("close", finding_uid=f.incident, verdict="expected", author="ana") for f in drifted)
    found += fold.apply(signals(orders=late, now=T0 + 10 * HOUR))
    return found

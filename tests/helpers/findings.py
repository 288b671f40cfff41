"""One finding of every kind and activity that triage can say, for the tests of formats and wording."""

from __future__ import annotations

from alerts.casebook import CROWD
from alerts.finding import Finding
from alerts.triage import Triage
from tests.helpers.signals import HOUR, MINUTE, T0, caller, drift, fault, loss, order, probing, signals, silence
from tocsin.config import Privacy
from tocsin.signal import Kind

HOSTILE = "acct\u202e8841\x1b]0;pwn\x07\n\u200b\x9b\U000e0041"
"""A caller's id with a right-to-left override, a terminal escape, a newline, a zero-width space, a C1 control and a tag."""


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
        probing("no-techniques", model="prod/plain@1", techniques=(), false_alerts_per_month=None, share=None),
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
    return found

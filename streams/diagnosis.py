"""Diagnosis: what facts about an installation mean — fine, odd, or broken — and what to do about it. Pure."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from streams.admin import Difference
from streams.positions import Ends

Status = Literal["ok", "warn", "bad"]

LAG_WARN: Final = 10_000
"""Records that a group may be behind before that is worth a line; a busy second of raw events, or a day of quiet frames."""

SKEW_WARN_MS: Final = 1_000
SKEW_BAD_MS: Final = 10_000
"""Intake holds back partitions that are 10 s ahead; a clock that is off by more decides what waits."""

VERSIONS: Final[dict[str, str]] = {
    "faust-streaming": "0.15.",
    "aiokafka": "0.14.",
    "confluent-kafka": "2.",
    "river": "0.26.",
}
"""Packages whose behaviour or bytes we rely on beyond their documentation → the versions that were proved."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        status: `ok`, `warn` (works, but look at it) or `bad` (will not work, or will not keep its promise).
        found: what is there.
        advice: what to do, "" when nothing.
    """

    name: str
    status: Status
    found: str
    advice: str = ""


class Skew(NamedTuple):
    """This machine's clock minus the broker's, milliseconds, known to within ± `error_ms`."""

    ms: float
    error_ms: float


def worst(checks: Iterable[Check]) -> Status:
    """Returns the most serious status; `ok` for none."""
    order: tuple[Status, ...] = ("ok", "warn", "bad")
    return max((check.status for check in checks), key=order.index, default="ok")


def of_refusal(reason: str) -> Check:
    """Returns what a broker that did not let us in means."""
    if "uthenti" in reason:
        return Check("login", "bad", reason, "set security, sasl_mechanism, username in [kafka] and TOCSIN_KAFKA_PASSWORD")
    if "uthoriz" in reason:
        return Check("rights", "bad", reason, "doctor looks at topics, settings and groups: let it log in as an administrator")
    return Check("broker", "bad", reason, "is Kafka running, and are brokers and security in [kafka] its listener's?")


def of_topics(differences: Iterable[Difference], raw: Iterable[str]) -> list[Check]:
    """Returns a check for every topic that differs, or one that says that none does.

    Args:
        differences: from `streams.admin.check_topics`.
        raw: names of the producers' topics.
    """
    theirs = set(raw)
    return [_of_difference(difference, difference.topic in theirs) for difference in differences] or [
        Check("topics", "ok", "every topic is as it must be")
    ]


def _of_difference(difference: Difference, theirs: bool) -> Check:
    topic, what, wanted, there = difference
    if what == "topic":
        return Check(f"topic {topic}", "bad", "missing", f"tocsin topics create{' --raw' if theirs else ''}")
    found = f"{what} is {there}, not {wanted}"
    if what == "partitions":
        advice = "set shards and groups in [detection] to what the topics have, or start a new generation under a new prefix"
        return Check(f"topic {topic}", "bad", found, advice)
    if what == "message.timestamp.type":
        claim = "producers' clocks are believed; " if theirs else ""
        advice = f"{claim}kafka-configs --alter --entity-type topics --entity-name {topic} --add-config {what}={wanted}"
        return Check(f"topic {topic}", "warn" if theirs else "bad", found, advice)
    return Check(f"topic {topic}", "bad", found, f"kafka-configs --alter --entity-type topics --entity-name {topic}")


def of_lag(group: str, positions: Mapping[tuple[str, int], int], logs: Mapping[tuple[str, int], Ends]) -> Check:
    """Returns how far a consumer group is behind.

    Args:
        group: its name.
        positions: (topic, partition) → committed position.
        logs: (topic, partition) → where its log starts and ends, for every partition that the group should read.
    """
    name = f"lag {group}"
    lost = [f"{topic}-{part}" for (topic, part), at in sorted(positions.items()) if at < logs[topic, part].start]
    if lost:
        return Check(
            name,
            "bad",
            f"records below the log start were never read: {', '.join(lost)}",
            "raise retention; see the health topic",
        )
    behind = sum(log.end - max(positions.get(where, log.start), log.start) for where, log in logs.items())
    if not positions:
        status: Status = "warn" if behind else "ok"
        return Check(name, status, f"never committed; {behind} records wait", "start it with `tocsin run`" if behind else "")
    if behind > LAG_WARN:
        return Check(
            name, "warn", f"{behind} records behind", "is it running and fast enough? add a process, or look at its log"
        )
    return Check(name, "ok", f"{behind} records behind")


def of_clock(skew: Skew) -> Check:
    """Returns what the difference between this machine's clock and the broker's means."""
    found = (
        f"this machine is {abs(skew.ms):.0f} ms {'ahead of' if skew.ms > 0 else 'behind'} the broker (± {skew.error_ms:.0f})"
    )
    certain = abs(skew.ms) - skew.error_ms
    if certain <= SKEW_WARN_MS:
        return Check("clock", "ok", found)
    return Check("clock", "bad" if certain > SKEW_BAD_MS else "warn", found, "synchronise both clocks (NTP)")


def of_versions(installed: Mapping[str, str]) -> Check:
    """Returns whether the packages we lean on are the ones that were proved.

    Args:
        installed: package → version, "" when it is absent.
    """
    odd = [
        f"{name} {installed.get(name) or 'absent'}"
        for name, ours in VERSIONS.items()
        if not installed.get(name, "").startswith(ours)
    ]
    if odd:
        wanted = ", ".join(f"{name} {ours}*" for name, ours in VERSIONS.items())
        return Check("versions", "bad", ", ".join(odd), f"install with constraints.txt ({wanted})")
    return Check("versions", "ok", ", ".join(f"{name} {installed[name]}" for name in VERSIONS))


def of_key(where: str, mode: int | None, problem: str) -> Check:
    """Returns whether the deployment's key is there and private.

    Args:
        where: file, or `TOCSIN_KEY`.
        mode: the file's mode, None when it is not a file.
        problem: why it cannot be used, "" when it can.
    """
    if problem:
        return Check("key", "bad", problem, "tocsin init writes one; chmod 600")
    if mode is not None and mode & stat.S_IRWXG:
        return Check("key", "warn", f"{where} has mode {stat.S_IMODE(mode):04o}: its group can use it", f"chmod 600 {where}")
    return Check("key", "ok", f"{where} can be used and is private")

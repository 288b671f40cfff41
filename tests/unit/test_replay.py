"""Replay: the same input gives the same bytes, and a capture is what its own folds say it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from drills.plan import Plan
from drills.play import play
from streams.capture_file import Captured, write_capture
from streams.chain import Chain
from streams.cli.traffic import replay as replay_command
from streams.clients import topic_name
from streams.intake.core import frames_of
from streams.raw_events import Events, merged
from streams.recheck import EXACT, Incident, compared_incidents, incidents_of, recheck, recheck_incidents
from streams.replay import Replay, replay_captured, replay_file, replay_raw
from streams.replay_report import lines
from tocsin.config import Config, Detection, RawTopic
from tocsin.errors import ConfigError, Exit, FileError, HoleError
from tocsin.frame import encode_frame
from tocsin.ids import DEVELOPMENT_KEY, caller_hash, derive_key

# Callers are judged once two minutes and 5,000 calls of a shard have been seen.
PLAN = Plan(rate=95.0, seconds=200.0, callers=8000, attack_events=500, seed=3, onset=0.7, until=0.8)
CONFIG = Config(topic=(RawTopic("events", "canonical"),), clock="event", detection=Detection(shards=2))


@cache
def drill() -> tuple[tuple[int, bytes], ...]:
    return tuple((ts, line) for batch in play("probe", PLAN) for ts, line in zip(batch.ts, batch.lines, strict=True))


@cache
def raw() -> tuple[Captured, ...]:
    """The drill in two partitions of a topic whose append time is event time."""
    offsets = [0, 0]
    records = []
    for number, (ts, line) in enumerate(drill()):
        partition = number % 3 % 2
        records.append(Captured("raw", "events", "topic-id", partition, offsets[partition], ts, None, line))
        offsets[partition] += 1
    return tuple(records)


@cache
def run() -> tuple[Captured, ...]:
    """Everything that a deployment's topics hold after the drill, as a capture would find it."""
    records = list(raw())
    chain = Chain(CONFIG)
    ends: dict[tuple[str, int], int] = {}

    def keep(role: str, partition: int, key: bytes, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        offset = ends.get((role, partition), 0)
        ends[role, partition] = offset + 1
        records.append(Captured(role, topic_name(CONFIG.kafka, role), role, partition, offset, 0, key, value, headers))

    for shard, frame in frames_of(merged(raw()), CONFIG, derive_key(DEVELOPMENT_KEY, "caller")):
        keep("frames", shard, b"", encode_frame(frame))
        for send in chain.append(shard, encode_frame(frame)):
            keep(send.topic, send.partition, send.key, send.value, send.headers)
    return tuple(records)


def of(role: str, records: Sequence[Captured]) -> list[Captured]:
    return [record for record in records if record.role == role]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "events.jsonl"
    path.write_bytes(b"".join(line + b"\n" for _, line in drill()))
    return path


@pytest.fixture(scope="module")
def replayed(file: Path) -> tuple[Replay, Events]:
    return replay_file(file, CONFIG)


def printed(replay: Replay, events: Events | None = None) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in lines(replay, events)]


def test_the_same_file_twice_gives_the_same_bytes(file: Path, replayed: tuple[Replay, Events]) -> None:
    assert lines(*replay_file(file, CONFIG)) == lines(*replayed)


def test_an_attacker_in_a_file_is_found_and_a_throttle_is_proposed(replayed: tuple[Replay, Events]) -> None:
    replay, _ = replayed
    [attacker] = PLAN.attackers()
    evidences = [evidence for finding in replay.findings for evidence in orjson.loads(finding)["evidences"]]
    who = {evidence["actor"]["user"]["uid"] for evidence in evidences if "actor" in evidence}
    assert attacker in who
    assert attacker in {target["caller"] for proposal in replay.proposals for target in orjson.loads(proposal)["targets"]}


def test_every_finding_has_its_line_and_the_last_line_is_the_summary(replayed: tuple[Replay, Events]) -> None:
    *findings, summary = printed(replayed[0])
    assert [list(line) for line in findings] == [["finding"]] * len(findings)
    counts = summary["summary"]["counts"]
    assert counts["findings"] == len(findings) > 0
    assert counts["events"] == len(drill())
    assert counts["proposals"] == len(summary["summary"]["proposals"])


def test_the_lab_shows_callers_and_triggering_events_in_clear(replayed: tuple[Replay, Events]) -> None:
    line = next(line for line in printed(*replayed)[:-1] if line["lab"]["callers"])
    assert line["lab"]["callers"][0]["id"] in PLAN.attackers()
    sent = {event for _, event in drill()}
    assert line["lab"]["events"]
    assert all(event["event"].encode() in sent for event in line["lab"]["events"])
    assert line["lab"]["signals"]


def test_lines_that_are_no_events_are_counted_by_reason(tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(drill()[0][1] + b"\n\n[1\n" + drill()[1][1] + b"\n")
    [summary] = printed(replay_file(path, CONFIG)[0])
    assert summary["summary"]["rejected"] == {"JSON": 1}
    assert summary["summary"]["counts"] == summary["summary"]["counts"] | {"events": 2, "rejected": 1, "findings": 0}


def test_an_empty_file_leads_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    [summary] = printed(replay_file(tmp_path / "empty", CONFIG)[0])
    assert summary["summary"]["counts"]["events"] == 0


def test_a_missing_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError) as error:
        replay_file(tmp_path / "none", CONFIG)
    assert error.value.exit_code == Exit.FILE


def test_a_named_topic_must_be_configured(file: Path) -> None:
    with pytest.raises(ConfigError, match="topic 'other' must be in the configuration"):
        replay_file(file, CONFIG, topic="other")


def test_captured_records_of_a_topic_nobody_configured_are_refused() -> None:
    with pytest.raises(ConfigError, match="topic 'events' of the input"):
        replay_captured(raw(), Config(detection=Detection(shards=2)))


def test_captured_raw_records_tell_the_same_incidents_as_the_lines(replayed: tuple[Replay, Events], tmp_path: Path) -> None:
    write_capture(tmp_path / "capture", raw())
    from_lines, _ = replayed
    from_capture, _ = replay_file(tmp_path / "capture", CONFIG)
    assert incidents_of(from_capture.findings) == incidents_of(from_lines.findings)
    assert sum(incidents_of(from_lines.findings).values()) > 0


def test_another_key_hashes_callers_otherwise() -> None:
    one, other = (replay_raw(merged(raw()[:2000]), CONFIG, key) for key in (DEVELOPMENT_KEY, b"another key"))
    assert one.callers.keys().isdisjoint(other.callers)
    assert sorted(one.callers.values()) == sorted(other.callers.values())


def test_raw_records_merge_by_append_time_and_keep_each_partition_in_its_order() -> None:
    def at(partition: int, offset: int, append_ms: int) -> Captured:
        return Captured("raw", "t", "id", partition, offset, append_ms, None, b"")

    captured = [at(0, 0, 100), at(0, 1, 90), at(0, 2, 300), at(1, 0, 95), at(1, 1, 200)]
    order = [(record.partition, record.offset) for record in merged(captured)]
    assert order == [(1, 0), (0, 0), (0, 1), (1, 1), (0, 2)]


def test_events_are_found_again_by_their_place() -> None:
    events = Events(lambda: iter(merged(raw())))
    record = raw()[5]
    place = (record.topic, record.partition, record.offset)
    assert events.at(frozenset([place, ("events", 0, 10**9)])) == {place: record.value}


def test_frames_readings_and_signals_lead_to_what_was_captured_byte_for_byte() -> None:
    compared = recheck(run(), CONFIG)
    assert [found.topic for found in compared] == list(EXACT)
    assert all(found.equal for found in compared)
    assert all(found.captured == len(of(found.topic, run())) for found in compared)
    assert of("alerts", run())


def test_raw_records_lead_to_the_incidents_that_the_captured_alerts_tell_of() -> None:
    assert recheck_incidents(run(), CONFIG, DEVELOPMENT_KEY) == (Counter(), Counter())


def test_a_checked_capture_is_followed_from_raw_records_to_incidents_with_the_deployments_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_capture(tmp_path / "capture", run())
    (tmp_path / "tocsin.toml").write_text(
        'clock = "event"\n[detection]\nshards = 2\n[[topic]]\nname = "events"\nformat = "canonical"\n', encoding="utf-8"
    )
    file, config = tmp_path / "capture", str(tmp_path / "tocsin.toml")
    told = []
    for keyed, exit_code in ((False, Exit.OK), (True, Exit.CHECK_FAILED)):
        monkeypatch.setenv("TOCSIN_KEY", "ab" * 32)
        assert replay_command(file, check=True, keyed=keyed, config=config, as_json=True) == exit_code
        told.append([topic["topic"] for topic in orjson.loads(capsys.readouterr().out)["topics"]])
    assert told == [[*EXACT], [*EXACT, "incidents"]]
    compared = compared_incidents(run(), CONFIG, DEVELOPMENT_KEY)
    assert (compared.topic, compared.equal) == ("incidents", True)
    assert compared.captured == compared.recomputed > 0


def test_an_incident_nobody_was_told_of_is_missing() -> None:
    silent = [record for record in run() if record.role != "alerts"]
    missing, extra = recheck_incidents(silent, CONFIG, DEVELOPMENT_KEY)
    assert Incident("payments/card-fraud@3", "probing", _attackers()) in missing
    assert not extra


def test_records_that_a_restarted_worker_repeated_change_nothing() -> None:
    repeated = [record._replace(offset=record.offset + 10**6) for record in run() if record.role in EXACT][-200:]
    assert all(found.equal for found in recheck([*run(), *repeated], CONFIG))


def test_a_finding_that_follows_from_nothing_is_extra_and_the_true_one_is_missing() -> None:
    finding = of("alerts", run())[0]
    forged = finding._replace(value=(finding.value or b"").replace(b"probing", b"forgery"))
    records = [forged if record == finding else record for record in run()]
    [alerts] = [found for found in recheck(records, CONFIG) if not found.equal]
    assert (alerts.topic, alerts.missing, alerts.extra) == ("alerts", 1, 1)


def test_a_lost_reading_is_a_hole() -> None:
    lost = of("readings", run())[10]
    with pytest.raises(HoleError):
        recheck([record for record in run() if record != lost], CONFIG)


def test_a_capture_of_frames_alone_is_replayed_from_them() -> None:
    replay, _ = replay_captured(of("frames", run()), CONFIG)
    assert Incident("payments/card-fraud@3", "probing", _attackers()) in incidents_of(replay.findings)
    assert replay.counts["events"] == len(drill())


def _attackers() -> tuple[str, ...]:
    key = derive_key(DEVELOPMENT_KEY, "caller")
    return tuple(f"{caller_hash(key, 'api_key_hash', caller):016x}" for caller in PLAN.attackers())

"""The permission table follows from `TOPICS`: nobody may do what no reader or writer column says."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from streams.acls import GROUPS, Acl, acls, command_line, roles
from streams.cli import main
from streams.stages import STAGES, Stage
from streams.topics import TOPICS
from tocsin.config import Config, Kafka, RawTopic

CONFIG = Config(kafka=Kafka(prefix="p."), topic=(RawTopic("fraud.events"),))
TABLE = acls(CONFIG)


@pytest.mark.parametrize("key", TOPICS)
def test_exactly_the_readers_and_writers_of_a_topic_may_read_and_write_it(key: str) -> None:
    name = f"p.{TOPICS[key].name}"
    assert {acl.user for acl in TABLE if acl.name == name and acl.operation == "READ"} == set(TOPICS[key].readers)
    assert {acl.user for acl in TABLE if acl.name == name and acl.operation == "WRITE"} == set(TOPICS[key].writers)


@pytest.mark.parametrize("row", STAGES.values(), ids=STAGES)
def test_every_stage_may_do_what_its_row_in_the_table_of_stages_needs(row: Stage) -> None:
    granted = {(acl.operation, acl.name) for acl in TABLE if acl.user == row.name}
    needed = {("READ", TOPICS[row.input].name), ("READ", TOPICS[row.state].name), ("WRITE", TOPICS[row.state].name)}
    needed |= {("WRITE", TOPICS[row.onward].name)} if row.onward else set()
    assert {(operation, f"p.{name}") for operation, name in needed} <= granted


def test_producers_write_raw_topics_and_only_intake_reads_them() -> None:
    assert [acl for acl in TABLE if acl.name == "fraud.events" and acl.operation != "DESCRIBE"] == [
        Acl("intake", "READ", "TOPIC", "fraud.events"),
        Acl("producers", "WRITE", "TOPIC", "fraud.events"),
    ]


def test_a_role_reads_with_its_own_groups_only() -> None:
    groups = {(acl.user, acl.name) for acl in TABLE if acl.resource == "GROUP"}
    reading = {role for role in roles() if any(role in t.readers for t in TOPICS.values())}
    assert groups == {(role, f"p.tocsin.{group}") for role in reading for group in GROUPS.get(role, (role,))}


def test_a_process_that_runs_three_stages_holds_their_union() -> None:
    mapped = acls(CONFIG, {"sense": "worker", "judge": "worker", "triage": "worker"})
    assert not {"sense", "judge", "triage"} & {acl.user for acl in mapped}
    theirs = {acl._replace(user="worker") for acl in TABLE if acl.user in ("sense", "judge", "triage")}
    assert {acl for acl in mapped if acl.user == "worker"} == theirs


def test_a_permission_is_a_line_for_kafkas_own_tool() -> None:
    line = command_line(Acl("intake", "READ", "TOPIC", "fraud events"), "a:9092")
    assert line == (
        "kafka-acls.sh --bootstrap-server a:9092 --add --allow-principal User:intake --operation Read --topic 'fraud events'"
    )


def test_the_command_shows_the_whole_table_for_the_users_it_is_told(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "tocsin.toml").write_text('[kafka]\nprefix = "p."\n[[topic]]\nname = "fraud.events"\n')
    told = ["--config", str(tmp_path / "tocsin.toml"), "--user", "sense=worker"]
    assert main(["topics", "acls", *told, "--json"]) == 0
    shown = orjson.loads(capfdbinary.readouterr().out)
    assert shown == {"applied": False, "acls": [acl._asdict() for acl in acls(CONFIG, {"sense": "worker"})]}
    assert main(["topics", "acls", *told, "--lines"]) == 0
    assert len(capfdbinary.readouterr().out.splitlines()) == len(shown["acls"])
    assert main(["topics", "acls", *told[:2], "--user", "sence=worker"]) == 2
    assert b"sence=worker" in capfdbinary.readouterr().err

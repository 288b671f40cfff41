"""Doctor's judgement: which facts are fine, which are odd, which are broken, and that it says what to do."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from streams.admin import Difference
from streams.diagnosis import (
    LAG_WARN,
    SKEW_BAD_MS,
    VERSIONS,
    Check,
    Skew,
    of_clock,
    of_key,
    of_lag,
    of_refusal,
    of_topics,
    of_versions,
    worst,
)
from streams.doctor import check_key, check_versions, groups
from streams.key_file import write_key
from streams.positions import Ends
from streams.stages import STAGES
from tocsin.config import Config, Kafka, RawTopic

PROVED = {name: f"{prefix}1" for name, prefix in VERSIONS.items()}


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("SASL authentication error: Authentication failed", "login"),
        ("Topic authorization failed", "rights"),
        ("Connection refused", "broker"),
    ],
)
def test_a_refusal_is_told_apart_by_its_reason(reason: str, name: str) -> None:
    check = of_refusal(reason)
    assert (check.name, check.status, check.found) == (name, "bad", reason)


def test_topics_that_do_not_differ_are_one_good_line() -> None:
    assert of_topics([], ["raw"]) == [Check("topics", "ok", "every topic is as it must be")]


@pytest.mark.parametrize(
    ("difference", "status", "advice"),
    [
        (Difference("ours", "topic", "exists", "missing"), "bad", "tocsin topics create"),
        (Difference("raw", "topic", "exists", "missing"), "bad", "tocsin topics create --raw"),
        (Difference("ours", "partitions", "4", "2"), "bad", "set shards and groups in [detection]"),
        (Difference("ours", "message.timestamp.type", "LogAppendTime", "CreateTime"), "bad", "kafka-configs"),
        (Difference("raw", "message.timestamp.type", "LogAppendTime", "CreateTime"), "warn", "producers' clocks are believed"),
        (Difference("ours", "cleanup.policy", "compact", "delete"), "bad", "kafka-configs"),
    ],
)
def test_every_difference_says_how_bad_it_is_and_what_to_do(difference: Difference, status: str, advice: str) -> None:
    (check,) = of_topics([difference], ["raw"])
    assert check.name == f"topic {difference.topic}"
    assert check.status == status
    assert check.advice.startswith(advice)


def test_lag_counts_from_the_committed_position_or_else_from_the_start_of_the_log() -> None:
    logs = {("t", 0): Ends(0, 10), ("t", 1): Ends(5, 9)}
    assert of_lag("g", {("t", 0): 8}, logs).found == "6 records behind"


def test_a_group_that_keeps_up_is_fine_and_one_that_does_not_is_a_warning() -> None:
    logs = {("t", 0): Ends(0, 2 * LAG_WARN)}
    assert of_lag("g", {("t", 0): LAG_WARN}, logs).status == "ok"
    assert of_lag("g", {("t", 0): LAG_WARN - 1}, logs).status == "warn"


def test_a_group_that_never_started_is_a_warning_only_when_records_wait() -> None:
    assert of_lag("g", {}, {("t", 0): Ends(0, 3)}).status == "warn"
    assert of_lag("g", {}, {("t", 0): Ends(3, 3)}).status == "ok"


def test_a_position_below_the_log_start_is_lost_data() -> None:
    check = of_lag("g", {("t", 1): 4}, {("t", 0): Ends(0, 3), ("t", 1): Ends(5, 9)})
    assert check.status == "bad"
    assert check.found.endswith("never read: t-1")


@pytest.mark.parametrize(
    ("skew", "status"),
    [
        (Skew(900, 5), "ok"),
        (Skew(-1_900, 5), "warn"),
        (Skew(-1_900, 1_000), "ok"),  # a slow answer proves nothing
        (Skew(SKEW_BAD_MS + 100, 5), "bad"),
    ],
)
def test_a_clock_is_judged_by_what_is_certain_about_it(skew: Skew, status: str) -> None:
    assert of_clock(skew).status == status


def test_the_clock_says_which_side_is_ahead() -> None:
    assert "ahead of the broker" in of_clock(Skew(10, 1)).found
    assert "behind the broker" in of_clock(Skew(-10, 1)).found


def test_a_package_that_was_not_proved_is_named() -> None:
    assert of_versions(PROVED).status == "ok"
    check = of_versions({**PROVED, "aiokafka": "0.13.9", "river": ""})
    assert (check.status, check.found) == ("bad", "aiokafka 0.13.9, river absent")


def test_the_versions_proved_are_those_that_the_packaging_asks_for() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    wanted = "\n".join(tomllib.loads(pyproject.read_text())["project"]["dependencies"])
    assert check_versions().status == "ok"
    for name, prefix in VERSIONS.items():
        assert f"{name}>={prefix.rstrip('.')}" in wanted


@pytest.mark.parametrize(("mode", "status"), [(0o600, "ok"), (0o640, "warn"), (0o644, "bad")])
def test_a_key_that_others_can_read_is_found(mode: int, status: str, tmp_path: Path) -> None:
    path = tmp_path / "tocsin.key"
    write_key(path)
    path.chmod(mode)
    assert check_key(Config(key_file=str(path)), {}).status == status


def test_an_absent_key_is_found_and_one_from_the_environment_needs_no_file(tmp_path: Path) -> None:
    config = Config(key_file=str(tmp_path / "absent"))
    assert check_key(config, {}).status == "bad"
    assert check_key(config, {"TOCSIN_KEY": "ab" * 32}).status == "ok"
    assert of_key("TOCSIN_KEY", None, "").found.startswith("TOCSIN_KEY")


def test_lag_is_looked_at_for_intake_and_every_stage() -> None:
    found = groups(Config(kafka=Kafka(prefix="p."), topic=(RawTopic("raw"),)))
    assert set(found) == {f"p.tocsin.{role}" for role in ("intake", *STAGES)}
    assert found["p.tocsin.intake"] == ["raw", "p.ml.labels.v1", "p.tocsin.control.v1"]


def test_one_bad_check_makes_the_whole_bad() -> None:
    checks = [Check("a", "ok", ""), Check("b", "bad", ""), Check("c", "warn", "")]
    assert (worst(checks), worst(checks[::2]), worst([])) == ("bad", "warn", "ok")

"""Command line: help, mistakes, machine output, pipes. Commands run in-process; what needs a process of its own says why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from drills.scenarios import SCENARIOS
from streams.cli import app as cli
from streams.cli.app import GROUPS, VERBS, build, main
from streams.cli.output import clean
from streams.cli.when import shown, until_ms
from streams.config_file import ENVIRONMENT
from tocsin.errors import BrokerError, ConfigError, Exit, FileError, HoleError, VersionError

NOW = 1_767_571_200_000
ALL = [(name,) for name, _ in VERBS] + [(group, verb) for group, _, verbs in GROUPS for verb in verbs]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test starts in an empty directory, with no variable set."""
    monkeypatch.chdir(tmp_path)
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("USER", "ana")
    return tmp_path


def run(capfdbinary: pytest.CaptureFixture[bytes], *args: str) -> tuple[int, str, str]:
    code = main(args)
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


@pytest.mark.parametrize("verb", ALL, ids=" ".join)
def test_every_command_explains_itself(verb: tuple[str, ...], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = run(capfdbinary, *verb, "--help")
    assert (code, err) == (0, "")
    assert f"tocsin {' '.join(verb)}" in out


def test_no_arguments_print_the_help_and_are_a_mistake(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = run(capfdbinary)
    assert code == Exit.CONFIG
    assert "simulate" in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("wroker",), "Did you mean 'worker'"),
        (("config", "shwo"), "Did you mean 'show'?"),
        (("config", "show", "--jsn"), "--json"),
        (("alerts", "show"), "Missing argument 'uid'"),
        (("simulate", "probe", "--rate", "many"), "'--rate'"),
    ],
)
def test_a_slip_of_the_fingers_gets_a_suggestion(
    args: tuple[str, ...], hint: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, out, err = run(capfdbinary, *args)
    assert (code, out) == (Exit.CONFIG, "")
    assert err.startswith("tocsin: ")
    assert hint in err


def test_init_show_and_check_belong_together(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(capfdbinary, "init", "--topic", "scores")[0] == 0
    code, out, _ = run(capfdbinary, "config", "show", "--json")
    rows = {row["key"]: row for row in json.loads(out)["settings"]}
    assert code == 0
    assert rows["topic[0].name"] == {"key": "topic[0].name", "value": "scores", "origin": "file"}
    assert rows["detection.shards"]["origin"] == "default"
    code, out, _ = run(capfdbinary, "config", "check", "--json")
    assert (code, json.loads(out)) == (0, {"file": "tocsin.toml", "ok": True, "warnings": []})
    code, _, err = run(capfdbinary, "init")
    assert (code, err) == (Exit.CONFIG, "tocsin: tocsin.toml: exists already and is not overwritten\n")


def test_show_masks_the_password_and_names_the_variable(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["init"])
    capfdbinary.readouterr()
    for name, value in (("SECURITY", "SASL_SSL"), ("USERNAME", "tocsin"), ("PASSWORD", "hunter2")):
        monkeypatch.setenv(f"TOCSIN_KAFKA_{name}", value)
    for args in (("config", "show"), ("config", "show", "--json")):
        code, out, _ = run(capfdbinary, *args)
        assert code == 0
        assert "hunter2" not in out
        assert "********" in out
        assert "TOCSIN_KAFKA_PASSWORD" in out


def test_check_advises_and_stays_at_zero(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    main(["init", "--brokers", "kafka.internal:9092"])
    monkeypatch.setenv("TOCSIN_KAFKA_BROKER", "typo:9092")
    capfdbinary.readouterr()
    code, out, err = run(capfdbinary, "config", "check")
    assert code == 0
    assert "did you mean TOCSIN_KAFKA_BROKERS?" in err
    assert "unencrypted" in err
    assert "3 warning(s)" in out


def test_without_a_configuration_every_command_that_needs_one_says_what_writes_it(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    for args in (("worker",), ("run",), ("topics", "check"), ("alerts", "tail"), ("silence", "list"), ("capture", "x")):
        code, out, err = run(capfdbinary, *args)
        assert (code, out, err) == (Exit.CONFIG, "", "tocsin: tocsin.toml: no such file; `tocsin init` writes one\n"), args


@pytest.mark.parametrize("error", [ConfigError, FileError, BrokerError, VersionError, HoleError])
def test_an_error_is_one_line_and_its_own_exit_code(
    error: type[ConfigError], capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error("where: wanted; got \x1b[2J")

    monkeypatch.setattr(cli, "VERBS", (*VERBS, ("fail", fail)))
    code, out, err = run(capfdbinary, "fail")
    assert (code, out, err) == (error.exit_code, "", "tocsin: where: wanted; got \\u001b[2J\n")


def test_our_own_bug_shows_its_traceback_and_exits_70(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "VERBS", (*VERBS, ("fail", lambda: 1 // 0)))
    code, _, err = run(capfdbinary, "fail")
    assert code == Exit.FAULT
    assert "ZeroDivisionError" in err


def test_with_json_an_error_is_one_json_object(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = run(capfdbinary, "topics", "check", "--json")
    assert (code, err) == (Exit.CONFIG, "")
    assert json.loads(out)["error"]["name"] == "config"
    code, out, err = run(capfdbinary, "topics", "chekc", "--json")
    assert json.loads(out)["error"]["code"] == code == Exit.CONFIG


def test_a_verdict_or_a_silence_that_makes_no_sense_is_refused_before_kafka_is_asked(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    for args, hint in (
        (("alerts", "close", "x", "--as", "fine"), "--as: expected false-positive, expected, true-positive; got 'fine'"),
        (("silence", "add", "--until", "2h", "--reason", "x"), "silencing everything is turning Tocsin off"),
        (("silence", "add", "--until", "2h", "--reason", "x", "--kind", "noise"), "--kind: expected *, probing"),
        (("silence", "add", "--until", "soon", "--reason", "x", "--model", "a/b"), "--until: expected a span such as 2h"),
    ):
        code, _, err = run(capfdbinary, *args)
        assert code == Exit.CONFIG
        assert hint in err


def test_until_is_a_span_or_a_time_with_a_zone_in_the_future() -> None:
    assert until_ms("90m", NOW) == NOW + 5_400_000
    assert until_ms("2026-01-05T18:00Z", NOW) == NOW + 18 * 3_600_000
    assert until_ms("2026-01-05T18:00+02:00", NOW) == NOW + 16 * 3_600_000
    for text, hint in (
        ("2026-01-05T18:00", "time zone"),
        ("2025-01-05T18:00Z", "a time after 2026-01-05T00:00:00Z"),
        ("0s", "a time after"),
    ):
        with pytest.raises(ConfigError, match=hint):
            until_ms(text, NOW)
    assert shown(NOW) == "2026-01-05T00:00:00Z"


def test_text_from_strangers_cannot_move_the_cursor() -> None:
    assert clean("acct\x1b[31m\u202e\tx\r\ny") == "acct\\u001b[31m\\u202e    x\\u000d\ny"


def test_simulate_writes_the_same_file_twice_and_tells_the_truth(
    alone: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name in ("a", "b"):
        args = ("simulate", "probe", "--to", f"{name}.jsonl", "--rate", "20", "--seconds", "60", "--truth", f"{name}.json")
        code, out, _ = run(capfdbinary, *args, "--json")
        assert code == 0
        assert json.loads(out)["events"] == len((alone / f"{name}.jsonl").read_bytes().splitlines())
    assert (alone / "a.jsonl").read_bytes() == (alone / "b.jsonl").read_bytes()
    assert json.loads((alone / "a.json").read_bytes())["kind"] == "probing"


def test_replay_of_a_file_needs_no_configuration_and_says_the_same_twice(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    main(["simulate", "calm", "--to", "a.jsonl", "--rate", "20", "--seconds", "60"])
    capfdbinary.readouterr()
    first, second = (run(capfdbinary, "replay", "a.jsonl", "--json") for _ in range(2))
    assert first == second
    counts = json.loads(first[1].splitlines()[-1])["summary"]["counts"]
    assert counts["events"] > 1000
    assert counts["rejected"] == counts["findings"] == 0
    code, out, _ = run(capfdbinary, "replay", "a.jsonl")
    assert (code, out.count("events")) == (0, 1)


def test_replay_and_dlq_replay_want_to_be_told_what(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for args, hint in (
        (("replay",), "expected FILE or --topic"),
        (("replay", "--topic", "x", "--check"), "expected FILE, a capture"),
        (("dlq", "replay"), "expected --reason, --topic, --key or --all"),
    ):
        code, _, err = run(capfdbinary, *args)
        assert code == Exit.CONFIG
        assert hint in err
    code, _, err = run(capfdbinary, "replay", "missing.jsonl")
    assert code == Exit.FILE
    assert "missing.jsonl" in err


def test_the_help_of_simulate_names_every_scenario(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    _, out, _ = run(capfdbinary, "simulate", "--help")
    assert all(name in out for name in SCENARIOS)


def test_every_command_in_the_tables_is_in_the_tree() -> None:
    tree = typer.main.get_command(build())
    assert set(tree.commands) == {name for name, _ in VERBS} | {name for name, _, _ in GROUPS}  # type: ignore[attr-defined]


def test_a_closed_pipe_ends_quietly() -> None:
    # A process of its own: the pipe's other end must be gone while it writes.
    script = "import os, sys; from streams.cli.output import write; from streams.cli import app; "
    script += (
        "app.VERBS = (*app.VERBS, ('flood', lambda: [write(b'x' * 65536) for _ in range(64)])); sys.exit(app.main(['flood']))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_help_imports_neither_kafka_nor_numpy_nor_river() -> None:
    # A process of its own: here everything is imported already.
    script = "import sys; from streams.cli import main; main(['--help']); "
    script += (
        "print([name for name in ('confluent_kafka', 'faust', 'aiokafka', 'numpy', 'river', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

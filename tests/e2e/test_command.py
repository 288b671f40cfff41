"""Command on a real Kafka: people approve, command signs once whenever it is killed, and an actuator can believe it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from alerts.proposal import Proposal
from alerts.signing import Keyring, digest
from streams.admin import create_topics
from streams.brokers.local import LocalKafka
from streams.cli import main
from streams.config_file import load
from streams.key_file import write_key
from tests.chaos.processes import Child
from tests.e2e.conftest import read_topic
from tests.helpers.people import proposed
from tocsin.codec import json_bytes
from tocsin.config import Config, Kafka
from tocsin.errors import SignatureError
from tocsin.trust import Purpose

pytestmark = pytest.mark.kafka

WAIT_S = 60.0
SETTINGS = """\
key_file = "{home}/tocsin.key"
[kafka]
brokers = "{brokers}"
prefix = "{prefix}"
[http]
command_port = -1
[command]
key_file = "{home}/command.pem"
[[topic]]
name = "raw"
[[model]]
name = "prod/fraud"
tier = 0
mode = "enforce"
automatic = "callers"
"""


class Deployment:
    """A command process, and ana, ben and mallory with their keys; mallory's is on no list."""

    def __init__(self, home: Path, settings: Kafka, capsys: pytest.CaptureFixture[str]) -> None:
        write_key(home / "tocsin.key")
        self.home, self.file, self.capsys = home, home / "tocsin.toml", capsys
        blocks = []
        for owner, role in (("command", None), ("ana", "soc-analyst"), ("ben", "ml-engineer"), ("mallory", None)):
            given = ["--role", role] if role else []
            assert self.run("keys", "new", owner, "--out", str(home / f"{owner}.pem"), *given) == 0
            if owner != "mallory":
                blocks.append(capsys.readouterr().out)
        text = SETTINGS.format(home=home, brokers=settings.brokers, prefix=settings.prefix)
        self.file.write_text(text + "".join(blocks))
        self.config: Config = load(self.file, {})
        self.child = Child("command", "command", self.file, home / "command.log")

    def run(self, *args: str) -> int:
        return main(args)

    def tocsin(self, *args: str) -> int:
        return self.run(*args, "--config", str(self.file))

    def say(self, person: str, *args: str) -> int:
        return self.tocsin(*args, "--key", str(self.home / f"{person}.pem"), "--yes")

    def propose(self, proposal: Proposal) -> None:
        producer = Producer({"bootstrap.servers": self.config.kafka.brokers})
        producer.produce(f"{self.config.kafka.prefix}tocsin.proposals.v1", json_bytes(proposal), partition=0)
        assert producer.flush(30) == 0

    def waits(self, proposal: Proposal) -> bool:
        self.capsys.readouterr()
        assert self.tocsin("proposals", "--json") == 0
        return proposal.id in self.capsys.readouterr().out

    def commands(self) -> list[dict[str, Any]]:
        """Returns what an actuator that trusts command's key reads in the commands topic, once per record."""
        keys, now = Keyring(self.config.key), int(time.time() * 1000)
        found = read_topic(self.config.kafka, f"{self.config.kafka.prefix}tocsin.commands.v1")
        return [keys.open(record.value() or b"", Purpose.COMMAND, now)[0] for record in found]

    def until(self, what: str, holds: Iterator[bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not next(holds):
            self.child.tend()
            assert time.monotonic() < deadline, f"{what} within {WAIT_S:.0f} s"
            time.sleep(0.2)


@pytest.fixture
def deployment(kafka: LocalKafka, settings: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Deployment]:
    made = Deployment(tmp_path, settings, capsys)
    create_topics(made.config)
    made.child.start()
    try:
        yield made
    finally:
        made.child.leave(signal.SIGKILL)


def of(proposal: Proposal, commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in commands if one["args"]["x-tocsin"].get("proposal") == proposal.id]


def test_killed_between_approval_and_command_it_gives_exactly_one_order(deployment: Deployment) -> None:
    run, now = deployment, int(time.time() * 1000)
    proposals = [proposed(number, "disable_endpoint", now) for number in range(2)]
    for number, proposal in enumerate(proposals):
        run.propose(proposal)
        run.until("the proposal must wait", (run.waits(proposal) for _ in iter(int, 1)))
        assert run.say("ana", "approve", proposal.id) == 0
        assert run.say("ben", "approve", proposal.id) == 0
        time.sleep(0.15 * number)
        run.child.kill()
        run.until("the order must be given", (bool(of(proposal, run.commands())) for _ in iter(int, 1)))
    for proposal in proposals:
        given = of(proposal, run.commands())
        assert len({one["command_id"] for one in given}) == 1
        assert len({digest(one) for one in given}) == 1
        assert given[0]["action"] == "stop"
        assert given[0]["args"]["x-tocsin"]["mode"] == "enforce"
        assert given[0]["args"]["x-tocsin"]["authority"]["people"] == ["ana", "ben"]


def test_what_policy_may_is_ordered_at_once_and_a_person_ends_it(deployment: Deployment) -> None:
    run, proposal = deployment, proposed(1, "throttle", int(time.time() * 1000))
    run.propose(proposal)
    run.until("the order must be given", (bool(of(proposal, run.commands())) for _ in iter(int, 1)))
    [order] = of(proposal, run.commands())
    assert order["args"]["duration"] == 600_000
    assert order["args"]["x-tocsin"]["settings"] == {"requests": 60, "per": "minute"}
    assert run.say("ana", "release", order["command_id"]) == 0
    run.until("the end must be told", (any(one["action"] == "cancel" for one in run.commands()) for _ in iter(int, 1)))
    held = read_topic(run.config.kafka, f"{run.config.kafka.prefix}tocsin.enforcement.v1")
    assert held[0].value()
    assert held[-1].value() is None


def test_the_brake_stops_policy_and_strangers_move_nothing(deployment: Deployment) -> None:
    run, now = deployment, int(time.time() * 1000)
    assert run.tocsin("brake", "on", "--key", str(run.home / "ana.pem"), "--reason", "a test of the brake") == 0
    assert run.say("mallory", "brake", "off") == 2
    throttle, stop = proposed(1, "throttle", now), proposed(2, "disable_endpoint", now)
    run.propose(throttle)
    run.propose(stop)
    run.until("both must wait", (run.waits(throttle) and run.waits(stop) for _ in iter(int, 1)))
    assert run.say("ana", "approve", stop.id) == 0
    assert run.say("ana", "approve", stop.id, "--reason", "I am sure") == 0
    assert run.say("ben", "reject", stop.id, "--reason", "it is a sale") == 0
    run.until("the rejection must be heard", (not run.waits(stop) for _ in iter(int, 1)))
    assert run.commands() == []


def test_a_key_others_can_read_is_refused(deployment: Deployment) -> None:
    (deployment.home / "ana.pem").chmod(0o644)
    assert deployment.tocsin("brake", "on", "--key", str(deployment.home / "ana.pem")) == 2


def test_an_actuator_refuses_what_another_key_signed(deployment: Deployment) -> None:
    payload = msgspec.to_builtins(proposed())
    from streams.command.private_key import read_private_key
    from streams.command.process import signer_of

    forged = signer_of(read_private_key(deployment.home / "mallory.pem"))(payload)
    with pytest.raises(SignatureError, match="not in the list"):
        Keyring(deployment.config.key).open(forged, Purpose.COMMAND, int(time.time() * 1000))

"""Command's fold: what it sends, that it fits the published schema, and that without a key nothing can be enforced."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import orjson
import pytest

from alerts.ladder import LADDER, Measure
from alerts.proposal import Proposal
from alerts.signing import Keyring
from alerts.statement import Statement
from streams.command.fold import CommandFold
from streams.command.process import signer_of
from streams.stage.machine import Send
from tests.helpers.people import NOW, ROLES, decided, private, proposed, said, trusted
from tocsin.codec import pack
from tocsin.config import Config
from tocsin.errors import SignatureError
from tocsin.inventory import Model, Version
from tocsin.trust import Purpose

SCHEMA: Final = orjson.loads((Path(__file__).parents[2] / "docs/schemas/x-tocsin-command.schema.json").read_bytes())
VERSIONS: Final = (Version("6", "last-known-good", validated=True), Version("7", "live", validated=True))
CONFIG: Final = Config(
    model=(Model("prod/fraud", 0, "public", "fraud-eu", "enforce", "model", version=VERSIONS),),
    key=(*(trusted(name) for name in ROLES), trusted("command", Purpose.COMMAND)),
)


class Run:
    """A fold and how many decisions it was told."""

    def __init__(self, *, key: bool = True) -> None:
        self.fold = CommandFold(CONFIG, signer_of(private("command")) if key else None)
        self.count = 0

    def tell(self, what: Proposal | Statement | None, now: int = NOW) -> list[Send]:
        self.count += 1
        return list(self.fold.apply(pack(decided(what, self.count, now)), "decisions-0@0").records)

    def approved(self, measure: Measure) -> list[Send]:
        """Returns what is sent when everybody approves a measure."""
        proposal = proposed(1, measure)
        sends = self.tell(proposal)
        for person in ROLES:
            sends += self.tell(said(person, "approve", proposal))
        return sends


def payloads(sends: list[Send], topic: str = "commands") -> list[dict[str, Any]]:
    keys = Keyring(CONFIG.key)
    return [keys.open(send.value, Purpose.COMMAND, NOW)[0] for send in sends if send.topic == topic]


@pytest.mark.parametrize("measure", [name for name, rung in LADDER.items() if rung.level])
def test_every_measure_is_an_order_that_fits_the_schema_and_says_what_holds(measure: Measure) -> None:
    sends = Run().approved(measure)
    commands, holds = payloads(sends), payloads(sends, "enforcement")
    assert commands
    for command, held in zip(commands, holds, strict=True):
        jsonschema_rs.validate(SCHEMA, command)
        profile = command["args"]["x-tocsin"]
        assert (held["measure"], held["seq"], held["until"]) == (measure, profile["seq"], profile["expires"])
        assert held["command"] == command["command_id"]


def test_an_order_that_a_person_ends_is_cancelled_and_released() -> None:
    run = Run()
    *_, order = payloads(run.approved("throttle_model"))
    sends = run.tell(said("ana", "release", subject=order["command_id"]))
    [cancel] = payloads(sends)
    jsonschema_rs.validate(SCHEMA, cancel)
    assert [send.value for send in sends if send.topic == "enforcement"] == [b""]


def test_without_a_key_nothing_it_says_can_be_enforced() -> None:
    keys, sends = Keyring(CONFIG.key), Run(key=False).approved("disable_endpoint")
    said_so = [send for send in sends if send.topic in ("commands", "enforcement")]
    assert said_so
    for send in said_so:
        assert orjson.loads(send.value)["payload"].get("mode", "observe") == "observe"
        with pytest.raises(SignatureError):
            keys.open(send.value, Purpose.COMMAND, NOW)


def test_the_same_decisions_give_the_same_bytes_in_any_process() -> None:
    assert Run().approved("roll_back") == Run().approved("roll_back")


def test_a_restored_fold_goes_on_alike() -> None:
    run, restored = Run(), Run()
    proposal = proposed(1, "disable_endpoint")
    run.tell(proposal)
    run.tell(said("ana", "approve", proposal))
    assert restored.fold.load(run.fold.dump()) == []
    restored.count = run.count
    last = said("ben", "approve", proposal)
    assert restored.tell(last) == run.tell(last) != []

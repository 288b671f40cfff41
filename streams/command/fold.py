"""Command's fold: decisions in; signed orders, what holds, and notices out.

The key is the shell's, not the state's: whoever runs this fold without one, a replay or a drill, says the same, but unsigned
and with mode `observe`, and no actuator obeys that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from alerts.commander import Commander
from alerts.containment import Cancelled, Decision, Notice
from alerts.escape import safe_json
from alerts.health import Health
from alerts.openc2 import Order, cancel_of, command_of, settings_of
from alerts.signing import Keyring, canonical
from streams.stage.machine import Outputs, Send
from streams.topics import partition_of
from tocsin.codec import unpack
from tocsin.config import Config
from tocsin.inventory import Mode
from tocsin.state import Section, Sections

SECTION: Final = "commander"
VERSION: Final = 1
HEADERS: Final = (("content-type", b"application/openc2+json;version=1.0"), ("ce_type", b"tocsin.command.v1"))

Signer = Callable[[dict[str, Any]], bytes]
"""Payload → signed record."""


class CommandFold:
    """`alerts.commander.Commander` between bytes and topics.

    Args:
        config: inventory, trusted keys, limits.
        signer: signs commands; None where nothing may be enforced.
    """

    def __init__(self, config: Config, signer: Signer | None = None) -> None:
        self.commander = Commander(config.model, Keyring(config.key), config.command)
        self._signer = signer

    def apply(self, body: bytes, where: str) -> Outputs:
        """Returns the records one decision leads to."""
        decision = unpack(body, Decision, where)
        sends: list[Send] = []
        for outcome in self.commander.apply(decision):
            match outcome:
                case Order():
                    sends += self._ordered(outcome)
                case Cancelled():
                    sends += self._cancelled(outcome)
                case Notice():
                    sends.append(_noticed(outcome))
        return Outputs(records=tuple(sends))

    def dump(self) -> Sections:
        """Returns the commander's memory."""
        return {SECTION: Section(VERSION, self.commander.dump())}

    def load(self, sections: Sections) -> list[str]:
        """Replaces it; another version's starts cold, which forgets approvals but gives no order."""
        section = sections.get(SECTION)
        if section is None or section.version != VERSION:
            return [f"{SECTION}: v{VERSION} expected; it starts cold"]
        self.commander.load(section.data)
        return []

    def _ordered(self, order: Order) -> list[Send]:
        mode = order.mode if self._signer else "observe"
        order = msgspec.structs.replace(order, mode=mode)
        holds = {
            "target": order.target,
            "measure": order.measure,
            "settings": settings_of(order),
            "mode": mode,
            "seq": order.seq,
            "until": order.until,
            "command": order.id,
        }
        return [self._send("commands", order.target, command_of(order)), self._send("enforcement", order.target, holds)]

    def _cancelled(self, ended: Cancelled) -> list[Send]:
        """Returns the tombstone, and a cancel if a person ended it: what ends by itself every actuator ends by itself."""
        release = Send("enforcement", partition_of("enforcement", ended.target), ended.target.encode(), b"")
        if not ended.person:
            return [release]
        mode: Mode = self.commander.model_of(ended.model).mode if self._signer else "observe"
        cancel = cancel_of(ended.command, ended.target, ended.seq, self.commander.memory.now, ended.person, mode)
        return [self._send("commands", ended.target, cancel), release]

    def _send(self, topic: str, target: str, payload: dict[str, Any]) -> Send:
        value = canonical({"payload": payload}) if self._signer is None else self._signer(payload)
        return Send(topic, partition_of(topic, target), target.encode(), value, HEADERS if topic == "commands" else ())


def _noticed(notice: Notice) -> Send:
    kind = "containment_alarm" if notice.loud else "containment"
    record = Health(notice.uid, kind, "command", notice.ts, notice.text, where=notice.subject)
    return Send("health", partition_of("health", "command"), b"command", safe_json(record))

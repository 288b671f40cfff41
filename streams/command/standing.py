"""Standing: what waits and what holds, as everybody who may read the decisions can work out for themselves."""

from __future__ import annotations

import msgspec

from alerts.commander import Commander
from alerts.containment import Decision, Memory
from alerts.signing import Keyring
from streams.clients import topic_name
from streams.scan import scan
from tocsin.codec import unpack
from tocsin.config import Config
from tocsin.errors import VersionError


def memory_of(config: Config, now_ms: int) -> Memory:
    """Returns the commander's memory after all decisions so far, and the time that has gone by since.

    Raises:
        BrokerError: the decisions cannot be read.
    """
    commander = Commander(config.model, Keyring(config.key), config.command)
    topic = topic_name(config.kafka, "decisions")
    for message in scan(config.kafka, topic):
        where = f"{topic}-{message.partition()}@{message.offset()}"
        try:
            commander.apply(unpack(message.value() or b"", Decision, where))
        except (VersionError, msgspec.DecodeError):
            continue
    commander.apply(Decision("now", now_ms, "tick", b""))
    return commander.memory

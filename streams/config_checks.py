"""Configuration checks: what a type cannot say about a value. One line each in `CHECKS`; relations between values below it."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from streams.topics import TOPICS
from tocsin.config import Config, RawTopic
from tocsin.errors import ConfigError, RejectError

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_BROKER = re.compile(r"[A-Za-z0-9._-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")
_PASSWORD = re.compile(r"[^,@/]*@")
LOOPBACK = ("127.", "localhost:", "[::1]:")


class Check(NamedTuple):
    """One bound.

    Attributes:
        key: dotted.
        holds: whether a value is fine.
        wanted: said when it is not.
    """

    key: str
    holds: Callable[[Any], bool]
    wanted: str


def _within(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: math.isfinite(value) and low <= value <= high


def _zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (KeyError, OSError, ValueError):
        return False


KEY_BYTES: Final = 32
"""Of an Ed25519 public key."""

CHECKS: Final = (
    Check("kafka.brokers", lambda text: all(map(_BROKER.fullmatch, text.split(","))), "host:port, separated by commas"),
    Check("kafka.prefix", lambda text: not text or bool(_NAME.fullmatch(text)), "letters, digits, '.', '_' or '-'"),
    Check("kafka.replication", _within(1, 32), "1 to 32"),
    Check("detection.shards", _within(1, 256), "1 to 256"),
    Check("detection.groups", _within(1, 256), "1 to 256"),
    Check("detection.alerts_per_model_month", _within(1e-6, 1e4), "more than 0, at most 10000 (false alerts a month)"),
    Check("detection.alerts_fleet_month", _within(1e-6, 1e4), "more than 0, at most 10000 (false alerts a month)"),
    Check("http.intake_port", _within(-1, 65535), "-1 (off), 0 (any free one) or a port"),
    Check("http.worker_port", _within(-1, 65535), "-1 (off), 0 (any free one) or a port"),
    Check("http.curator_port", _within(-1, 65535), "-1 (off), 0 (any free one) or a port"),
    Check("http.command_port", _within(-1, 65535), "-1 (off), 0 (any free one) or a port"),
    Check("command.key_file", bool, "a path"),
    Check("command.orders_per_model", _within(0, 100), "0 to 100 (automatic orders an hour)"),
    Check("command.callers", _within(0, 1e6), "0 to 1000000 (callers an hour)"),
    Check("command.share", _within(0, 1), "0 to 1 (share of a model's traffic)"),
    Check("baseline.rows", _within(1_000, 262_144), "1000 to 262144 (rows)"),
    Check("baseline.hours", _within(0.01, 8_760), "more than 0, at most 8760 (hours)"),
    Check("baseline.zone", _zone, "an IANA time zone such as Europe/Berlin"),
    Check("http.host", bool, "an address to listen on"),
    Check("instance", lambda text: bool(_NAME.fullmatch(text)), "1 to 100 letters, digits, '.', '_' or '-'"),
    Check("key_file", bool, "a path"),
    Check("data_dir", bool, "a path"),
)


def problems(config: Config) -> Iterator[tuple[str, str]]:
    """Yields (dotted key, what was wanted and found) for every value that no process should start with."""
    for key, holds, wanted in CHECKS:
        value = reduce(getattr, key.split("."), config)
        if not holds(value):
            yield key, f"expected {wanted}; got {_PASSWORD.sub('***@', repr(value)) if key == 'kafka.brokers' else repr(value)}"
    yield from _sasl(config)
    yield from _detectors(config)
    yield from _keys(config)
    names = [topic.name for topic in config.topic]
    ours = {config.kafka.prefix + topic.name for topic in TOPICS.values()}
    for index, topic in enumerate(config.topic):
        yield from _topic(f"topic[{index}]", topic)
        if topic.name in ours:
            yield f"topic[{index}].name", f"expected a producers' topic; {topic.name!r} is Tocsin's own"
        if topic.name in names[:index]:
            yield f"topic[{index}].name", f"expected each topic once; {topic.name!r} stands in topic[{names.index(topic.name)}]"


def warnings(config: Config) -> Iterator[str]:
    """Yields what is allowed and still deserves a second look."""
    kafka = config.kafka
    remote = [broker for broker in kafka.brokers.split(",") if not broker.startswith(LOOPBACK)]
    if remote and not kafka.security.endswith("SSL"):
        yield f"kafka.security: {kafka.security} to {remote[0]}: events and credentials cross the network unencrypted"
    if remote and kafka.replication == 1:
        yield "kafka.replication: 1: the ledger is lost with one broker; 3 is usual on a cluster"
    for topic in config.topic:
        if topic.format == "sniff":
            yield f"topic {topic.name!r}: format is sniffed: whoever may write chooses the parser; pin it"
    if not config.topic:
        yield "topic: none is configured: intake has nothing to read"
    if config.clock == "event":
        yield 'clock: "event" lets producers drive time: for drills and backfill only'


def require_topics(config: Config) -> None:
    """Refuses a configuration without raw topics.

    Raises:
        ConfigError: there is nothing to read.
    """
    if not config.topic:
        raise ConfigError("topic: expected at least one [[topic]] with the events of your models; got none")


def _sasl(config: Config) -> Iterator[tuple[str, str]]:
    kafka = config.kafka
    if kafka.security.startswith("SASL") and not (kafka.username and kafka.password):
        yield "kafka.username", f"{kafka.security} needs TOCSIN_KAFKA_USERNAME and TOCSIN_KAFKA_PASSWORD; one is empty"
    if kafka.username and not kafka.security.startswith("SASL"):
        yield "kafka.security", f"expected SASL_SSL or SASL_PLAINTEXT because a username is set; got {kafka.security!r}"
    if bool(kafka.cert_file) != bool(kafka.key_file):
        yield "kafka.cert_file", "expected cert_file and key_file together; one is empty"


def _detectors(config: Config) -> Iterator[tuple[str, str]]:
    if not config.detection.disabled:
        return  # importing the detectors costs a second
    from models.registry import DETECTORS

    for index, name in enumerate(config.detection.disabled):
        if name not in DETECTORS:
            yield f"detection.disabled[{index}]", f"expected one of {', '.join(DETECTORS)}; got {name!r}"


def _keys(config: Config) -> Iterator[tuple[str, str]]:
    for index, key in enumerate(config.key):
        try:
            length = len(base64.b64decode(key.public, validate=True))
        except binascii.Error:
            length = -1
        if length != KEY_BYTES:
            yield (
                f"key[{index}].public",
                f"expected {KEY_BYTES} bytes in base64, as `tocsin keys new` prints; got {key.public!r}",
            )
    for names, where in (([key.public for key in config.key], "key"), ([model.name for model in config.model], "model")):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            yield where, f"expected each once; found twice: {', '.join(twice)}"


def _topic(where: str, topic: RawTopic) -> Iterator[tuple[str, str]]:
    from streams.intake.check import parsed_model
    from streams.intake.formats import FORMATS
    from streams.intake.formats.fields import FIELDS

    if not _TOPIC.fullmatch(topic.name):
        yield f"{where}.name", f"expected 1 to 249 letters, digits, '.', '_' or '-'; got {topic.name[:60]!r}"
    if topic.format not in ("sniff", *FORMATS):
        yield f"{where}.format", f"expected sniff, {', '.join(FORMATS)}; got {topic.format!r}"
    if topic.fields and topic.format != "json":
        yield f"{where}.fields", f'expected with format = "json" only; the format is {topic.format!r}'
    if topic.format == "json" and not topic.fields:
        yield f"{where}.fields", f'format = "json" needs a mapping, such as caller = "user.id"; known: {", ".join(FIELDS)}'
    for name in topic.fields:
        if name not in FIELDS and not name.startswith("features."):
            yield f"{where}.fields.{name}", f"expected one of {', '.join(FIELDS)} or features.NAME"
    if topic.model:
        try:
            parsed_model(topic.model)
        except RejectError as error:
            yield f"{where}.model", f"expected namespace/name@version; {error.detail}"

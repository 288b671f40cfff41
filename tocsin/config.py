"""Configuration: one TOML file, frozen values, everything defaulted but the brokers and the raw topics."""

from __future__ import annotations

from typing import Literal

import msgspec

from tocsin.inventory import Model
from tocsin.trust import TrustedKey


class RawTopic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One topic of inference events, `[[topic]]`.

    Attributes:
        name: Kafka topic.
        format: a key of `streams.intake.formats.FORMATS`, or `sniff`. Pinned is safer: a hostile producer must not choose
            its own parser.
        model: `namespace/name@version` for records that name none.
        fields: for `format = "json"`: canonical field → path in the record, e.g. `caller = "user.id"`.
    """

    name: str
    format: str = "sniff"
    model: str = ""
    fields: dict[str, str] = {}


class Kafka(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach Kafka, `[kafka]`; maps to both clients.

    Attributes:
        brokers: `host:port,host:port`.
        prefix: put before the name of every topic that Tocsin owns.
        replication: factor for topics that Tocsin creates.
        security: as Kafka's `security.protocol`.
        sasl_mechanism: when `security` is SASL.
        username: SASL user.
        password: SASL password; from `TOCSIN_KAFKA_PASSWORD`, never from the file in production.
        ca_file: PEM of the certificate authority.
        cert_file: client certificate for mTLS.
        key_file: its key.
    """

    brokers: str = "127.0.0.1:9092"
    prefix: str = ""
    replication: int = 1
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = "SCRAM-SHA-256"
    username: str = ""
    password: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


class Detection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the folds need to know, `[detection]`. Part of every snapshot's fingerprint.

    Attributes:
        shards: partitions of the ledger; changing it starts a new frames generation.
        groups: partitions of the readings.
        alerts_per_model_month: the alert budget: false alerts of one model a month that the operator accepts.
        alerts_fleet_month: the same over the whole fleet, for detectors that watch callers across models.
        disabled: detector ids to leave out.
    """

    shards: int = 4
    groups: int = 2
    alerts_per_model_month: float = 1.0
    alerts_fleet_month: float = 4.0
    disabled: tuple[str, ...] = ()


class BaselinePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How baselines come into force, `[baseline]`.

    Attributes:
        arm: `ask`: a baseline that passed the replay gate waits for `tocsin baseline promote`; `auto`: the curator arms it.
        rows: golden rows after which a provisional baseline is built by itself ...
        hours: ... or hours of event time, whichever comes first.
        zone: IANA time zone of the people behind the models, for seasons.
    """

    arm: Literal["ask", "auto"] = "ask"
    rows: int = 20_000
    hours: float = 24.0
    zone: str = "UTC"


class Privacy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How callers are shown in findings, `[privacy]`: id kind → `clear` or `hmac`."""

    api_key_hash: Literal["clear", "hmac"] = "clear"
    service: Literal["clear", "hmac"] = "clear"
    ip: Literal["clear", "hmac"] = "clear"
    user: Literal["clear", "hmac"] = "hmac"
    unknown: Literal["clear", "hmac"] = "clear"


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be ordered without a person within an hour, and the key that signs orders, `[command]`.

    Attributes:
        key_file: Ed25519 private key of the command process, PEM; `tocsin keys new command` writes one.
        orders_per_model: automatic orders on one model.
        callers: callers touched, over the fleet.
        share: of one model's traffic touched, in [0, 1].
    """

    key_file: str = "command.pem"
    orders_per_model: int = 3
    callers: int = 50
    share: float = 0.1


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The loopback HTTP endpoints, `[http]`: /livez, /readyz, /metrics. Port 0 chooses a free one; -1 turns them off."""

    host: str = "127.0.0.1"
    intake_port: int = 9471
    worker_port: int = 9472
    curator_port: int = 9473
    command_port: int = 9474


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    kafka: Kafka = Kafka()
    topic: tuple[RawTopic, ...] = ()
    detection: Detection = Detection()
    baseline: BaselinePolicy = BaselinePolicy()
    privacy: Privacy = Privacy()
    command: Command = Command()
    model: tuple[Model, ...] = ()
    key: tuple[TrustedKey, ...] = ()
    http: Http = Http()
    key_file: str = "tocsin.key"
    data_dir: str = ".tocsin"
    instance: str = "tocsin-1"
    clock: Literal["append", "event"] = "append"
